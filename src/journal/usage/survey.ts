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
/**
 * Reading goes on this far behind the period: a thread that writes again by then has served until the end of the period. Threads with
 * connections are silent no longer than the interval of pings.
 */
export const READ_ON_MICROS = 3_600_000_000;
const STARTED = Buffer.from('"k":"started"');

export interface Survey {
  readonly segments: readonly SegmentFile[];
  readonly node: string;
  /** Last record of each thread, µs, by run. The first run has no `started` record in these files. */
  readonly runs: readonly ReadonlyMap<number, number>[];
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
  for await (const line of journalLines(segments, period.toMicros + READ_ON_MICROS)) {
    if (line.is === 'head') reading.head(line.members);
    else if (line.is === 'block') reading.block(line.bytes);
    else if (line.is === 'record') reading.record(line.kind, line.micros, line.bytes);
    else reading.unreadable++;
  }
  return reading.survey(segments);
}

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

  constructor(period: Period) {
    this.#period = period;
  }

  head({ node }: Readonly<Record<string, unknown>>): void {
    if (typeof node === 'string') this.#node = node;
  }

  block(bytes: Buffer): void {
    this.#lastBlock = bytes;
  }

  record(kind: string, micros: number, bytes: Buffer): void {
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
    const connection = connectionOf(bytes);
    const thread = threadOf(bytes) ?? this.#threads.get(connection ?? '');
    if (thread === undefined) return;
    if (kind === 'connected' && connection !== undefined) {
      this.#threads.set(connection, thread);
      refuseBeyond(this.#threads.size, OPEN_CONNECTIONS_MAX, 'connections open at once');
    } else if (kind === 'closed' && connection !== undefined) this.#threads.delete(connection);
    const last = this.#runs.at(-1);
    last?.set(thread, Math.max(last.get(thread) ?? 0, micros));
  }

  survey(segments: readonly SegmentFile[]): Survey {
    const { block, hash } = parseLine(this.#lastBlock ?? Buffer.alloc(0)) ?? {};
    return {
      segments,
      node: this.#node,
      runs: this.#runs,
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
    if (opened > toMicros + READ_ON_MICROS) continue;
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
