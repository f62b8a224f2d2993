/**
 * What each client asks for, second by second, for surveillance: how many commands, and which topics it subscribes to and
 * leaves. Posted to main once a second; only clients that sent a command are in it.
 */
import type { Command, SubscribeCommand, UnsubscribeCommand } from '../../protocol/commands.js';
import { ALL_SYMBOLS } from '../../protocol/topics.js';
import type { ClientCounts, ClientReport } from '../../threads/surveillance-messages.js';
import type { ConnectionIds } from '../model/connection-ids.js';
import type { Session } from '../model/session.js';

const SECOND_MS = 1_000;
/** Clients in one report; those beyond are left out of it. */
const CLIENTS_MAX = 2_000;
/** Topics of one client in one report; further ones are left out. A command with a longer list of names is not hopping. */
const TOPICS_MAX = 64;

interface Counts {
  commands: number;
  readonly subscribed: string[];
  readonly unsubscribed: string[];
}

interface CommandCountsOptions {
  readonly ids: ConnectionIds;
  readonly post: (report: ClientReport) => void;
  /** µs since the Unix epoch. */
  readonly nowMicros: () => number;
}

export class CommandCounts {
  readonly #options: CommandCountsOptions;
  readonly #counts = new Map<Session, Counts>();
  /** When the first command of this report came. */
  #sinceMicros = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CommandCountsOptions) {
    this.#options = options;
  }

  take(session: Session, command: Command): void {
    let counts = this.#counts.get(session);
    if (counts === undefined) {
      if (this.#counts.size >= CLIENTS_MAX) return;
      counts = { commands: 0, subscribed: [], unsubscribed: [] };
      this.#counts.set(session, counts);
      this.#begin();
    }
    counts.commands++;
    const { sub } = session.credential;
    if (command.action === 'subscribe') note(counts.subscribed, command, sub);
    else if (command.action === 'unsubscribe') note(counts.unsubscribed, command, sub);
  }

  #begin(): void {
    if (this.#timer !== undefined) return;
    this.#sinceMicros = this.#options.nowMicros();
    this.#timer = setTimeout(() => this.#post(), SECOND_MS).unref();
  }

  #post(): void {
    this.#timer = undefined;
    const { ids, post } = this.#options;
    const clients: ClientCounts[] = Array.from(this.#counts, ([session, counts]) => ({
      connection: ids.text(session.id),
      user: session.credential.sub,
      ...counts,
    }));
    this.#counts.clear();
    post({ type: 'behaviour', atMicros: this.#sinceMicros, clients });
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
