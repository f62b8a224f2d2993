/** Many SDK clients, in processes of their own. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./fleet.mjs', import.meta.url));

/** A time that a client was without a connection. */
interface Absence {
  readonly downMs: number;
  /** How long it was asked to stay away. */
  readonly promisedMs: number;
  readonly backMs?: number;
  /** Attempts to come back that failed. */
  readonly refusals: readonly string[];
}

export interface MemberReport {
  readonly symbol: string;
  readonly lastTrade?: number;
  readonly absences: readonly Absence[];
  /** Trades that were lost or came twice, gaps, errors. */
  readonly faults: readonly string[];
  readonly state: string;
  readonly price?: number;
}

type Told = { readonly type: 'up' } | { readonly type: 'report'; readonly members: readonly MemberReport[] };

export class Fleet {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #error = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.on('data', chunk => {
      this.#error += chunk;
    });
    this.#ended = new Promise(resolve => child.once('exit', () => resolve()));
  }

  /** Resolves when all of them are served. */
  static async launch(url: string, token: string, clients: number, symbols: readonly string[]): Promise<Fleet> {
    const args = [url, token, String(clients), symbols.join(',')];
    const fleet = new Fleet(fork(PROGRAM, args, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] }));
    await fleet.#told('up');
    return fleet;
  }

  /** What became of each client so far. */
  async report(): Promise<readonly MemberReport[]> {
    const told = this.#told('report');
    this.#child.send('report');
    return ((await told) as Extract<Told, { type: 'report' }>).members;
  }

  async close(): Promise<void> {
    if (this.#child.connected) this.#child.send('end');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await this.#ended;
    clearTimeout(late);
  }

  #told(type: Told['type']): Promise<Told> {
    return new Promise((resolve, reject) => {
      const take = (told: Told) => {
        if (told.type !== type) return;
        this.#child.off('message', take);
        resolve(told);
      };
      this.#child.on('message', take);
      void this.#ended.then(() => reject(new Error(`the fleet ended:\n${this.#error}`)));
    });
  }
}
