/**
 * The hub's side of one encoder thread: one batch being filled, at most one being encoded. Whatever arrives while the
 * encoder is busy forms the next batch, so batches are small under light load and large under heavy load. The realtime
 * path has no timer, except when a worker is behind: then messages that would wait in the ring wait here briefly
 * instead and form one batch, which leaves that worker more CPU time.
 *
 * The batch being filled is bounded. When it is full, state subjects keep only their newest message (which the hub
 * retains anyway), and events are counted and announced as a `gap`.
 */
import { RestartPace } from '../../observe/restart-pace.js';
import { timeOfDayAt } from '../../protocol/wall-clock.js';
import type { BatchResult, StaleReason } from '../../threads/batch.js';
import type { StartedRecord } from '../../threads/progress.js';
import { BatchWriter, holdFlags, RecordKind } from '../../threads/records.js';
import { type LostRange, noteLost } from '../sources/lost-ranges.js';
import type { Subject } from '../sources/subject-table.js';
import { ClassTimers } from './class-timers.js';
import type { EncoderThread } from './encoder-thread.js';
import { EncoderWatch, WATCH_INTERVAL_MS } from './encoder-watch.js';
import { requeue } from './requeue.js';
import type { ShardOptions } from './shard-options.js';

/** Maximum bytes waiting for a busy encoder. */
export const QUEUE_BYTES_MAX = 32 * 1024 * 1024;
/** How long messages wait for each other while a worker is behind. */
const LAGGING_WAIT_MS = 4;
const BATCH_BYTES_INITIAL = 256 * 1024;
/** A larger batch buffer is released after use instead of reused. */
const BATCH_BYTES_KEPT_MAX = 4 * 1024 * 1024;

export class Shard {
  /** Events dropped because the queue was full. */
  eventsDropped = 0;
  /** State messages skipped in favour of a newer one because the queue was full. */
  statesSkipped = 0;
  restarts = 0;
  readonly classes: ClassTimers;
  /** Those that hung instead of dying. */
  hung = 0;
  /** Records and bytes handed to the encoder. */
  encodedRecords = 0;
  encodedBytes = 0;
  readonly index: number;
  /** Whether its thread hangs or is stuck. */
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
  /**
   * Event sequences in the batch being filled and in the one being encoded, as triples of subject, seq and epoch count.
   */
  #events: number[] = [];
  #eventsInFlight: number[] = [];
  /** The same for state messages, as pairs of subject and order. */
  #states: number[] = [];
  #statesInFlight: number[] = [];
  readonly #skipped = new Set<Subject>();
  /** Bytes of changes that found no room since the last batch. */
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
    this.watch = new EncoderWatch(options.hungAfterMs, () => options.onFault(stuck, 'in native code; its topics wait'));
    this.#watching = setInterval(() => this.#watchThread(), WATCH_INTERVAL_MS);
    this.#watching.unref();
  }

  /** True when its threads keep dying. */
  get isCrashLoop(): boolean {
    return this.#pace.isCrashLoop;
  }

  get queuedBytes(): number {
    return this.#batch.bytes;
  }

  /** True when state messages must go to `skipState` and events to `dropEvent`. */
  get isFull(): boolean {
    return this.#batch.bytes >= this.#queueBytesMax;
  }

  data(
    subject: Subject,
    payload: Uint8Array,
    seq: number,
    tsEventMicros: number,
    hubMicros: number,
    flags: number,
    trace = 0,
  ): void {
    const { retention } = subject;
    // Skipped messages go first.
    if (this.isFull || this.#skipped.has(subject)) {
      if (retention === null) {
        this.eventsDropped++;
        noteLost(this.#lost, subject.id, seq);
      } else {
        this.statesSkipped++;
        this.#skipped.add(subject);
        retention.addSkipped(payload, seq, { tsEventMicros, hubMicros }, flags, this.#heldBytes >= this.#queueBytesMax);
        if (retention.keepsChanges) this.#heldBytes += payload.length;
      }
      return;
    }
    if (retention === null) this.#events.push(subject.id, seq, subject.epochs);
    else this.#states.push(subject.id, retention.add(payload, seq, { tsEventMicros, hubMicros }, flags));
    this.#batch.append(RecordKind.data, subject.id, seq, tsEventMicros, hubMicros, payload, flags, 0, trace);
    this.#schedule();
  }

  control(kind: RecordKind, subject: number, lane: number, worker: number, a = 0, c = 0, flags = 0): void {
    this.#batch.append(kind, subject, a, 0, c, undefined, flags, lane, worker);
    this.#schedule();
  }

  /** A message of a state subject is lost, and none has followed yet. @param sinceMicros µs since the Unix epoch */
  lost(subject: Subject, reason: StaleReason, sinceMicros = timeOfDayAt(this.#options.nowMicros())): void {
    const hold = { reason, sinceMicros };
    this.#batch.append(RecordKind.lost, subject.id, 0, hold.sinceMicros, 0, undefined, holdFlags(hold));
    this.#schedule();
  }

  /** One past message, for the client that asked. */
  replay(
    subject: Subject,
    payload: Uint8Array,
    seq: number,
    tsEventMicros: number,
    lane: number,
    asker: { readonly worker: number; readonly request: number },
  ): void {
    const { worker, request } = asker;
    this.#batch.append(RecordKind.replay, subject.id, seq, tsEventMicros, request, payload, 0, lane, worker);
    this.#schedule();
  }

  text(kind: RecordKind, subject: number, text: string, a = 0, b = 0): void {
    this.#batch.appendText(kind, subject, text, a, b);
    this.#schedule();
  }

  /** The subject is forgotten. */
  drop(subject: Subject): void {
    this.#skipped.delete(subject);
    this.#lost.delete(subject.id);
    this.control(RecordKind.drop, subject.id, 0, 0);
  }

  /** The subject's sequences belong to another epoch from here on. Pending loss announcements are meaningless in it. */
  beginEpoch(subject: Subject, epoch: string): void {
    this.#lost.delete(subject.id);
    this.text(RecordKind.epoch, subject.id, epoch);
  }

  /** Checks in a microtask for a finished batch. */
  check(): void {
    if (this.#busy && !this.#rebuilding) this.#thread.flush();
  }

  /** Announces that events are lost; repeated if the encoder dies before it does so. */
  gap(subject: number, range: LostRange, reason: string): void {
    const epochs = this.#options.subject(subject)?.epochs ?? 0;
    this.#events.push(subject, range.from, epochs, subject, range.to, epochs);
    this.text(RecordKind.gap, subject, reason, range.from, range.to);
  }

  /** Rebuilds a subject's state in a new encoder without sending. For an event subject: its current sequence. */
  restore(subject: Subject): void {
    if (subject.retention === null) {
      if (subject.encodedSeq > 0) this.control(RecordKind.resume, subject.id, 0, 0, subject.encodedSeq);
      return;
    }
    for (const { payload, seq, tsEventMicros, hubMicros, flags } of subject.retention.takeAll()) {
      this.#batch.append(RecordKind.restore, subject.id, seq, tsEventMicros, hubMicros, payload, flags);
    }
    this.#schedule();
  }

  /**
   * Resumes after a crash: `rebuild` writes the state first, then events and requests that were still waiting follow.
   * State messages are left out: the rebuilt state is newer.
   */
  resume(rebuild: () => void): void {
    const waiting = this.#batch.take();
    const events = this.#events;
    this.#batch = new BatchWriter(new ArrayBuffer(BATCH_BYTES_INITIAL));
    this.#events = [];
    this.#states = [];
    this.#skipped.clear();
    rebuild();
    requeue(waiting.buffer, waiting.bytes, this.#options.subject, this.#batch);
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
    this.check();
    if (this.#busy) return;
    this.#scheduled = true;
    const dispatch = (): void => {
      this.#scheduled = false;
      if (!this.#busy && this.#batch.records > 0) this.#dispatch();
    };
    if (this.#options.isLagging()) setTimeout(dispatch, LAGGING_WAIT_MS);
    // A microtask runs after the feed has handed over all messages of one network read, so they share a batch.
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
    // Checkpoints first: what they make unnecessary need not be confirmed.
    this.#options.onResult(result);
    this.#confirm();
    if (this.#batch.records > 0) this.#schedule();
  }

  #confirm(): void {
    for (const { subject, seq } of this.#inFlight()) subject.encodedSeq = seq;
    // The newest first: it also confirms all older ones of its subject.
    for (let i = this.#statesInFlight.length - 2; i >= 0; i -= 2) {
      this.#options.subject(this.#statesInFlight[i] ?? 0)?.retention?.confirm(this.#statesInFlight[i + 1] ?? 0);
    }
    this.#eventsInFlight.length = 0;
    this.#statesInFlight.length = 0;
  }

  /** The events being encoded whose epochs are still current. */
  *#inFlight(): IterableIterator<{ subject: Subject; seq: number }> {
    for (let i = 0; i < this.#eventsInFlight.length; i += 3) {
      const subject = this.#options.subject(this.#eventsInFlight[i] ?? 0);
      if (subject?.epochs !== this.#eventsInFlight[i + 2]) continue;
      yield { subject: subject as Subject, seq: this.#eventsInFlight[i + 1] ?? 0 };
    }
  }

  #crashed(cause: unknown): void {
    if (this.#closed || this.#rebuilding) return;
    this.#rebuilding = true;
    this.#busy = true;
    this.restarts++;
    const lost = new Map<number, LostRange>();
    // Losses in a past epoch are not reported: clients already know that it is over.
    for (const { subject, seq } of this.#inFlight()) noteLost(lost, subject.id, seq);
    this.#eventsInFlight.length = 0;
    this.#statesInFlight.length = 0;
    const error = cause instanceof Error ? cause : new Error(String(cause));
    void this.#replaceThread().then(
      at => this.#options.onCrash(error, lost, at),
      (failure: unknown) =>
        this.#options.onCrash(new Error('cannot close the dead encoder', { cause: failure }), lost, undefined),
    );
  }

  /** @returns the record that the thread died at */
  async #replaceThread(): Promise<StartedRecord | undefined> {
    const { progress } = this.#thread;
    const delayMs = this.#pace.died();
    // A ring has one writer: the pool may have replaced the dead thread with a new one, which knows nothing.
    await this.watch.end(this.#thread);
    await new Promise(resolve => setTimeout(resolve, delayMs));
    if (!this.#closed) this.#thread = this.#startThread();
    return progress.record;
  }

  #watchThread(): void {
    this.check();
    if (!this.watch.isHung(this.#busy && !this.#rebuilding ? this.#thread : undefined)) return;
    this.hung++;
    this.#crashed(new Error(`hung: no progress for ${this.#options.hungAfterMs} ms`));
  }

  /** Fills the new batch first with what the full queue had no room for, as far as it fits. */
  #catchUp(): void {
    this.#heldBytes = 0;
    for (const subject of this.#skipped) {
      // The others go into the next batch.
      if (this.isFull) break;
      this.#skipped.delete(subject);
      this.#appendNewest(subject);
    }
    for (const [id, range] of this.#lost) this.gap(id, range, 'overload');
    this.#lost.clear();
  }

  /** Appends the retained messages, all but the last quietly: a single delta leads from what was sent to the newest. */
  #appendNewest(subject: Subject): void {
    const messages = subject.retention?.takeAll() ?? [];
    messages.forEach(({ payload, seq, tsEventMicros, hubMicros, flags, order }, i) => {
      const isNewest = i === messages.length - 1;
      const kind = isNewest ? RecordKind.data : RecordKind.restore;
      this.#batch.append(kind, subject.id, seq, tsEventMicros, hubMicros, payload, flags);
      if (isNewest) this.#states.push(subject.id, order);
    });
  }
}
