import { mayHoldLongNumber, parseLong, stringifyExact } from '../protocol/exact-json.js';
import { MillraceError } from './errors.js';
import { IntegerReader, type Integers, packable } from './integers.js';
import type { ServerFrame } from './outcome.js';

/**
 * A MessagePack library of the application's choice; the module `msgpackr` itself fits. Maps must become plain objects.
 * Whole numbers beyond 2^53 are exact if the library reads and writes them as `bigint`, as `msgpackr` does.
 */
export interface MessagePack {
  pack(value: unknown): Uint8Array;
  unpack(bytes: Uint8Array): unknown;
}

/** Encodes and decodes the messages of one connection. */
export class Codec {
  readonly #messagePack: MessagePack | undefined;
  readonly #integers: IntegerReader;

  /** @param messagePack undefined: JSON */
  constructor(messagePack: MessagePack | undefined, integers: Integers) {
    this.#messagePack = messagePack;
    this.#integers = new IntegerReader(integers);
  }

  /**
   * Writes a `bigint` as a whole number.
   * @throws {MillraceError} `invalid_message` for what the format cannot represent, such as a circular object.
   */
  encode(command: object): string | Uint8Array {
    try {
      return this.#messagePack === undefined ? stringifyExact(command) : this.#messagePack.pack(packable(command));
    } catch (cause) {
      throw new MillraceError('invalid_message', 'the command cannot be encoded', { cause });
    }
  }

  /**
   * The frames of one WebSocket message: analytics arrive as an array. Whole numbers in their content follow the option
   * `integers`.
   * @throws {MillraceError} `malformed_frame`
   */
  decode(data: unknown): readonly ServerFrame[] {
    try {
      // Most messages contain no number that a double would alter: the platform's parser handles them alone.
      if (typeof data !== 'string') return this.#exact(framesOf(this.#unpack(data)));
      if (mayHoldLongNumber(data)) return this.#exact(framesOf(parseLong(data)));
      const frames = framesOf(JSON.parse(data));
      return this.#integers.changesNumbers ? this.#exact(frames) : frames;
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause;
      throw new MillraceError('malformed_frame', 'a message cannot be decoded', { cause });
    }
  }

  #exact(frames: readonly ServerFrame[]): readonly ServerFrame[] {
    for (const frame of frames) this.#integers.apply(frame);
    return frames;
  }

  #unpack(data: unknown): unknown {
    if (this.#messagePack === undefined) throw new Error('a binary message on a JSON connection');
    if (!(data instanceof ArrayBuffer)) throw new Error('the WebSocket does not deliver an ArrayBuffer');
    return this.#messagePack.unpack(new Uint8Array(data));
  }
}

function framesOf(value: unknown): readonly ServerFrame[] {
  const frames: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (frames.every(isFrame)) return frames;
  throw new MillraceError('malformed_frame', 'a message is neither an object nor an array of objects');
}

function isFrame(value: unknown): value is ServerFrame {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
