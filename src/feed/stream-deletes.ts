/** Which sequences are missing between a stream's first and last: requested once for everyone who needs them. */
import type { JetStreamManager, StreamInfo } from 'nats';
import { epochOf } from './jetstream-stream.js';

/** A longer list costs the server, the network and this thread time: request it no more often than this. */
const LONG_LIST = 20_000;
const LONG_LIST_INTERVAL_MS = 1_000;

interface StreamDeletesOptions {
  /** The stream with the list of its deleted sequences. */
  readonly detailsOf: () => Promise<StreamInfo>;
  readonly nowMs: () => number;
}

export function detailsOf(manager: JetStreamManager, stream: string): Promise<StreamInfo> {
  return manager.streams.info(stream, { deleted_details: true });
}

/**
 * A deleted sequence stays deleted until the stream's first sequence has passed it. So an old list is still right about
 * every sequence in it, and it is complete as long as the stream's count of deleted messages matches.
 */
export class StreamDeletes {
  readonly #options: StreamDeletesOptions;
  /** Ascending. */
  #deleted = new Float64Array(0);
  #epoch = '';
  /** The stream's first sequence when the list was made: the list says nothing about earlier ones. */
  #firstSeq = Number.POSITIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(options: StreamDeletesOptions) {
    this.#options = options;
  }

  /**
   * False if a message with `afterSeq < seq ≤ toSeq` was deleted in the stream as described by `info`.
   * @throws {NatsError} if the server does not answer
   */
  async isWhole(info: StreamInfo, afterSeq: number, toSeq: number): Promise<boolean> {
    const { first_seq: firstSeq, num_deleted: count = 0 } = info.state;
    if (count === 0) return true;
    const isOfStream = (): boolean => epochOf(info) === this.#epoch;
    const isEnough = (): boolean => isOfStream() && this.#countFrom(firstSeq) === count;
    if (isOfStream() && this.#has(afterSeq, toSeq)) return false;
    // A request in flight may have been answered before `info`: only the next one certainly knows more.
    if (!isEnough()) await this.#asking?.catch(() => undefined);
    if (!isEnough()) await this.#ask();
    return isOfStream() && this.#firstSeq <= afterSeq + 1 && !this.#has(afterSeq, toSeq);
  }

  /** Concurrent callers share one request. */
  #ask(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askOnce(): Promise<void> {
    const { nowMs, detailsOf } = this.#options;
    const waitMs = this.#deleted.length > LONG_LIST ? this.#askedMs + LONG_LIST_INTERVAL_MS - nowMs() : 0;
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs));
    const info = await detailsOf();
    this.#askedMs = nowMs();
    this.#deleted = Float64Array.from(info.state.deleted ?? []).sort();
    this.#firstSeq = info.state.first_seq;
    this.#epoch = epochOf(info);
  }

  #has(afterSeq: number, toSeq: number): boolean {
    return (this.#deleted[this.#placeFrom(afterSeq + 1)] ?? Number.POSITIVE_INFINITY) <= toSeq;
  }

  #countFrom(seq: number): number {
    return this.#deleted.length - this.#placeFrom(seq);
  }

  /** Index of the first deleted sequence from `seq` on. */
  #placeFrom(seq: number): number {
    let [low, high] = [0, this.#deleted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#deleted[middle] ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
