import { headers, type NatsConnection } from 'nats';
import type { SubjectPrefix } from '../protocol/subject-prefix.js';

const REASON_LENGTH_MAX = 256;

/**
 * Publishes an invalid message's raw payload on `deadletter.<subject>`, with the header `Reason`. A payload that does
 * not fit beside the header is left out, and `Reason` says so. Never throws: a dead letter must not stop the feed.
 */
export function publishDeadLetter(
  connection: NatsConnection,
  prefix: SubjectPrefix,
  subject: string,
  payload: Uint8Array,
  reason: string,
): void {
  if (connection.isClosed()) return;
  const target = prefix.add(`deadletter.${subject}`);
  // A header's value is one line.
  const line = reason.slice(0, REASON_LENGTH_MAX).replaceAll(/[\r\n]+/g, ' ');
  try {
    connection.publish(target, payload, { headers: withReason(line) });
  } catch {
    try {
      connection.publish(target, new Uint8Array(0), {
        headers: withReason(`${line} (payload of ${payload.length} bytes left out)`),
      });
    } catch {
      // There is no usable connection; the caller has counted and logged the message.
    }
  }
}

function withReason(reason: string): ReturnType<typeof headers> {
  const result = headers();
  result.set('Reason', reason);
  return result;
}
