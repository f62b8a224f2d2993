/** What each client asks for, for surveillance: how many commands, and which topics it subscribes to and leaves. */
import type { Command, SubscribeCommand, UnsubscribeCommand } from '../../protocol/commands.js';
import { ALL_SYMBOLS } from '../../protocol/topics.js';
import { ClientCounting, TOPICS_MAX } from '../../threads/client-counting.js';
import type { ClientReport } from '../../threads/surveillance-messages.js';
import type { ConnectionIds } from '../model/connection-ids.js';
import type { Session } from '../model/session.js';

interface CommandCountsOptions {
  readonly ids: ConnectionIds;
  readonly post: (report: ClientReport) => void;
  /** µs since the Unix epoch. */
  readonly nowMicros: () => number;
}

export class CommandCounts {
  readonly #counting: ClientCounting<Session>;

  constructor({ ids, post, nowMicros }: CommandCountsOptions) {
    const clientOf = ({ id, credential }: Session) => ({ connection: ids.text(id), user: credential.sub });
    this.#counting = new ClientCounting({ clientOf, post, nowMicros });
  }

  take(session: Session, command: Command): void {
    const counts = this.#counting.command(session);
    if (counts === undefined) return;
    const { sub } = session.credential;
    if (command.action === 'subscribe') note(counts.subscribed, command, sub);
    else if (command.action === 'unsubscribe') note(counts.unsubscribed, command, sub);
  }
}

/** The names as the client gives them, whether or not they exist. */
function note(topics: string[], command: SubscribeCommand | UnsubscribeCommand, user: string): void {
  const { stream = 'analytics', symbol, symbols, channel, channels, room, rooms } = command;
  const before = topics.length;
  for (const name of [symbol, channel, room]) {
    if (name !== undefined && topics.length < TOPICS_MAX) topics.push(`${stream}:${name}`);
  }
  for (const names of [symbols, channels, rooms]) {
    for (let i = 0; names !== undefined && i < names.length && topics.length < TOPICS_MAX; i++) {
      topics.push(`${stream}:${names[i]}`);
    }
  }
  // Orders are the user's own; the trades are those of all symbols.
  if (topics.length === before && before < TOPICS_MAX) {
    topics.push(`${stream}:${stream === 'orders' ? user : ALL_SYMBOLS}`);
  }
}
