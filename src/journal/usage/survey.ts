/**
 * The first reading of a chain: which files the report needs, and when each thread of each run wrote last. A run is one process of
 * a gateway, from its `started` record on. A run without `stopped` may have crashed: its sessions end where its threads fell silent.
 */
import { overlaps, type TimedSegment, type TimeRange, timedSegments } from '../segment-times.js';
import { parseLine, readLines, type SegmentFile } from '../segments.js';
import { connectionOf, journalLines, threadOf } from './record-lines.js';
import { OPEN_CONNECTIONS_MAX, refuseBeyond } from './usage-bounds.js';

/** Records come in the order of writing, which is nearly that of time: batches of several threads overlap by this much at most. */
export const OVERLAP_MICROS = 60_000_000;
/** How long to look for a thread that is silent when the period ends: if it writes again in this run, it served until the end. */
const SILENCE_MICROS_MAX = 7 * 86_400_000_000;
const STARTED = Buffer.from('"k":"started"');

export interface Survey {
  /** Those that may hold records of the period, or sessions from before it. */
  readonly segments: readonly SegmentFile[];
  readonly node: string;
  /** Last record of each thread, µs, by run. The first run has no `started` record in these files. */
  readonly runs: readonly ReadonlyMap<number, number>[];
  /** The chain has records behind the period. */
  readonly isComplete: boolean;
  /** Times of the first and the last record; undefined when there is none. */
  readonly fromMicros: number | undefined;
  readonly toMicros: number | undefined;
  /** The last block that was read whole. */
  readonly lastBlock: { readonly block: number; readonly hash: string } | undefined;
  readonly records: number;
  /** Records that the gateway could not write, within the period. */
  readonly dropped: number;
  /** Lines that are not records. */
  readonly unreadable: number;
}

/** The time that a report covers, over all time zones, µs since the Unix epoch. */
export interface Period {
  readonly fromMicros: number;
  readonly toMicros: number;
}

/** @param segments all of a chain. @throws {Error} when a file cannot be read */
export async function surveyChain(all: readonly SegmentFile[], period: Period): Promise<Survey> {
  const needed = await neededSegments(await timedSegments(all), period);
  const reading = new Reading(period);
  const segments: SegmentFile[] = [];
  for (const { segment, times } of needed) {
    // Also behind a segment of later times: the clock may have been set back.
    const isOfPeriod = times.from <= readingEnd(period);
    if (isOfPeriod) segments.push(segment);
    else if (reading.isSettled) continue;
    await readSegment(segment, reading);
  }
  return reading.survey(segments);
}

async function readSegment(segment: SegmentFile, reading: Reading): Promise<void> {
  for await (const line of journalLines(segment)) {
    if (line.is === 'record') reading.record(line.kind, line.micros, line.bytes);
    else if (reading.isBeyond) continue;
    else if (line.is === 'head') reading.head(line.members);
    else if (line.is === 'block') reading.block(line.bytes);
    else reading.unreadable++;
  }
}

/** Where the reading of events ends: what happened in the period is written by then. */
export const readingEnd = ({ toMicros }: Period): number => toMicros + OVERLAP_MICROS;

class Reading {
  readonly #period: Period;
  readonly #runs: Map<number, number>[] = [new Map()];
  /** Threads of the connections that are open. */
  readonly #threads = new Map<string, number>();
  #node = '';
  #from: number | undefined;
  #to: number | undefined;
  #lastBlock: Buffer | undefined;
  #records = 0;
  #dropped = 0;
  unreadable = 0;
  /** Threads that have connections and are silent at the end; undefined before it. */
  #silent: Set<number> | undefined;
  /** What each thread wrote last behind the period. */
  readonly #beyond = new Map<number, number>();
  /** Runs that began behind the period. */
  #runsBeyond = 0;

  /** Latest time in each run. */
  readonly #newest = new Map<ReadonlyMap<number, number>, number>();
  /** Runs in which the clock was set back. */
  readonly #setBack = new Set<Map<number, number>>();

  constructor(period: Period) {
    this.#period = period;
  }

  head({ node }: Readonly<Record<string, unknown>>): void {
    if (typeof node === 'string') this.#node = node;
  }

  block(bytes: Buffer): void {
    this.#lastBlock = bytes;
  }

  get isBeyond(): boolean {
    return this.#silent !== undefined;
  }

  /** No later record can matter. */
  get isSettled(): boolean {
    return this.#silent?.size === 0;
  }

  record(kind: string, micros: number, bytes: Buffer): void {
    const thread = this.#threadOf(bytes);
    if (micros > readingEnd(this.#period)) this.#recordBeyond(kind, micros, thread);
    else this.#recordWithin(kind, micros, bytes, thread);
    if (kind === 'started') this.#threads.clear();
    const connection = connectionOf(bytes);
    if (connection === undefined || thread === undefined) return;
    if (kind === 'closed') this.#threads.delete(connection);
    else if (kind === 'connected') {
      this.#threads.set(connection, thread);
      refuseBeyond(this.#threads.size, OPEN_CONNECTIONS_MAX, 'connections open at once');
    }
  }

  #recordWithin(kind: string, micros: number, bytes: Buffer, thread: number | undefined): void {
    // What was behind the period was not: the clock had been ahead.
    this.#silent = undefined;
    this.#beyond.clear();
    for (; this.#runsBeyond > 0; this.#runsBeyond--) this.#runs.push(new Map());
    this.#records++;
    this.#from = Math.min(this.#from ?? micros, micros);
    this.#to = Math.max(this.#to ?? micros, micros);
    if (kind === 'started') this.#runs.push(new Map());
    else if (kind === 'dropped' && micros >= this.#period.fromMicros && micros < this.#period.toMicros) {
      const { records } = parseLine(bytes) ?? {};
      this.#dropped += typeof records === 'number' ? records : 0;
    }
    this.#noteThread(kind === 'started' ? undefined : thread, micros);
  }

  #noteThread(thread: number | undefined, micros: number): void {
    const run = this.#runs.at(-1);
    if (run === undefined) return;
    if (thread !== undefined) run.set(thread, Math.max(run.get(thread) ?? 0, micros));
    const newest = Math.max(this.#newest.get(run) ?? 0, micros);
    this.#newest.set(run, newest);
    if (micros < newest - OVERLAP_MICROS) this.#setBack.add(run);
  }

  /** Looks for a sign of life of threads that were silent when the period ended. */
  #recordBeyond(kind: string, micros: number, thread: number | undefined): void {
    this.#silent ??= this.#silentThreads();
    if (kind === 'started') {
      this.#silent.clear();
      this.#runsBeyond++;
    } else if (
      micros <= this.#period.toMicros + SILENCE_MICROS_MAX &&
      thread !== undefined &&
      this.#silent.delete(thread)
    ) {
      this.#beyond.set(thread, micros);
    }
  }

  /** The thread that a record is from, as it says or its connection did. */
  #threadOf(bytes: Buffer): number | undefined {
    return threadOf(bytes) ?? this.#threads.get(connectionOf(bytes) ?? '');
  }

  #silentThreads(): Set<number> {
    const last = this.#runs.at(-1);
    return new Set([...this.#threads.values()].filter(thread => (last?.get(thread) ?? 0) < this.#period.toMicros));
  }

  survey(segments: readonly SegmentFile[]): Survey {
    const { block, hash } = parseLine(this.#lastBlock ?? Buffer.alloc(0)) ?? {};
    for (const [thread, micros] of this.#beyond) this.#runs.at(-1)?.set(thread, micros);
    // Nothing of theirs may come behind the end of its thread.
    for (const run of this.#setBack) for (const thread of run.keys()) run.set(thread, this.#newest.get(run) ?? 0);
    return {
      segments,
      node: this.#node,
      runs: this.#runs,
      isComplete: this.isBeyond,
      fromMicros: this.#from,
      toMicros: this.#to,
      lastBlock: typeof block === 'number' && typeof hash === 'string' ? { block, hash } : undefined,
      records: this.#records,
      dropped: this.#dropped,
      unreadable: this.unreadable,
    };
  }
}

/**
 * From the start of the run that serves at the beginning of the period, because its sessions may be older than the period, to the
 * last file that was begun in the period. Earlier runs have left no open session.
 */
async function neededSegments(all: readonly TimedSegment[], { fromMicros, toMicros }: Period): Promise<TimedSegment[]> {
  const wanted: TimeRange = { from: fromMicros, to: toMicros + SILENCE_MICROS_MAX };
  const first = all.findIndex(({ times }) => overlaps(times, wanted));
  if (first < 0) return [];
  let start = first;
  while (start > 0 && !(await hasStart((all[start] as TimedSegment).segment, fromMicros))) start--;
  return all.slice(start).filter(({ times }, i) => i < first - start || overlaps(times, wanted));
}

/** True if a run starts in this file before the period does. */
async function hasStart(segment: SegmentFile, fromMicros: number): Promise<boolean> {
  for await (const { bytes } of readLines(segment)) {
    if (!bytes.includes(STARTED)) continue;
    const { t, k } = parseLine(bytes) ?? {};
    if (k === 'started' && typeof t === 'number' && t <= fromMicros) return true;
  }
  return false;
}
