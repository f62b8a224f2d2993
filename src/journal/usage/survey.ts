/**
 * The first reading of a chain: which files the report needs, and when each thread of each run wrote last. A run is one process of
 * a gateway, from its `started` record on. A run without `stopped` may have crashed: its sessions end where its threads fell silent.
 */
import { parseLine, readLines, type SegmentFile } from '../segments.js';
import { connectionOf, journalLines, threadOf } from './record-lines.js';
import { OPEN_CONNECTIONS_MAX, refuseBeyond } from './usage-bounds.js';

const MICROS_PER_MS = 1000;
/** Records come in the order of writing, which is nearly that of time: batches of several threads overlap by this much at most. */
export const OVERLAP_MICROS = 60_000_000;
/** How long to look for a thread that is silent when the period ends: if it writes again in this run, it served until the end. */
const SILENCE_MICROS_MAX = 7 * 86_400_000_000;
const STARTED = Buffer.from('"k":"started"');

export interface Survey {
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
  const segments = await neededSegments(all, period);
  const reading = new Reading(period);
  for await (const line of journalLines(segments, period.toMicros + SILENCE_MICROS_MAX)) {
    if (line.is === 'record') reading.record(line.kind, line.micros, line.bytes);
    else if (reading.isBeyond) continue;
    else if (line.is === 'head') reading.head(line.members);
    else if (line.is === 'block') reading.block(line.bytes);
    else reading.unreadable++;
    if (reading.isSettled) break;
  }
  return reading.survey(segments);
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
    if (micros > readingEnd(this.#period)) this.#silent ??= this.#silentThreads();
    if (this.#silent !== undefined) {
      if (kind === 'started') this.#silent.clear();
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

  survey(segments: readonly SegmentFile[]): Survey {
    const { block, hash } = parseLine(this.#lastBlock ?? Buffer.alloc(0)) ?? {};
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
async function neededSegments(all: readonly SegmentFile[], { fromMicros, toMicros }: Period): Promise<SegmentFile[]> {
  const needed: SegmentFile[] = [];
  for (const segment of all.toReversed()) {
    const opened = await openedMicros(segment);
    if (opened > toMicros + SILENCE_MICROS_MAX) continue;
    needed.unshift(segment);
    if (opened <= fromMicros && (await hasStart(segment, fromMicros))) break;
  }
  return needed;
}

/** When a file was begun, by its head; 0 when that does not say. */
async function openedMicros(segment: SegmentFile): Promise<number> {
  for await (const { bytes } of readLines(segment)) {
    const ms = Date.parse(String(parseLine(bytes)?.opened));
    return Number.isNaN(ms) ? 0 : ms * MICROS_PER_MS;
  }
  return 0;
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
