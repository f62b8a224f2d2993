/** A file of captured messages: which exchange each line is of, and what it says. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { type CapturedLine, readLine } from './exchange-json.js';
import type { MarketEvent, Shape } from './market-event.js';
import { Bitfinex } from './shapes/bitfinex.js';
import { Coinbase } from './shapes/coinbase.js';
import { Deribit } from './shapes/deribit.js';
import { KrakenV1, KrakenV2 } from './shapes/kraken.js';
import { Okx } from './shapes/okx.js';

/** What became of a line: `silent` ones are answers, heartbeats, or of channels that are not mapped. */
export type LineKind = 'mapped' | 'silent' | 'unknown' | 'not JSON';

interface ReadLine {
  readonly kind: LineKind;
  /** Of the exchange; '' where it is not known. */
  readonly shape: string;
  readonly events: readonly MarketEvent[];
  readonly receivedMicros: number | undefined;
}

/** Reads the lines of one capture, in order. */
export class CaptureReader {
  readonly #shapes: readonly Shape[] = [
    new KrakenV2(),
    new Okx(),
    new Deribit(),
    new Coinbase(),
    new KrakenV1(),
    new Bitfinex(),
  ];

  read(line: string): ReadLine {
    const captured = readLine(line);
    if (captured === undefined) return { kind: 'not JSON', shape: '', events: [], receivedMicros: undefined };
    return this.#shaped(captured);
  }

  #shaped({ message, receivedMicros }: CapturedLine): ReadLine {
    for (const shape of this.#shapes) {
      const events = shape.read(message);
      if (events === undefined) continue;
      return { kind: events.length > 0 ? 'mapped' : 'silent', shape: shape.name, events, receivedMicros };
    }
    return { kind: 'unknown', shape: '', events: [], receivedMicros };
  }
}

/** The lines of a file that say something; `.gz` is unpacked. */
export async function* linesOf(file: string): AsyncGenerator<string> {
  const raw = createReadStream(file);
  const input = file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  // A byte order mark is no part of the first line.
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    const text = line.replace(/^\ufeff/, '').trim();
    if (text !== '') yield text;
  }
}
