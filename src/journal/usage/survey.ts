/**
 * The first reading of a chain: which files the report needs, and when each thread of each run wrote last. A run is one process of
 * a gateway, from its `started` record on. A run without `stopped` may have crashed: its sessions end where its threads fell silent.
 */
import { openedMicros } from '../segment-times.js';
import { parseLine, readLines, type SegmentFile } from '../segments.js';
import { connectionOf, type JournalLine, journalLines, threadOf } from './record-lines.js';
import { OVERLAP_MICROS, Timeline } from './timeline.js';
import { OPEN_CONNECTIONS_MAX, refuseBeyond } from './usage-bounds.js';

/** How long to look for a thread that is silent when the period ends: if it writes again in this run, it served until the end. */
const SILENCE_MICROS_MAX = 7 * 86_400_000_000;
const STARTED = Buffer.from('"k":"started"');

export interface Survey {
  readonly segments: readonly SegmentFile[];
  /** When their records count. */
  readonly timeline: Timeline;
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
  /** How often the system clock was set back, to or from a time within the period. */
  readonly clockSetBack: number;
}

/** The time that a report covers, over all time zones, µs since the Unix epoch. */
export interface Period {
  readonly fromMicros: number;
  readonly toMicros: number;
}

/** @param segments all of a chain. @throws {Error} when a file cannot be read */
export async function surveyChain(all: readonly SegmentFile[], period: Period): Promise<Survey> {
  const { segments, behind } = await neededSegments(all, period);
  const timeline = new Timeline();
  let reading = new Reading(period);
  for (const [at, segment] of segments.entries()) {
    for await (const line of journalLines([segment])) {
      if (line.is === 'record') timeline.note(line.micros);
      reading.take(line, line.is === 'record' ? line.micros : 0);
    }
    if (reading.isSettled && at >= behind) break;
  }
  if (!timeline.isInOrder) {
    reading = new Reading(period);
    const momentOf = timeline.reader();
    for await (const line of journalLines(segments)) {
      reading.take(line, line.is === 'record' ? momentOf(line.micros).micros : 0);
      if (reading.isSettled) break;
    }
  }
  return { ...reading.survey(), segments, timeline, clockSetBack: timeline.stepsIn(period) };
}

/** Where the reading of events ends: what happened in the period is written by then. */
export const readingEnd = ({ toMicros }: Period): number => toMicros + OVERLAP_MICROS;

class Reading {
  readonly #period: Period;
  readonly #silentUntil: number;
  readonly #runs: Map<number, number>[] = [new Map()];
  /** Threads of the connections that are open. */
  readonly #threads = new Map<string, number>();
  #node = '';
  #from: number | undefined;
  #to: number | undefined;
  #lastBlock: Buffer | undefined;
  #records = 0;
  #dropped = 0;
  #unreadable = 0;
  /** Threads that have connections and are silent at the end; undefined before it. */
  #silent: Set<number> | undefined;

  constructor(period: Period) {
    this.#period = period;
    this.#silentUntil = period.toMicros + SILENCE_MICROS_MAX;
  }

  /** @param micros when a record counts */
  take(line: JournalLine, micros: number): void {
    if (this.isSettled) return;
    if (line.is === 'record') this.#record(line.kind, micros, line.bytes);
    else if (this.#silent !== undefined) return;
    else if (line.is === 'head') this.#head(line.members);
    else if (line.is === 'block') this.#lastBlock = line.bytes;
    else this.#unreadable++;
  }

  #head({ node }: Readonly<Record<string, unknown>>): void {
    if (typeof node === 'string') this.#node = node;
  }

  /** No later record can matter. */
  get isSettled(): boolean {
    return this.#silent?.size === 0;
  }

  #record(kind: string, micros: number, bytes: Buffer): void {
    if (micros > readingEnd(this.#period)) this.#silent ??= this.#silentThreads();
    if (this.#silent !== undefined) {
      if (kind === 'started' || micros > this.#silentUntil) this.#silent.clear();
      else this.#noteThread(bytes, micros);
      return;
    }
    this.#records++;
    this.#from = Math.min(this.#from ?? micros, micros);
    this.#to = Math.max(this.#to ?? micros, micros);
    if (kind === 'started') {
      this.#runs.push(new Map());
      this.#threads.clear();
      return;
    }
    if (kind === 'dropped' && micros >= this.#period.fromMicros && micros < this.#period.toMicros) {
      const { records } = parseLine(bytes) ?? {};
      this.#dropped += typeof records === 'number' ? records : 0;
    }
    const thread = this.#noteThread(bytes, micros);
    const connection = connectionOf(bytes);
    if (connection === undefined || thread === undefined) return;
    if (kind === 'closed') this.#threads.delete(connection);
    else if (kind === 'connected') {
      this.#threads.set(connection, thread);
      refuseBeyond(this.#threads.size, OPEN_CONNECTIONS_MAX, 'connections open at once');
    }
  }

  /** Notes a sign of life. @returns the thread that it is from */
  #noteThread(bytes: Buffer, micros: number): number | undefined {
    const thread = threadOf(bytes) ?? this.#threads.get(connectionOf(bytes) ?? '');
    if (thread === undefined) return undefined;
    const last = this.#runs.at(-1);
    last?.set(thread, Math.max(last.get(thread) ?? 0, micros));
    this.#silent?.delete(thread);
    return thread;
  }

  #silentThreads(): Set<number> {
    const last = this.#runs.at(-1);
    return new Set([...this.#threads.values()].filter(thread => (last?.get(thread) ?? 0) < this.#period.toMicros));
  }

  survey(): Omit<Survey, 'segments' | 'timeline' | 'clockSetBack'> {
    const { block, hash } = parseLine(this.#lastBlock ?? Buffer.alloc(0)) ?? {};
    return {
      node: this.#node,
      runs: this.#runs,
      isComplete: this.#silent !== undefined,
      fromMicros: this.#from,
      toMicros: this.#to,
      lastBlock: typeof block === 'number' && typeof hash === 'string' ? { block, hash } : undefined,
      records: this.#records,
      dropped: this.#dropped,
      unreadable: this.#unreadable,
    };
  }
}

/**
 * From the start of the run that serves at the beginning of the period, because its sessions may be older than the period, to the
 * last file that was begun in the period or soon after it. Earlier runs have left no open session. A wrong clock may have begun files in
 * between at other times.
 * @returns `behind`: the last of them that was begun in the period
 */
async function neededSegments(
  all: readonly SegmentFile[],
  period: Period,
): Promise<{ readonly segments: readonly SegmentFile[]; readonly behind: number }> {
  const { fromMicros, toMicros } = period;
  const opened: number[] = [];
  for (const segment of all) opened.push((await openedMicros(segment)) ?? 0);
  const last = opened.findLastIndex(micros => micros <= toMicros + SILENCE_MICROS_MAX);
  const within = opened.findIndex(micros => micros > fromMicros);
  let first = Math.max(0, (within < 0 ? all.length : within) - 1);
  for (let segment = all[first]; segment !== undefined && first > 0; segment = all[--first]) {
    if (await hasStart(segment, fromMicros)) break;
  }
  const behind = opened.findLastIndex(micros => micros <= readingEnd(period));
  return { segments: all.slice(first, last + 1), behind: behind - first };
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
