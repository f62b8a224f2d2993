/**
 * The hub's end of one encoder thread: a batch being filled, at most one being encoded. What arrives while the encoder
 * is busy is the next batch, so batches are small when there is little to do and large when there is much. No timer
 * stands on the realtime path, but where a worker is behind: what would wait for it in the ring waits here for a moment
 * instead, and is the next batch together, which leaves that worker more of the processor.
 *
 * The batch being filled is bounded. When it is full, state sources keep only their newest message (which the hub
 * retains anyway) and events are counted and announced as a `gap`.
 */
import { RestartPace } from '../../observe/restart-pace.js';
import { timeOfDayAt } from '../../protocol/wall-clock.js';
import type { BatchResult, HoldReason } from '../../threads/batch.js';
import type { RecordPlace } from '../../threads/progress.js';
import { BatchWriter, holdFlags, RecordKind } from '../../threads/records.js';
import { type LostRange, noteLost } from '../sources/lost-ranges.js';
import type { Source } from '../sources/source-table.js';
import { ClassTimers } from './class-timers.js';
import type { EncoderThread } from './encoder-thread.js';
import { EncoderWatch, WATCH_INTERVAL_MS } from './encoder-watch.js';
import { requeue } from './requeue.js';
import type { ShardOptions } from './shard-options.js';

/** Bytes that may wait for a busy encoder. */
export const QUEUE_BYTES_MAX = 32 * 1024 * 1024;
/** How long messages wait for each other while a worker is behind. */
const BEHIND_WAIT_MS = 4;
const BATCH_BYTES_INITIAL = 256 * 1024;
/** Batch memory larger than this is given up after use rather than filled again. */
const BATCH_BYTES_KEPT_MAX = 4 * 1024 * 1024;

export class Shard {
  /** Events refused because the queue was full. */
  eventsDropped = 0;
  /** State messages skipped in favour of a newer one because the queue was full. */
  statesSkipped = 0;
  restarts = 0;
  readonly classes: ClassTimers;
  /** Those that did not die, but hung. */
  hung = 0;
  /** Records and bytes handed to the encoder. */
  encodedRecords = 0;
  encodedBytes = 0;
  readonly index: number;
  /** Whether its thread hangs, or is stuck. */
  readonly watch: EncoderWatch;
  readonly #options: ShardOptions;
  readonly #queueBytesMax: number;
  readonly #pace: RestartPace;
  readonly #watching: NodeJS.Timeout;
  #thread: EncoderThread;
  #batch = new BatchWriter(new ArrayBuffer(BATCH_BYTES_INITIAL));
  #spare: ArrayBuffer | undefined;
  #busy = false;
  #rebuilding = false;
  #scheduled = false;
  #closed = false;
  /** Event sequences in the batch being filled and in the one being encoded, as source, seq, epoch (its count) triples. */
  #events: number[] = [];
  #eventsInFlight: number[] = [];
  /** The same of state messages, as source, order pairs. */
  #states: number[] = [];
  #statesInFlight: number[] = [];
  readonly #skipped = new Set<Source>();
  /** Of changes that found no room since the last batch. */
  #heldBytes = 0;
  readonly #lost = new Map<number, LostRange>();

  constructor(options: ShardOptions) {
    this.index = options.index;
    this.#options = options;
    this.#queueBytesMax = options.queueBytesMax ?? QUEUE_BYTES_MAX;
    this.classes = new ClassTimers(options.batchIntervalMs, c => this.control(RecordKind.flush, 0, c, 0));
    this.#pace = new RestartPace(options.stableAfterMs);
    this.#thread = this.#startThread();
    const stuck = `encoder ${options.index} is stuck`;
    this.watch = new EncoderWatch(options.hungAfterMs, () => options.onFault(stuck, 'in native code: its topics wait'));
    this.#watching = setInterval(() => this.#watchThread(), WATCH_INTERVAL_MS);
    this.#watching.unref();
  }

  /** Its threads keep dying. */
  get isCrashLoop(): boolean {
    return this.#pace.isCrashLoop;
  }

  get queuedBytes(): number {
    return this.#batch.bytes;
  }

  /** True when state messages must be left to `skipState` and events to `dropEvent`. */
  get isFull(): boolean {
    return this.#batch.bytes >= this.#queueBytesMax;
  }

  data(
    source: Source,
    payload: Uint8Array,
    seq: number,
    tsEventMicros: number,
    hubMicros: number,
    flags: number,
  ): void {
    const { retention } = source;
    // What was held back goes first.
    if (this.isFull || this.#skipped.has(source)) {
      if (retention === null) {
        this.eventsDropped++;
        noteLost(this.#lost, source.id, seq);
      } else {
        this.statesSkipped++;
        this.#skipped.add(source);
        retention.addSkipped(payload, seq, { tsEventMicros, hubMicros }, flags, this.#heldBytes >= this.#queueBytesMax);
        if (retention.keepsChanges) this.#heldBytes += payload.length;
      }
      return;
    }
    if (retention === null) this.#events.push(source.id, seq, source.epochs);
    else this.#states.push(source.id, retention.add(payload, seq, { tsEventMicros, hubMicros }, flags));
    this.#batch.append(RecordKind.data, source.id, seq, tsEventMicros, hubMicros, payload, flags);
    this.#schedule();
  }

  control(kind: RecordKind, source: number, lane: number, worker: number, a = 0, c = 0, flags = 0): void {
    this.#batch.append(kind, source, a, 0, c, undefined, flags, lane, worker);
    this.#schedule();
  }

  /** A message of a state source is lost, and none follows it yet. */
  lost(source: Source, reason: HoldReason): void {
    const hold = { reason, sinceMicros: timeOfDayAt(this.#options.nowMicros()) };
    this.#batch.append(RecordKind.lost, source.id, 0, hold.sinceMicros, 0, undefined, holdFlags(hold));
    this.#schedule();
  }

  /** One message of the past, for the one who asked. */
  replay(
    source: Source,
    payload: Uint8Array,
    seq: number,
    tsEventMicros: number,
    lane: number,
    asker: { readonly worker: number; readonly request: number },
  ): void {
    const { worker, request } = asker;
    this.#batch.append(RecordKind.replay, source.id, seq, tsEventMicros, request, payload, 0, lane, worker);
    this.#schedule();
  }

  text(kind: RecordKind, source: number, text: string, a = 0, b = 0): void {
    this.#batch.appendText(kind, source, text, a, b);
    this.#schedule();
  }

  /** The source is forgotten. */
  drop(source: Source): void {
    this.#skipped.delete(source);
    this.#lost.delete(source.id);
    this.control(RecordKind.drop, source.id, 0, 0);
  }

  /** The source's sequences count in another epoch from here on. What was to be announced as lost before says nothing in it. */
  beginEpoch(source: Source, epoch: string): void {
    this.#lost.delete(source.id);
    this.text(RecordKind.epoch, source.id, epoch);
  }

  /** Learns of a batch that is done, in a microtask. */
  look(): void {
    if (this.#busy && !this.#rebuilding) this.#thread.hurry();
  }

  /** Announces that events are lost; announced again should the encoder die of it. */
  gap(source: number, range: LostRange, reason: string): void {
    const epochs = this.#options.source(source)?.epochs ?? 0;
    this.#events.push(source, range.from, epochs, source, range.to, epochs);
    this.text(RecordKind.gap, source, reason, range.from, range.to);
  }

  /** Rebuilds a source's state in a new encoder, sending nothing. For an event source, the sequence it stands at. */
  restore(source: Source): void {
    if (source.retention === null) {
      if (source.encodedSeq > 0) this.control(RecordKind.resume, source.id, 0, 0, source.encodedSeq);
      return;
    }
    for (const { payload, seq, tsEventMicros, hubMicros, flags } of source.retention.takeAll()) {
      this.#batch.append(RecordKind.restore, source.id, seq, tsEventMicros, hubMicros, payload, flags);
    }
    this.#schedule();
  }

  /**
   * Takes over what waits after a crash: `rebuild` writes the state first, then events and requests that were still
   * waiting follow. State messages are left out: the rebuilt state is newer.
   */
  resume(rebuild: () => void): void {
    const waiting = this.#batch.take();
    const events = this.#events;
    this.#batch = new BatchWriter(new ArrayBuffer(BATCH_BYTES_INITIAL));
    this.#events = [];
    this.#states = [];
    this.#skipped.clear();
    rebuild();
    requeue(waiting.buffer, waiting.bytes, this.#options.source, this.#batch);
    for (const value of events) this.#events.push(value);
    this.#rebuilding = false;
    this.#busy = false;
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watching);
    this.classes.close();
    await this.watch.end(this.#thread);
  }

  #startThread(): EncoderThread {
    const thread = this.#options.startThread();
    this.#pace.started();
    thread.onDeath = cause => {
      if (thread === this.#thread) this.#crashed(cause);
    };
    return thread;
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.look();
    if (this.#busy) return;
    this.#scheduled = true;
    const dispatch = (): void => {
      this.#scheduled = false;
      if (!this.#busy && this.#batch.records > 0) this.#dispatch();
    };
    if (this.#options.isBehind()) setTimeout(dispatch, BEHIND_WAIT_MS);
    // A microtask runs when the feed has handed over all messages of one network read: they share a batch.
    else queueMicrotask(dispatch);
  }

  #dispatch(): void {
    if (this.#closed) return;
    this.#busy = true;
    const { buffer, bytes, records } = this.#batch.take();
    this.encodedRecords += records;
    this.encodedBytes += bytes;
    this.#batch = new BatchWriter(this.#spare ?? new ArrayBuffer(BATCH_BYTES_INITIAL));
    this.#spare = undefined;
    [this.#events, this.#eventsInFlight] = [this.#eventsInFlight, this.#events];
    this.#events.length = 0;
    [this.#states, this.#statesInFlight] = [this.#statesInFlight, this.#states];
    this.#states.length = 0;
    this.#thread.run({ buffer, bytes }).then(
      result => this.#completed(result),
      (cause: unknown) => this.#crashed(cause),
    );
    this.#catchUp();
  }

  #completed(result: BatchResult): void {
    if (result.buffer.byteLength <= BATCH_BYTES_KEPT_MAX) this.#spare = result.buffer;
    this.#busy = false;
    this.classes.arm(result.dueClasses);
    // Checkpoints first: what they make needless need not be confirmed.
    this.#options.onResult(result);
    this.#confirm();
    if (this.#batch.records > 0) this.#schedule();
  }

  #confirm(): void {
    for (const { source, seq } of this.#inFlight()) source.encodedSeq = seq;
    // The newest first: with it, all older ones of its source are done.
    for (let i = this.#statesInFlight.length - 2; i >= 0; i -= 2) {
      this.#options.source(this.#statesInFlight[i] ?? 0)?.retention?.confirm(this.#statesInFlight[i + 1] ?? 0);
    }
    this.#eventsInFlight.length = 0;
    this.#statesInFlight.length = 0;
  }

  /** The events being encoded whose epochs go on. */
  *#inFlight(): IterableIterator<{ source: Source; seq: number }> {
    for (let i = 0; i < this.#eventsInFlight.length; i += 3) {
      const source = this.#options.source(this.#eventsInFlight[i] ?? 0);
      if (source?.epochs !== this.#eventsInFlight[i + 2]) continue;
      yield { source: source as Source, seq: this.#eventsInFlight[i + 1] ?? 0 };
    }
  }

  #crashed(cause: unknown): void {
    if (this.#closed || this.#rebuilding) return;
    this.#rebuilding = true;
    this.#busy = true;
    this.restarts++;
    const lost = new Map<number, LostRange>();
    // Of an epoch that is over, nobody can be told more than that.
    for (const { source, seq } of this.#inFlight()) noteLost(lost, source.id, seq);
    this.#eventsInFlight.length = 0;
    this.#statesInFlight.length = 0;
    const error = cause instanceof Error ? cause : new Error(String(cause));
    void this.#replaceThread().then(
      at => this.#options.onCrash(error, lost, at),
      (failure: unknown) =>
        this.#options.onCrash(new Error('the dead encoder cannot be closed', { cause: failure }), lost, undefined),
    );
  }

  /** @returns the record that the thread died at */
  async #replaceThread(): Promise<RecordPlace | undefined> {
    const { progress } = this.#thread;
    const delayMs = this.#pace.died();
    // One writer a ring: the pool may have put a new thread, which knows nothing, in the place of the dead one.
    await this.watch.end(this.#thread);
    await new Promise(resolve => setTimeout(resolve, delayMs));
    if (!this.#closed) this.#thread = this.#startThread();
    return progress.place;
  }

  #watchThread(): void {
    this.look();
    if (!this.watch.isHung(this.#busy && !this.#rebuilding ? this.#thread : undefined)) return;
    this.hung++;
    this.#crashed(new Error(`hung: no progress for ${this.#options.hungAfterMs} ms`));
  }

  /** First in the new batch: what the full queue before it had no room for, up to what a batch may hold. */
  #catchUp(): void {
    this.#heldBytes = 0;
    for (const source of this.#skipped) {
      // The others are in the next batch.
      if (this.isFull) break;
      this.#skipped.delete(source);
      this.#appendNewest(source);
    }
    for (const [id, range] of this.#lost) this.gap(id, range, 'overload');
    this.#lost.clear();
  }

  /** The retained messages, all but the last quietly: one delta leads from what was sent to the newest. */
  #appendNewest(source: Source): void {
    const messages = source.retention?.takeAll() ?? [];
    messages.forEach(({ payload, seq, tsEventMicros, hubMicros, flags, order }, i) => {
      const isNewest = i === messages.length - 1;
      const kind = isNewest ? RecordKind.data : RecordKind.restore;
      this.#batch.append(kind, source.id, seq, tsEventMicros, hubMicros, payload, flags);
      if (isNewest) this.#states.push(source.id, order);
    });
  }
}
