/** Whether a NATS connection is up, according to nats.js. */
import { Events, type NatsConnection } from 'nats';
import type { SubjectPrefix } from '../protocol/subject-prefix.js';
import { parseSubject } from '../protocol/topics.js';

export interface LinkWatcher {
  up(): void;
  down(): void;
  /** The connection is closed for good. */
  closed(cause: unknown): void;
  /** The server does not allow this user to publish on the subject. */
  refused(subject: string): void;
}

/**
 * Reports to `watcher` until it wants no more. A connection counts as up at first; if it is not, that shows when
 * nats.js gives up the round trips that wait for it.
 */
export function watchLink(
  connection: NatsConnection,
  prefix: SubjectPrefix,
  watcher: LinkWatcher,
  isWanted: () => boolean,
): void {
  const follow = async (): Promise<void> => {
    for await (const { type, permissionContext } of connection.status()) {
      if (!isWanted()) return;
      if (type === Events.Disconnect) watcher.down();
      else if (type === Events.Reconnect) watcher.up();
      else if (type === Events.Error && permissionContext?.operation === 'publish') {
        const { subject } = permissionContext;
        // On a shared connection, not every subject is one of ours.
        if (prefix.isOn(subject) && parseSubject(prefix.remove(subject)) !== undefined) watcher.refused(subject);
      }
    }
  };
  void follow();
  void connection.closed().then(error => {
    if (isWanted()) watcher.closed(error);
  });
}
