/**
 * Which trace the frames being written belong to. A traced message marks the frames written for it; where a class or an
 * array waits, it marks the frame that carries it later, which belongs to the newest of the messages merged in it.
 */
import { monotonicMicros } from '../protocol/wall-clock.js';
import { MERGED_TRACES_MAX, type TraceReportWriter } from '../threads/trace-reports.js';

/** Traces whose next frame is not written yet, the newest last. */
export type PendingTraces = number[];

const NONE: readonly number[] = [];

export class FrameTraces {
  /** The trace of the frames being written; 0: none. */
  current = 0;
  readonly #reports: TraceReportWriter | undefined;
  #merged = NONE;
  #startedMicros = 0;

  /** @param reports undefined: nothing is traced */
  constructor(reports: TraceReportWriter | undefined) {
    this.#reports = reports;
  }

  /** Takes a traced message from its batch. Frames belong to it until `end`. */
  begin(trace: number, source: number, seq: number): void {
    this.current = trace;
    this.#startedMicros = monotonicMicros();
    this.#reports?.taken(trace, source, seq, this.#startedMicros);
  }

  /** Notes that a later frame will carry the current message. */
  wait(pending: PendingTraces): void {
    if (this.current === 0 || pending.at(-1) === this.current) return;
    // The newest stays right: it is the one that the frame belongs to.
    if (pending.length > MERGED_TRACES_MAX) pending.pop();
    pending.push(this.current);
  }

  /** The next frame carries these messages, at least one. @returns the trace to go back to */
  resume(pending: PendingTraces): number {
    const before = this.current;
    this.#merged = pending.splice(0);
    this.current = (this.#merged as number[]).pop() ?? 0;
    this.#startedMicros = monotonicMicros();
    return before;
  }

  /** No more frames of this trace. @param before the trace that further frames belong to; 0: none */
  end(before = 0): void {
    this.current = before;
    this.#merged = NONE;
  }

  /** Reports a frame of the current trace. */
  wrote(source: number, lane: number, seq: number, bytes: number): void {
    this.#reports?.encoded(
      this.current,
      source,
      lane,
      seq,
      this.#startedMicros,
      monotonicMicros(),
      bytes,
      this.#merged,
    );
  }
}
