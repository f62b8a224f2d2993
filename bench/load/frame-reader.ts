/**
 * Incremental reader of a server's WebSocket frames (RFC 6455 section 5.2), one per socket. A frame that lies whole in
 * what was read is counted where it lies; only what is cut by a read boundary keeps state. Nothing is allocated per frame.
 */
import type { Tally } from './tally.js';

/** Looks into whole payloads; slower, so only when order or latency is asked for. `bytes` is valid during the call. */
export interface FrameInspector {
  inspect(socket: number, bytes: Uint8Array, from: number, to: number): void;
}

/**
 * Takes the payloads of all data frames as one stream of bytes, for protocols whose messages do not end where frames do.
 * It does the counting then. `bytes` is valid during the call.
 */
export interface PayloadStream {
  take(bytes: Uint8Array, from: number, to: number): void;
}

/** What a reader says about its connection. `payload` is valid during the call. */
export interface ConnectionEvents {
  ping(payload: Uint8Array): void;
  close(code: number): void;
  broken(reason: string): void;
  /** A data frame of at most 125 bytes that is no delivery: a protocol's own ping, for instance. */
  aside?(payload: Uint8Array): void;
}

const HEADER_BYTES_MAX = 10;
const FRAME_BYTES_MAX = 64 * 1024 * 1024;
/** Control frames are never longer (RFC 6455 section 5.5), nor are the frames that protocols use for themselves. */
const CONTROL_BYTES_MAX = 125;
const FIN = 0x80;
const MASKED = 0x80;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
/** Close code of a close frame without one (RFC 6455 section 7.4.1). */
const NO_STATUS = 1005;

export class FrameReader {
  /** Set once the stream cannot be read on; later bytes are ignored. */
  broken = false;
  readonly #header = new Uint8Array(HEADER_BYTES_MAX);
  #headerHeld = 0;
  #opcode = 0;
  #payloadBytes = 0;
  #payloadLeft = 0;
  #markedByte = -1;
  #kept: Uint8Array | undefined;
  #keeping = false;
  readonly #socket: number;
  readonly #tally: Tally;
  readonly #events: ConnectionEvents;
  readonly #inspector: FrameInspector | undefined;
  readonly #stream: PayloadStream | undefined;

  constructor(
    socket: number,
    tally: Tally,
    events: ConnectionEvents,
    inspector: FrameInspector | undefined,
    stream?: PayloadStream,
  ) {
    this.#stream = stream;
    this.#socket = socket;
    this.#tally = tally;
    this.#events = events;
    this.#inspector = inspector;
  }

  /** Takes `chunk[start, end)`, the next bytes of the stream. */
  read(chunk: Uint8Array, start: number, end: number): void {
    let at = start;
    if (this.#payloadLeft > 0) at = this.#continuePayload(chunk, at, end);
    while (at < end && !this.broken) {
      if (this.#headerHeld > 0 || end - at < 2 || end - at < headerLength(chunk, at)) {
        at = this.#continueHeader(chunk, at, end);
        continue;
      }
      const from = at + headerLength(chunk, at);
      const size = payloadLength(chunk, at);
      const first = chunk[at] ?? 0;
      const masked = (chunk[at + 1] ?? 0) >= MASKED;
      if (from + size <= end && !masked && (first === (FIN | TEXT) || first === (FIN | BINARY))) {
        at = from + size;
        this.#wholeFrame(chunk, from, at);
      } else {
        at = this.#begin(chunk, at, chunk, from, end);
      }
    }
  }

  #wholeFrame(chunk: Uint8Array, from: number, to: number): void {
    if (this.#stream !== undefined) {
      this.#stream.take(chunk, from, to);
      return;
    }
    const mark = this.#tally.markOffset;
    const byte = mark >= 0 && mark < to - from ? (chunk[from + mark] ?? -1) : -1;
    if (!this.#tally.frame(byte, to - from) && to - from <= CONTROL_BYTES_MAX) {
      this.#events.aside?.(chunk.subarray(from, to));
    }
    this.#inspector?.inspect(this.#socket, chunk, from, to);
  }

  /** Gathers a header that a read boundary has cut. Returns where to read on. */
  #continueHeader(chunk: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end) {
      this.#header[this.#headerHeld++] = chunk[at++] ?? 0;
      if (this.#headerHeld < 2 || this.#headerHeld < headerLength(this.#header, 0)) continue;
      this.#headerHeld = 0;
      return this.#begin(this.#header, 0, chunk, at, end);
    }
    return at;
  }

  /** Starts the frame whose header is at `header[headerAt]` and whose payload is at `chunk[from]`. Returns where to read on. */
  #begin(header: Uint8Array, headerAt: number, chunk: Uint8Array, from: number, end: number): number {
    const size = payloadLength(header, headerAt);
    const first = header[headerAt] ?? 0;
    this.#opcode = first & 0x0f;
    const isData = this.#opcode === TEXT || this.#opcode === BINARY;
    const isControl = this.#opcode === CLOSE || this.#opcode === PING || this.#opcode === PONG;
    if (((header[headerAt + 1] ?? 0) & MASKED) !== 0) return this.#fail('a masked frame from the server', end);
    if ((first & 0x70) !== 0) return this.#fail('a reserved bit is set (a compressed frame?)', end);
    if ((first & FIN) === 0 || !(isData || isControl)) return this.#fail(`first byte ${first} of a frame`, end);
    if (size > (isControl ? CONTROL_BYTES_MAX : FRAME_BYTES_MAX)) return this.#fail(`a frame of ${size} bytes`, end);
    this.#payloadBytes = size;
    this.#payloadLeft = size;
    this.#markedByte = -1;
    const isAside = this.#events.aside !== undefined && size <= CONTROL_BYTES_MAX;
    this.#keeping = isControl || (this.#stream === undefined && (isAside || this.#inspector !== undefined));
    if (this.#keeping && (this.#kept === undefined || this.#kept.length < size)) this.#kept = new Uint8Array(size);
    return this.#continuePayload(chunk, from, end);
  }

  #continuePayload(chunk: Uint8Array, at: number, end: number): number {
    const take = Math.min(this.#payloadLeft, end - at);
    const isData = this.#opcode === TEXT || this.#opcode === BINARY;
    if (isData && take > 0) this.#stream?.take(chunk, at, at + take);
    const offset = this.#payloadBytes - this.#payloadLeft;
    const mark = this.#tally.markOffset - offset;
    if (mark >= 0 && mark < take) this.#markedByte = chunk[at + mark] ?? -1;
    if (this.#keeping) {
      const kept = this.#kept;
      for (let i = 0; kept !== undefined && i < take; i++) kept[offset + i] = chunk[at + i] ?? 0;
    }
    this.#payloadLeft -= take;
    if (this.#payloadLeft === 0) this.#finish();
    return at + take;
  }

  #finish(): void {
    const payload = this.#kept;
    if (this.#opcode === TEXT || this.#opcode === BINARY) {
      if (this.#stream !== undefined) return;
      const isDelivery = this.#tally.frame(this.#markedByte, this.#payloadBytes);
      if (!isDelivery && this.#keeping && this.#payloadBytes <= CONTROL_BYTES_MAX) {
        this.#events.aside?.((payload ?? this.#header).subarray(0, this.#payloadBytes));
      }
      if (payload !== undefined) this.#inspector?.inspect(this.#socket, payload, 0, this.#payloadBytes);
    } else if (this.#opcode === PING) {
      this.#events.ping((payload ?? this.#header).subarray(0, this.#payloadBytes));
    } else if (this.#opcode === CLOSE) {
      const code = this.#payloadBytes >= 2 ? ((payload?.[0] ?? 0) << 8) | (payload?.[1] ?? 0) : NO_STATUS;
      this.#events.close(code);
    }
  }

  #fail(reason: string, end: number): number {
    this.broken = true;
    this.#payloadLeft = 0;
    this.#events.broken(reason);
    return end;
  }
}

/** Length of the unmasked header whose first two bytes are at `at`. */
function headerLength(bytes: Uint8Array, at: number): number {
  const length = (bytes[at + 1] ?? 0) & 0x7f;
  return length < 126 ? 2 : length === 126 ? 4 : 10;
}

/** Payload length in the complete header at `at`; lengths beyond 2^53 lose precision and are refused by their size. */
function payloadLength(bytes: Uint8Array, at: number): number {
  const length = (bytes[at + 1] ?? 0) & 0x7f;
  if (length < 126) return length;
  if (length === 126) return ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
  let size = 0;
  for (let i = 2; i < 10; i++) size = size * 256 + (bytes[at + i] ?? 0);
  return size;
}
