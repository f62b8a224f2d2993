/** Processes what encoders report for each finished batch: counts it, stores it, passes it on. */
import type { BatchResult, Checkpoint, RejectReason } from '../threads/batch.js';
import type { Holds } from './holds.js';
import type { HubCounters, HubOptions } from './hub-options.js';
import type { SubjectTable } from './sources/subject-table.js';

interface ResultsOptions extends Pick<HubOptions, 'onRejected' | 'onFault'> {
  readonly counters: HubCounters;
  readonly holds: Holds;
  readonly subjects: SubjectTable;
  /** An encoder wrote a document that was asked for. */
  readonly onCapture: (capture: Checkpoint) => void;
}

export class Results {
  readonly #options: ResultsOptions;

  constructor(options: ResultsOptions) {
    this.#options = options;
  }

  /** @param shard whose encoder reports it */
  take(result: BatchResult, shard: number): void {
    const { counters: c, holds, subjects, onFault, onCapture } = this.#options;
    c.batches++;
    c.frames += result.frames;
    c.frameBytes += result.frameBytes;
    const { busyMicros, heapUsedBytes, heapLimitBytes } = result;
    const before = c.encoders[shard]?.busyMicros ?? 0;
    c.encoders[shard] = { busyMicros: before + busyMicros, heapUsedBytes, heapLimitBytes };
    c.withoutBase += result.withoutBase;
    for (const { source, reason, payload } of result.rejected) {
      const subject = subjects.get(source);
      // What is refused late was refused before.
      if (subject === undefined || subject.delayMs === 0) this.refuse(subject?.name ?? '', payload, reason);
    }
    for (const [reason, count] of result.rejectedMore ?? []) this.#count(reason, count);
    for (const checkpoint of result.checkpoints) {
      const s = subjects.get(checkpoint.source);
      if (s?.epoch === checkpoint.epoch) s.retention?.checkpoint(checkpoint);
    }
    for (const capture of result.captures) onCapture(capture);
    for (const { source, hold } of result.holds) {
      const s = subjects.get(source);
      if (s !== undefined) holds.change(s, hold);
    }
    for (const failure of result.failures) onFault('encoder failed on a record', failure);
  }

  /** A message is rejected, by an encoder or before one sees it. */
  refuse(subject: string, payload: Uint8Array, reason: RejectReason): void {
    this.#count(reason, 1);
    this.#options.onRejected(subject, payload, reason);
  }

  #count(reason: RejectReason, count: number): void {
    const { rejected } = this.#options.counters;
    rejected.set(reason, (rejected.get(reason) ?? 0) + count);
  }
}
