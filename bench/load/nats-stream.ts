/**
 * Reads NATS's client protocol (docs.nats.io, "Client Protocol") from one connection: counts the payload of every `MSG`,
 * answers `PING`. Lines and payloads may be cut anywhere; nothing is allocated per message. An inspector gets the payloads.
 */
import type { FrameInspector, PayloadStream } from './frame-reader.js';
import { number } from './order-inspector.js';
import type { Tally } from './tally.js';

export interface NatsEvents {
  reply(bytes: Uint8Array): void;
  broken(reason: string): void;
}

/** nats-server's `max_control_line` is 4 kB; its INFO may be longer. */
const LINE_BYTES_MAX = 16 * 1024;
const LINE_BYTES_FIRST = 256;
const NEW_LINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const LETTER_M = 0x4d;
const PING = 'PING';
const ERROR = '-ERR';
const PONG = Buffer.from('PONG\r\n');
const END_OF_MESSAGE_BYTES = 2;

export class NatsStream implements PayloadStream {
  /** Bytes of the current message that are still to come, its line end included. */
  #skip = 0;
  #payloadBytes = 0;
  /** The start of a line that a read boundary has cut. */
  #line = new Uint8Array(LINE_BYTES_FIRST);
  #held = 0;
  /** The start of a payload that a read boundary has cut, for the inspector. */
  #payload = new Uint8Array(LINE_BYTES_FIRST);
  readonly #socket: number;
  readonly #tally: Tally;
  readonly #events: NatsEvents;
  readonly #inspector: FrameInspector | undefined;

  constructor(socket: number, tally: Tally, events: NatsEvents, inspector?: FrameInspector) {
    this.#socket = socket;
    this.#tally = tally;
    this.#events = events;
    this.#inspector = inspector;
  }

  take(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    while (at < to) {
      if (this.#skip > 0) {
        at += this.#takePayload(bytes, at, to);
        continue;
      }
      const end = bytes.indexOf(NEW_LINE, at);
      const isWhole = end >= 0 && end < to;
      const next = isWhole ? end + 1 : to;
      if (isWhole && this.#held === 0) this.#take(bytes, at, next);
      else if (!this.#hold(bytes, at, next)) return;
      else if (isWhole) this.#takeHeld();
      at = next;
    }
  }

  /** Returns how many bytes of the current message there are. */
  #takePayload(bytes: Uint8Array, at: number, to: number): number {
    const step = Math.min(this.#skip, to - at);
    const isWhole = step === this.#payloadBytes + END_OF_MESSAGE_BYTES;
    if (this.#inspector !== undefined && !isWhole) this.#keepPayload(bytes, at, step);
    this.#skip -= step;
    if (this.#skip > 0) return step;
    this.#tally.delivery(this.#payloadBytes);
    if (isWhole) this.#inspector?.inspect(this.#socket, bytes, at, at + this.#payloadBytes);
    else this.#inspector?.inspect(this.#socket, this.#payload, 0, this.#payloadBytes);
    return step;
  }

  #keepPayload(bytes: Uint8Array, at: number, step: number): void {
    const size = this.#payloadBytes + END_OF_MESSAGE_BYTES;
    if (this.#payload.length < size) this.#payload = new Uint8Array(size);
    this.#payload.set(bytes.subarray(at, at + step), size - this.#skip);
  }

  #takeHeld(): void {
    const held = this.#held;
    this.#held = 0;
    this.#take(this.#line, 0, held);
  }

  /** One whole line, its end included. */
  #take(bytes: Uint8Array, from: number, to: number): void {
    if (bytes[from] === LETTER_M) {
      // MSG <subject> <sid> [reply-to] <#bytes>: the last word counts.
      let at = to - 1;
      while (at > from && (bytes[at] === NEW_LINE || bytes[at] === CARRIAGE_RETURN)) at--;
      while (at > from && bytes[at] !== SPACE) at--;
      this.#payloadBytes = number(bytes, at + 1, to);
      this.#skip = this.#payloadBytes + END_OF_MESSAGE_BYTES;
      return;
    }
    this.#tally.other();
    const line = Buffer.from(bytes.subarray(from, to)).toString('latin1');
    if (line.startsWith(PING)) this.#events.reply(PONG);
    if (line.startsWith(ERROR)) this.#events.broken(line.trim());
  }

  #hold(bytes: Uint8Array, from: number, to: number): boolean {
    const size = this.#held + to - from;
    if (size > LINE_BYTES_MAX) {
      this.#events.broken(`a protocol line of more than ${LINE_BYTES_MAX} bytes`);
      return false;
    }
    if (size > this.#line.length) {
      const larger = new Uint8Array(Math.max(size, 2 * this.#line.length));
      larger.set(this.#line.subarray(0, this.#held));
      this.#line = larger;
    }
    this.#line.set(bytes.subarray(from, to), this.#held);
    this.#held = size;
    return true;
  }
}
