/** Notes the control frames that a client is sent in its flight recorder. */
import type { Session } from '../model/session.js';

/** Members by which a recorded event differs from another of its type. */
interface ControlMembers {
  readonly type?: string;
  readonly code?: string;
  readonly topic?: string;
  readonly topics?: readonly string[] | number;
  readonly feed?: string;
  readonly age_ms?: number;
  readonly severity?: string;
  readonly reconnect_after_ms?: number;
  readonly expires_at?: string;
}

/** @param message has been handed to the socket. Its texts are constants or a view's own, except in `topics` */
export function recordFrame({ events }: Session, message: object): void {
  const frame = message as ControlMembers;
  switch (frame.type) {
    case 'subscribed':
    case 'unsubscribed':
      // Not which: the texts are the command's, and this event alone would keep them.
      events.record(frame.type, Array.isArray(frame.topics) ? frame.topics.length : null);
      break;
    case 'ack':
      if (frame.expires_at !== undefined) events.record('authenticated');
      break;
    case 'error':
    case 'warning':
      events.record(frame.type, frame.code ?? null);
      break;
    case 'status':
      events.record('status', frame.feed ?? null);
      break;
    case 'gap':
      events.record('gap', frame.topic ?? null);
      break;
    case 'lagging':
      events.record('lagging', frame.age_ms ?? null);
      break;
    case 'fresh':
      events.record('fresh');
      break;
    case 'notice':
      events.record('notice', frame.severity ?? null);
      break;
    case 'going_away':
      events.record('going_away', frame.reconnect_after_ms ?? null);
      break;
  }
}
