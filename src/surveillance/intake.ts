/** From a publisher's message (ops/publishing.md) to the event that detectors watch. */
import { parseExact } from '../protocol/exact-json.js';
import { MsgpackReader } from '../protocol/msgpack-reader.js';
import { userOfToken } from '../protocol/user-subject.js';
import { Depths } from './depths.js';
import type { MarketEvent } from './events.js';
import { parseOrder, parseTrade } from './parse.js';

/** A message as it came from the feed. */
export interface RawMessage {
  /** Without the prefix of the deployment. */
  readonly subject: string;
  readonly payload: Uint8Array;
  /** The publisher's event time, µs since the Unix epoch; 0: unknown. */
  readonly tsEventMicros: number;
}

const ORDERS = 'orders.';
const TRADES = 'md.trades.';
const BOOKS = 'md.books.';
/** Subjects to watch, whatever clients follow. */
export const WATCHED_SUBJECTS: readonly string[] = [`${ORDERS}>`, `${TRADES}>`, `${BOOKS}>`];

export const isBook = (subject: string): boolean => subject.startsWith(BOOKS);
export const isWatched = (subject: string): boolean =>
  subject.startsWith(ORDERS) || subject.startsWith(TRADES) || isBook(subject);

/** A message whose own time is further from the time of day than this counts as having none. */
const CLOCK_DIFFERENCE_MICROS_MAX = 5 * 60 * 1_000_000;
/** The first byte of MessagePack maps; JSON begins below it. */
const MSGPACK_MIN = 0x80;

export class Intake {
  /** Messages that say too little to be watched, or cannot be read. */
  unreadable = 0;
  readonly #isLive: boolean;
  readonly #depths = new Depths();
  readonly #msgpack = new MsgpackReader();
  readonly #decoder = new TextDecoder();

  /** @param isLive whether messages are as new as they arrive; in a recording they are as old as they say */
  constructor(isLive: boolean) {
    this.#isLive = isLive;
  }

  /** @param receivedMicros µs since the Unix epoch. @returns undefined: there is nothing to watch in it */
  read({ subject, payload, tsEventMicros }: RawMessage, receivedMicros: number): MarketEvent | undefined {
    const message = this.#decode(payload);
    const fallbackMicros = this.#sane(tsEventMicros, receivedMicros);
    const event = message === undefined ? undefined : this.#event(subject, message, fallbackMicros);
    if (event === undefined) {
      // A change of a book before its first whole message is not an error.
      if (message === undefined || !isBook(subject)) this.unreadable++;
      return undefined;
    }
    const atMicros = this.#sane(event.atMicros, fallbackMicros);
    // A time far off would end seconds and windows too early, or never.
    return atMicros === event.atMicros ? event : { ...event, atMicros };
  }

  /** Messages of this subject were left out. */
  missed(subject: string): void {
    if (isBook(subject)) this.#depths.forget(subject.slice(BOOKS.length));
  }

  #event(subject: string, message: Readonly<Record<string, unknown>>, micros: number): MarketEvent | undefined {
    if (subject.startsWith(ORDERS)) {
      const user = userOfToken(subject.slice(ORDERS.length));
      return user === undefined ? undefined : parseOrder(message, user, micros);
    }
    if (isBook(subject)) return this.#depths.take(message, subject.slice(BOOKS.length), micros);
    return parseTrade(message, micros);
  }

  #sane(micros: number, receivedMicros: number): number {
    if (micros <= 0) return receivedMicros;
    if (!this.#isLive) return micros;
    return Math.abs(micros - receivedMicros) > CLOCK_DIFFERENCE_MICROS_MAX ? receivedMicros : micros;
  }

  #decode(payload: Uint8Array): Readonly<Record<string, unknown>> | undefined {
    try {
      const isBinary = (payload[0] ?? 0) >= MSGPACK_MIN;
      const value: unknown = isBinary
        ? this.#msgpack.read(payload, 0, payload.length)
        : // Ids may be numbers that a double cannot hold.
          parseExact(this.#decoder.decode(payload));
      const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
      return isMap ? (value as Readonly<Record<string, unknown>>) : undefined;
    } catch {
      // The encoder refuses it, too, and puts it where its publisher finds it.
      return undefined;
    }
  }
}
