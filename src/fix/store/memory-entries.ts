/** Sequence numbers that last as long as the process. */
import { BoundedMap } from '../../protocol/bounded-map.js';
import type { Entries, Entry } from './entries.js';

/** Beyond this many sessions, the one that was written longest ago starts over. */
const SESSIONS_MAX = 10_000;

export class MemoryEntries implements Entries {
  readonly areShared = false;
  readonly #entries = new BoundedMap<string, string>(SESSIONS_MAX);

  read(key: string): Promise<Entry | undefined> {
    const text = this.#entries.get(key);
    return Promise.resolve(text === undefined ? undefined : { text, revision: 1 });
  }

  write(key: string, text: string): Promise<number> {
    this.#entries.set(key, text);
    return Promise.resolve(1);
  }

  remove(key: string): Promise<boolean> {
    this.#entries.delete(key);
    return Promise.resolve(true);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
