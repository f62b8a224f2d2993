/**
 * What is held back for one delay, oldest first: records in chunks of memory that are allocated as needed and freed as
 * they empty. All queues of a kind share one bound of bytes.
 *
 * Record: 40-byte header, payload, padding to 8 bytes.
 * `0 f64 due µs · 8 f64 a · 16 f64 b · 24 u32 topic · 28 u32 payload bytes · 32 u32 kind`
 */
import { align8 } from '../../protocol/align8.js';

const HEADER_BYTES = 40;
const CHUNK_BYTES_MAX = 256 * 1024;
/** So many fit into the memory, so that it fills and empties in steps. */
const CHUNKS_MIN = 16;
const NO_PAYLOAD = new Uint8Array(0);

/** Bytes allocated by the queues that share it. */
export interface DelayMemory {
  readonly max: number;
  used: number;
}

interface Chunk {
  readonly bytes: Uint8Array;
  readonly f64: Float64Array;
  readonly u32: Uint32Array;
  end: number;
}

export class DelayQueue {
  /** Fields of the record that `next` moved to; the payload is valid until the next call. */
  dueMicros = 0;
  a = 0;
  b = 0;
  topic = 0;
  kind = 0;
  payload: Uint8Array = NO_PAYLOAD;
  readonly #memory: DelayMemory;
  readonly #chunkBytes: number;
  readonly #chunks: Chunk[] = [];
  /** Where the oldest record begins in the first chunk. */
  #start = 0;
  #records = 0;

  constructor(memory: DelayMemory) {
    this.#memory = memory;
    this.#chunkBytes = align8(Math.min(CHUNK_BYTES_MAX, Math.floor(memory.max / CHUNKS_MIN)));
  }

  get records(): number {
    return this.#records;
  }

  /**
   * Copies a record in. Due times never decrease.
   * @returns false if the memory is used up: nothing was added
   */
  add(dueMicros: number, topic: number, kind: number, a: number, b: number, payload: Uint8Array = NO_PAYLOAD): boolean {
    const total = HEADER_BYTES + align8(payload.length);
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.end + total > chunk.bytes.length) {
      chunk = this.#allocate(Math.max(this.#chunkBytes, total));
      if (chunk === undefined) return false;
    }
    const at = chunk.end;
    chunk.f64[at >> 3] = dueMicros;
    chunk.f64[(at + 8) >> 3] = a;
    chunk.f64[(at + 16) >> 3] = b;
    chunk.u32[(at + 24) >> 2] = topic;
    chunk.u32[(at + 28) >> 2] = payload.length;
    chunk.u32[(at + 32) >> 2] = kind;
    chunk.bytes.set(payload, at + HEADER_BYTES);
    chunk.end += total;
    this.#records++;
    return true;
  }

  /** Takes the oldest record, if it is due. */
  next(nowMicros: number): boolean {
    let chunk = this.#chunks[0];
    if (chunk === undefined) return false;
    if (this.#start >= chunk.end) {
      this.#free();
      chunk = this.#chunks[0];
      if (chunk === undefined) return false;
    }
    const at = this.#start;
    const dueMicros = chunk.f64[at >> 3] ?? Number.POSITIVE_INFINITY;
    if (dueMicros > nowMicros) return false;
    const length = chunk.u32[(at + 28) >> 2] ?? 0;
    this.dueMicros = dueMicros;
    this.a = chunk.f64[(at + 8) >> 3] ?? 0;
    this.b = chunk.f64[(at + 16) >> 3] ?? 0;
    this.topic = chunk.u32[(at + 24) >> 2] ?? 0;
    this.kind = chunk.u32[(at + 32) >> 2] ?? 0;
    this.payload = chunk.bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
    this.#start = at + HEADER_BYTES + align8(length);
    this.#records--;
    return true;
  }

  #allocate(bytes: number): Chunk | undefined {
    if (this.#memory.used + bytes > this.#memory.max) return undefined;
    this.#memory.used += bytes;
    const buffer = new ArrayBuffer(bytes);
    const chunk = {
      bytes: new Uint8Array(buffer),
      f64: new Float64Array(buffer),
      u32: new Uint32Array(buffer),
      end: 0,
    };
    this.#chunks.push(chunk);
    return chunk;
  }

  #free(): void {
    const freed = this.#chunks.shift();
    this.#memory.used -= freed?.bytes.length ?? 0;
    this.#start = 0;
  }
}
