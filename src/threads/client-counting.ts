/** What clients of a gateway or FIX thread do, second by second, for surveillance. Only clients that did something are in a report. */
import type { ClientCounts, ClientReport } from './surveillance-messages.js';

const SECOND_MS = 1_000;
/** Clients in one report; those beyond are left out of it. */
const CLIENTS_MAX = 2_000;
/** Topics of one client in one report; further ones are left out. A command with a longer list of names is not hopping. */
export const TOPICS_MAX = 64;

interface CountedCommands {
  commands: number;
  readonly subscribed: string[];
  readonly unsubscribed: string[];
}

interface ClientCountingOptions<Client> {
  /** Asked when a report is posted. */
  readonly clientOf: (client: Client) => Pick<ClientCounts, 'connection' | 'user'>;
  readonly post: (report: ClientReport) => void;
  /** µs since the Unix epoch. */
  readonly nowMicros: () => number;
}

export class ClientCounting<Client> {
  readonly #options: ClientCountingOptions<Client>;
  readonly #counts = new Map<Client, CountedCommands>();
  /** When the first command of this report came. */
  #sinceMicros = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ClientCountingOptions<Client>) {
    this.#options = options;
  }

  /** Counts a command. @returns where its topics belong; undefined: the client is left out of this report */
  command(client: Client): CountedCommands | undefined {
    let counts = this.#counts.get(client);
    if (counts === undefined) {
      if (this.#counts.size >= CLIENTS_MAX) return undefined;
      counts = { commands: 0, subscribed: [], unsubscribed: [] };
      this.#counts.set(client, counts);
      this.#begin();
    }
    counts.commands++;
    return counts;
  }

  #begin(): void {
    if (this.#timer !== undefined) return;
    this.#sinceMicros = this.#options.nowMicros();
    this.#timer = setTimeout(() => this.#post(), SECOND_MS).unref();
  }

  #post(): void {
    this.#timer = undefined;
    const { clientOf, post } = this.#options;
    const clients = Array.from(this.#counts, ([client, counts]) => ({ ...clientOf(client), ...counts }));
    this.#counts.clear();
    post({ type: 'behaviour', atMicros: this.#sinceMicros, clients });
  }
}
