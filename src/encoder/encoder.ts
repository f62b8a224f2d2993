/** One shard: keeps the state of its sources, takes batches from the hub, and writes frames into its ring. */
import { readWrittenOut } from '../protocol/amount.js';
import { ALL_TRADES_SOURCE } from '../protocol/topics.js';
import {
  type BatchOutcome,
  type Checkpoint,
  type EncoderThreadData,
  type Hold,
  newOutcome,
  type RejectReason,
} from '../threads/batch.js';
import { BATCHES_DUE } from '../threads/lanes.js';
import { ProgressWriter } from '../threads/progress.js';
import {
  BatchReader,
  FLAG_CHECKPOINT,
  FLAG_INCOMPLETE,
  FLAG_LOSS_BEFORE,
  FLAG_NEW_EPOCH,
  holdOf,
  RecordKind,
} from '../threads/records.js';
import { FrameKind, RingWriter } from '../threads/ring.js';
import { TraceReportWriter } from '../threads/trace-reports.js';
import { AllTrades } from './all-trades.js';
import { BookLevels } from './book-levels.js';
import { CheckpointPace } from './checkpoint-pace.js';
import { decodePayload } from './decode.js';
import { EVENT_KINDS } from './event-kinds.js';
import { EventSource, type EventSourceParts } from './event-source.js';
import { FrameEncoder, newOrigin } from './frame-encoder.js';
import { FrameTraces } from './frame-traces.js';
import { createSource } from './new-source.js';
import { applied, type MessageTimes, type Rebuild, type SourceEncoder } from './source.js';

/** Most refused messages per batch that are dead-lettered; the rest are only counted. */
const REJECTED_MAX = 4096;
const FAILURES_MAX = 8;
const EVERY_WORKER = -1;

const textEncoder = new TextEncoder();

interface Entry {
  readonly encoder: SourceEncoder;
  readonly pace: CheckpointPace;
  /** The hold that the hub knows of. */
  hold: Hold | null;
}

export class ShardEncoder {
  readonly #ring: RingWriter;
  readonly #out: FrameEncoder;
  readonly #reader = new BatchReader();
  readonly #sources: (Entry | undefined)[] = [];
  readonly #allTrades = new AllTrades();
  readonly #events: EventSourceParts;
  /** Sources with something to send at the next flush, by class; the last list has those with a batch of events. */
  readonly #due: { flush(rateClass: number): void }[][] = Array.from({ length: BATCHES_DUE + 1 }, () => []);
  /** Classes that the hub knows are due, as bits: it flushes them on time. */
  #dueKnown = 0;
  readonly #progress: ProgressWriter;
  readonly #times = { seq: 0, tsEventMicros: 0, hubMicros: 0, bytes: 0 };
  readonly #messageBytesMax: number;
  readonly #bookLevels: BookLevels;

  /** @param nowMicros µs since the Unix epoch */
  constructor(data: Omit<EncoderThreadData, 'handoffSlot'>, nowMicros: () => number) {
    const { ring, doorbells, batchMax, messageBytesMax, bookLevelsMax, progress, traces } = data;
    this.#bookLevels = new BookLevels(bookLevelsMax);
    this.#messageBytesMax = messageBytesMax;
    this.#progress = new ProgressWriter(progress);
    this.#ring = new RingWriter(ring, doorbells);
    const reports = traces === undefined ? undefined : new TraceReportWriter(traces);
    this.#out = new FrameEncoder(this.#ring, nowMicros, new FrameTraces(reports));
    this.#events = {
      out: this.#out,
      allTrades: this.#allTrades,
      batchMax,
      markBatch: source => this.#due[BATCHES_DUE]?.push(source),
    };
    this.#progress.idle();
    // Readers of this ring may hold documents of a previous encoder.
    const nothing = new Uint8Array(0);
    this.#ring.append(FrameKind.rebuilt, 0, 0, EVERY_WORKER, 0, 0, 0, 0, nothing, nothing, 0, 0);
    this.#ring.commit();
  }

  /** Processes the records in order and commits the frames. One bad record never affects another. */
  process(buffer: ArrayBuffer, bytes: number): BatchOutcome {
    const started = performance.now();
    const framesBefore = this.#out.frames;
    const bytesBefore = this.#out.bytes;
    const payloads = Buffer.from(buffer);
    const result = newOutcome();
    this.#reader.open(buffer, bytes);
    while (this.#reader.next()) {
      this.#progress.at(this.#reader.kind, this.#reader.source, this.#reader.a);
      try {
        this.#record(payloads, result);
      } catch (cause) {
        this.#failed(payloads, cause, result);
      }
      if (this.#out.traces.current !== 0) this.#out.traces.end();
    }
    this.#progress.idle();
    this.#ring.commit();
    result.dueClasses = this.#newlyDue();
    result.frames = this.#out.frames - framesBefore;
    result.frameBytes = this.#out.bytes - bytesBefore;
    result.busyMicros = (performance.now() - started) * 1000;
    return result;
  }

  #newlyDue(): number {
    let due = 0;
    for (let c = 1; c <= BATCHES_DUE; c++) if ((this.#due[c]?.length ?? 0) > 0) due |= 1 << c;
    const newly = due & ~this.#dueKnown;
    this.#dueKnown |= newly;
    return newly;
  }

  #record(payloads: Buffer, result: BatchOutcome): void {
    const r = this.#reader;
    const end = r.payloadStart + r.payloadBytes;
    switch (r.kind) {
      case RecordKind.data:
        if (r.worker !== 0) this.#out.traces.begin(r.worker, r.source, r.a);
        this.#data(payloads, false, result);
        break;
      case RecordKind.restore:
        this.#data(payloads, true, result);
        break;
      case RecordKind.define:
        this.#define(r.source, payloads.toString('utf8', r.payloadStart, end));
        break;
      case RecordKind.epoch:
        this.#sources[r.source]?.encoder.beginEpoch(payloads.toString('utf8', r.payloadStart, end));
        break;
      case RecordKind.want:
        if (r.source === ALL_TRADES_SOURCE) this.#allTrades.want(r.lane, r.worker);
        else this.#sources[r.source]?.encoder.want(r.lane, r.worker);
        break;
      case RecordKind.unwant:
        if (r.source === ALL_TRADES_SOURCE) this.#allTrades.unwant(r.lane, r.worker);
        else this.#sources[r.source]?.encoder.unwant(r.lane, r.worker);
        break;
      case RecordKind.snapshot:
        this.#snapshot();
        break;
      case RecordKind.flush:
        this.#flush(r.lane);
        break;
      case RecordKind.gap:
        this.#sources[r.source]?.encoder.gap(r.a, r.b, payloads.toString('utf8', r.payloadStart, end));
        break;
      case RecordKind.resume:
        this.#sources[r.source]?.encoder.resume(r.a);
        break;
      case RecordKind.replayBegin:
      case RecordKind.replay:
      case RecordKind.replayEnd:
        this.#replay(payloads);
        break;
      case RecordKind.drop:
        this.#sources[r.source]?.encoder.drop();
        this.#sources[r.source] = undefined;
        break;
      case RecordKind.capture:
        this.#capture(result);
        break;
      case RecordKind.lost:
        this.#lost(result);
        break;
      case RecordKind.forget:
        this.#allTrades.forget(r.worker);
        for (const entry of this.#sources) entry?.encoder.forget(r.worker);
        break;
      default:
        throw new Error(`record of unknown kind ${r.kind}: hub and encoder disagree on the batch layout`);
    }
  }

  #data(payloads: Buffer, quiet: boolean, result: BatchOutcome): void {
    const r = this.#reader;
    const entry = this.#sources[r.source];
    if (entry === undefined) throw new Error(`data for source ${r.source}, which was never defined`);
    const { encoder } = entry;
    // Restored data was accepted once, or is a checkpoint, which may exceed the message limit.
    const isCheckpoint = (r.flags & FLAG_CHECKPOINT) !== 0;
    const bytesMax = quiet || isCheckpoint ? Number.POSITIVE_INFINITY : this.#messageBytesMax;
    const decoded = decodePayload(payloads, r.payloadStart, r.payloadBytes, bytesMax);
    const hold = holdOf(r.flags, r.b);
    if ((r.flags & FLAG_LOSS_BEFORE) !== 0) {
      encoder.lost((r.flags & FLAG_NEW_EPOCH) !== 0 ? 'no_snapshot' : 'publisher_gap');
    }
    const times = this.#timesOf(hold === null ? r.b : 0);
    const outcome = isCheckpoint
      ? readWrittenOut(() => applied(encoder, decoded, times, quiet))
      : applied(encoder, decoded, times, quiet);
    if (hold !== null) encoder.holdBack(hold, true);
    const isApplied = outcome === 'applied';
    if (outcome === 'no_base') result.withoutBase++;
    else if (outcome !== 'applied' && !quiet) this.#reject(outcome, payloads, result);
    this.#noteHold(entry, result);
    // The hub assumes that the newest message rebuilds the source; one that was not applied does not.
    if (entry.pace.isFirst) this.#checkpoint(entry, !isApplied, result);
    else if (entry.pace.isDue(r.payloadBytes)) this.#checkpoint(entry, false, result);
  }

  #timesOf(tsEventMicros: number): MessageTimes {
    const r = this.#reader;
    const times = this.#times;
    times.seq = r.a;
    times.tsEventMicros = tsEventMicros;
    times.hubMicros = r.c;
    times.bytes = r.payloadBytes;
    return times;
  }

  #lost(result: BatchOutcome): void {
    const r = this.#reader;
    const entry = this.#sources[r.source];
    const hold = holdOf(r.flags, r.b);
    if (entry === undefined || hold === null) return;
    entry.encoder.holdBack(hold, false);
    this.#noteHold(entry, result);
  }

  /** Tells the hub of a changed hold; it counts the held sources. */
  #noteHold(entry: Entry, result: BatchOutcome): void {
    const { hold } = entry.encoder;
    if (hold === entry.hold) return;
    entry.hold = hold;
    result.holds.push({ source: this.#reader.source, hold });
  }

  #replay(payloads: Buffer): void {
    const r = this.#reader;
    const source = this.#sources[r.source]?.encoder;
    if (!(source instanceof EventSource)) throw new Error(`replay of source ${r.source}, which is not one of events`);
    if (r.kind === RecordKind.replayBegin) {
      source.beginReplay(r.lane, r.worker, r.c, r.a);
    } else if (r.kind === RecordKind.replay) {
      const decoded = decodePayload(payloads, r.payloadStart, r.payloadBytes, this.#messageBytesMax);
      source.replay(typeof decoded === 'string' ? undefined : decoded, r.a, r.b, r.payloadBytes, r.c);
    } else {
      source.endReplay(r.lane, r.worker, r.c, (r.flags & FLAG_INCOMPLETE) === 0);
    }
  }

  #failed(payloads: Buffer, cause: unknown, result: BatchOutcome): void {
    const failure = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    if (result.failures.length < FAILURES_MAX) result.failures.push(failure);
    if (this.#reader.kind !== RecordKind.data) {
      this.#answerFailed();
      return;
    }
    this.#reject('internal', payloads, result);
    const entry = this.#sources[this.#reader.source];
    if (entry === undefined) return;
    // What was done with it is unknown: it counts as lost.
    entry.encoder.refused('internal', this.#timesOf(0), false);
    this.#noteHold(entry, result);
  }

  /** Answers every pending request, even if something failed on the way. */
  #answerFailed(): void {
    const r = this.#reader;
    const source = this.#sources[r.source]?.encoder;
    if (!(source instanceof EventSource)) return;
    try {
      if (r.kind === RecordKind.replayBegin || r.kind === RecordKind.replay) source.failReplay(r.c);
      else if (r.kind === RecordKind.replayEnd) source.endReplay(r.lane, r.worker, r.c, false);
      // The answer no longer waits behind what could not be sent.
      else if (r.kind === RecordKind.snapshot) source.snapshot(r.lane, r.worker, r.a);
    } catch {
      // The first failure was reported; the worker's own time limit ends unanswered requests.
    }
  }

  #reject(reason: RejectReason, payloads: Buffer, result: BatchOutcome): void {
    if (result.rejected.length < REJECTED_MAX) {
      result.rejected.push({ source: this.#reader.source, reason, payload: this.#payloadCopy(payloads) });
      return;
    }
    result.rejectedMore ??= new Map();
    result.rejectedMore.set(reason, (result.rejectedMore.get(reason) ?? 0) + 1);
  }

  #payloadCopy(payloads: Buffer): Uint8Array {
    return new Uint8Array(
      payloads.subarray(this.#reader.payloadStart, this.#reader.payloadStart + this.#reader.payloadBytes),
    );
  }

  #checkpoint(entry: Entry, isNeeded: boolean, result: BatchOutcome): void {
    const checkpoint = entry.encoder.checkpoint(isNeeded);
    // Only whole messages so far: try again at the next one.
    if (checkpoint === undefined) return;
    entry.pace.written(checkpoint.text.length);
    result.checkpoints.push(checkpointOf(this.#reader.source, checkpoint));
  }

  #capture(result: BatchOutcome): void {
    const { source } = this.#reader;
    const capture = this.#sources[source]?.encoder.capture();
    if (capture !== undefined) result.captures.push(checkpointOf(source, capture));
  }

  #snapshot(): void {
    const r = this.#reader;
    if (r.source !== ALL_TRADES_SOURCE) {
      this.#sources[r.source]?.encoder.snapshot(r.lane, r.worker, r.a, r.c);
      return;
    }
    // First the position of every trades topic, then the answer itself.
    for (const entry of this.#sources) {
      const source = entry?.encoder;
      if (source instanceof EventSource && source.kind === EVENT_KINDS.trades) {
        source.snapshot(r.lane, r.worker, r.a);
      }
    }
    this.#out.emitEmpty(FrameKind.ready, r.lane, 1 << r.worker, { ...newOrigin(ALL_TRADES_SOURCE), request: r.a });
  }

  #flush(rateClass: number): void {
    const due = this.#due[rateClass];
    if (due === undefined) return;
    this.#dueKnown &= ~(1 << rateClass);
    for (const source of due.splice(0)) source.flush(rateClass);
  }

  #define(id: number, name: string): void {
    if (id === ALL_TRADES_SOURCE || this.#sources[id] !== undefined) return;
    const markDue = (rateClass: number, source: SourceEncoder) => this.#due[rateClass]?.push(source);
    const parts = { out: this.#out, markDue, bookLevels: this.#bookLevels, events: this.#events };
    this.#sources[id] = { encoder: createSource(id, name, parts), pace: new CheckpointPace(), hold: null };
  }
}

function checkpointOf(source: number, { text, ...place }: Rebuild): Checkpoint {
  return { source, ...place, payload: textEncoder.encode(text) };
}
