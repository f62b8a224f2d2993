/**
 * What one client holds, kept the slow and obvious way: RFC 6902 patches by the rfc6902 package, every `prev_seq`
 * checked, every checksum computed anew. It throws where the contract is broken.
 */
import { applyPatch, type Operation } from 'rfc6902';
import { bookChecksum } from '../../src/protocol/checksum.js';
import type { Frame, TestClient } from './client.js';

export interface BookDocument {
  bids: Record<string, string>;
  asks: Record<string, string>;
}

const FOLLOWED = /^(quotes|trades|orderbook|depth):/;

export class Documents {
  readonly document: { quotes: Record<string, Record<string, unknown>> } = { quotes: {} };
  readonly books = new Map<string, BookDocument>();
  readonly best = new Map<string, Frame>();
  readonly trades = new Map<string, Frame[]>();
  readonly positions = new Map<string, { readonly epoch: unknown; readonly seq: number }>();
  /** Deltas and events that followed what was held. */
  chained = 0;
  #taken = 0;

  /**
   * Applies the frames that came since the last call.
   * @param last the frame to end with; left out: the newest
   * @throws {Error} where one does not follow what is held.
   */
  follow(client: TestClient, last = client.frames.at(-1)): this {
    const end = last === undefined ? 0 : client.frames.lastIndexOf(last) + 1;
    for (; this.#taken < end; this.#taken++) {
      const frame = client.frames[this.#taken] as Frame;
      try {
        this.#apply(frame);
      } catch (cause) {
        throw new Error(`frame ${this.#taken} breaks the contract: ${JSON.stringify(frame).slice(0, 400)}`, { cause });
      }
    }
    return this;
  }

  #apply(frame: Frame): void {
    if (frame.type === 'quotes_patch') this.#quotes(frame);
    else if (frame.type === 'depth_patch') this.#depth(frame);
    else if (frame.type === 'orderbook_update') this.#orderbook(frame);
    else if (frame.type === 'trade_executed') this.#trade(frame);
    else if (frame.type === 'gap') this.#gap(frame);
    else if (frame.type === 'unsubscribed') for (const topic of frame.topics as string[]) this.#forget(topic);
  }

  #quotes(frame: Frame): void {
    if (frame.snapshot === true) {
      for (const [symbol, seq] of Object.entries(frame.seqs as Record<string, number>)) {
        this.positions.set(`quotes:${symbol}`, { epoch: frame.epoch, seq });
      }
    } else {
      this.#follows(`quotes:${frame.symbol}`, frame);
      this.#hold(`quotes:${frame.symbol}`, frame);
    }
    patch(this.document, frame.operations);
  }

  #depth(frame: Frame): void {
    const symbol = String(frame.symbol);
    if (frame.snapshot === true) this.books.set(symbol, { bids: {}, asks: {} });
    else this.#follows(`depth:${symbol}`, frame);
    this.#hold(`depth:${symbol}`, frame);
    const book = this.books.get(symbol) as BookDocument;
    patch(book, frame.operations);
    const own = bookChecksum(levels(book.asks, 1), levels(book.bids, -1));
    if (own !== frame.checksum) throw new Error(`checksum ${frame.checksum}, but the book held has ${own}`);
  }

  #orderbook(frame: Frame): void {
    const topic = `orderbook:${frame.symbol}`;
    if (frame.snapshot !== true) this.#follows(topic, frame);
    this.#hold(topic, frame);
    this.best.set(String(frame.symbol), frame);
  }

  #trade(frame: Frame): void {
    const symbol = String(frame.symbol);
    const held = this.positions.get(`trades:${symbol}`);
    if (held !== undefined && (held.epoch === undefined || held.epoch === frame.epoch)) {
      this.#follows(`trades:${symbol}`, { ...frame, epoch: held.epoch });
    }
    this.#hold(`trades:${symbol}`, frame);
    const seen = this.trades.get(symbol);
    if (seen === undefined) this.trades.set(symbol, [frame]);
    else seen.push(frame);
  }

  #gap(frame: Frame): void {
    const topic = String(frame.topic);
    // Of other streams the messages are not followed here, so their gaps cannot be either.
    if (!FOLLOWED.test(topic)) return;
    const held = this.positions.get(topic);
    const epoch = frame.epoch ?? held?.epoch;
    if (held !== undefined && held.epoch === epoch && frame.from !== held.seq + 1) {
      throw new Error(`the gap begins not behind ${held.seq}`);
    }
    this.positions.set(topic, { epoch, seq: Number(frame.to) });
  }

  #follows(topic: string, frame: Frame): void {
    const held = this.positions.get(topic);
    if (held === undefined) throw new Error(`${topic}: nothing is held that it could follow`);
    if (held.epoch !== frame.epoch) throw new Error(`${topic}: epoch ${held.epoch} is held`);
    if (held.seq !== frame.prev_seq) throw new Error(`${topic}: seq ${held.seq} is held`);
    if (!(Number(frame.seq) > held.seq)) throw new Error(`${topic}: seq does not grow`);
    this.chained++;
  }

  #hold(topic: string, frame: Frame): void {
    this.positions.set(topic, { epoch: frame.epoch, seq: Number(frame.seq) });
  }

  #forget(topic: string): void {
    this.positions.delete(topic);
    if (topic.startsWith('quotes:')) delete this.document.quotes[topic.slice('quotes:'.length)];
    if (topic.startsWith('depth:')) this.books.delete(topic.slice('depth:'.length));
    if (topic.startsWith('orderbook:')) this.best.delete(topic.slice('orderbook:'.length));
  }
}

/** Levels of one side from the best. @param sign 1: lowest price first, −1: highest first */
export function levels(side: Record<string, string>, sign: 1 | -1): [string, string][] {
  return Object.entries(side).sort(([a], [b]) => (Number(a) - Number(b)) * sign);
}

function patch(document: object, operations: unknown): void {
  const failure = applyPatch(document, operations as Operation[]).find(result => result !== null);
  if (failure !== undefined) throw new Error(`the patch does not fit: ${failure}`);
}
