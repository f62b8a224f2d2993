/** All clients of the topology, and what they see together. */
import { Watcher } from './watcher.js';

/** Changes within this time are one line. */
const SETTLE_MS = 300;

interface CrowdOptions {
  readonly url: string;
  /** One for each client. */
  readonly tokens: readonly string[];
  readonly symbols: readonly string[];
  readonly say: (line: string) => void;
}

export class Crowd {
  readonly watchers: readonly Watcher[];
  readonly #say: (line: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #said = '';
  #connects = 0;
  #gaps = 0;
  #isClosed = false;

  constructor({ url, tokens, symbols, say }: CrowdOptions) {
    this.#say = say;
    const onChange = (): void => {
      if (!this.#isClosed) this.#timer ??= setTimeout(() => this.#tell(), SETTLE_MS);
    };
    this.watchers = tokens.map((token, at) => {
      const format = at % 2 === 0 ? 'json' : 'msgpack';
      return new Watcher({ url, token, format, symbols, onChange });
    });
  }

  /** `20 of 20 connected` and, if so, that the feed is stale. */
  get summary(): string {
    const open = this.watchers.filter(({ isOpen }) => isOpen).length;
    const stale = this.watchers.filter(({ isStale }) => isStale).length;
    const connected = `${open} of ${this.watchers.length} connected`;
    return stale === 0 ? connected : `${connected}; ${stale} are told that the feed is stale`;
  }

  /** Resolves once every client has all its topics. */
  async ready(): Promise<void> {
    await Promise.all(this.watchers.map(({ ready }) => ready));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const watcher of this.watchers) watcher.close();
  }

  #tell(): void {
    this.#timer = undefined;
    const gaps = this.watchers.flatMap(one => [...one.gaps.values()]).reduce((sum, count) => sum + count, 0);
    const epochs = [...new Set(this.watchers.flatMap(one => [...one.epochs]))].join(', ');
    if (gaps > this.#gaps) this.#say(`clients: ${gaps - this.#gaps} GAPS in their trades, so far in epochs ${epochs}`);
    this.#gaps = gaps;
    const connects = this.watchers.reduce((sum, one) => sum + one.connects, 0);
    const isFirst = this.#connects === 0;
    const again = connects - this.#connects;
    this.#connects = connects;
    if (this.summary === this.#said && again === 0) return;
    this.#said = this.summary;
    this.#say(`clients: ${this.summary}${again === 0 || isFirst ? '' : `, ${again} of them again`}`);
  }
}
