import { headers, type NatsConnection } from 'nats';
import { DONE, type FeedOutcome, failed, failureOf } from '../feed-contract/feed-outcome.js';
import type { SubjectPrefix } from '../protocol/subject-prefix.js';

const REASON_LENGTH_MAX = 256;

/**
 * Publishes an invalid message's raw payload on `deadletter.<subject>`, with the header `Reason`. A payload that does
 * not fit beside the header is left out, and `Reason` says so. A server that refuses it reports that later.
 */
export function publishDeadLetter(
  connection: NatsConnection,
  prefix: SubjectPrefix,
  subject: string,
  payload: Uint8Array,
  reason: string,
): FeedOutcome {
  if (connection.isClosed()) return failed('unreachable', 'the connection to NATS is closed');
  const target = prefix.add(`deadletter.${subject}`);
  // A header's value is one line.
  const line = reason.slice(0, REASON_LENGTH_MAX).replaceAll(/[\r\n]+/g, ' ');
  try {
    connection.publish(target, payload, { headers: withReason(line) });
  } catch {
    const without = `${line} (payload of ${payload.length} bytes left out)`;
    try {
      connection.publish(target, new Uint8Array(0), { headers: withReason(without) });
    } catch (error) {
      return failureOf(error);
    }
  }
  return DONE;
}

function withReason(reason: string): ReturnType<typeof headers> {
  const result = headers();
  result.set('Reason', reason);
  return result;
}
