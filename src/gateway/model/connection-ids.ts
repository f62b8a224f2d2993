/**
 * Ids of connections, in the header `Millrace-Connection`, in logs and in the admin API. A thread numbers its
 * connections; with a random prefix for each start of a thread, an id never repeats, on any gateway.
 */
import { randomBytes } from 'node:crypto';

const PREFIX_BYTES = 6;
const RADIX = 36;

export class ConnectionIds {
  readonly #prefix = randomBytes(PREFIX_BYTES).toString('hex');
  #last = 0;

  /** The number of a new connection. */
  next(): number {
    return ++this.#last;
  }

  /** The id of the connection with this number: `5f0c2a91e3d7-2s`. */
  text(connection: number): string {
    return `${this.#prefix}-${connection.toString(RADIX)}`;
  }

  /** The number in an id of this thread; undefined for any other text. */
  numberOf(id: string): number | undefined {
    const number = Number.parseInt(id.slice(this.#prefix.length + 1), RADIX);
    return Number.isSafeInteger(number) && this.text(number) === id ? number : undefined;
  }
}
