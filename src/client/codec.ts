import { MillraceError } from './errors.js';
import type { ServerFrame } from './outcome.js';

/** MessagePack of the application's choice; the module `msgpackr` itself satisfies it. Maps become plain objects. */
export interface MessagePack {
  pack(value: unknown): Uint8Array;
  unpack(bytes: Uint8Array): unknown;
}

/** How one connection's messages are written and read. */
export class Codec {
  readonly #messagePack: MessagePack | undefined;

  /** @param messagePack undefined: JSON */
  constructor(messagePack: MessagePack | undefined) {
    this.#messagePack = messagePack;
  }

  /** @throws {MillraceError} `invalid_message` for what the format cannot hold, such as an object that contains itself. */
  encode(command: object): string | Uint8Array {
    try {
      return this.#messagePack === undefined ? JSON.stringify(command) : this.#messagePack.pack(command);
    } catch (cause) {
      throw new MillraceError('invalid_message', 'the command cannot be encoded', { cause });
    }
  }

  /**
   * The frames of one WebSocket message: analytics come as an array of them.
   * @throws {MillraceError} `malformed_frame`
   */
  decode(data: unknown): readonly ServerFrame[] {
    let value: unknown;
    try {
      value = typeof data === 'string' ? JSON.parse(data) : this.#unpack(data);
    } catch (cause) {
      throw new MillraceError('malformed_frame', 'a message cannot be decoded', { cause });
    }
    const frames: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (frames.every(isFrame)) return frames;
    throw new MillraceError('malformed_frame', 'a message is neither an object nor an array of objects');
  }

  #unpack(data: unknown): unknown {
    if (this.#messagePack === undefined) throw new Error('a binary message on a JSON connection');
    if (!(data instanceof ArrayBuffer)) throw new Error('the WebSocket does not give an ArrayBuffer');
    return this.#messagePack.unpack(new Uint8Array(data));
  }
}

function isFrame(value: unknown): value is ServerFrame {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
