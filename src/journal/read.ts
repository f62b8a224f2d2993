/** Reads the records of a journal's chains, in the order of time and in bounded memory. */
import { listChains } from './chains.js';
import { DELAY_MICROS_MAX, overlaps, type TimeRange, timedSegments } from './segment-times.js';
import { listSegments, parseLine, readLines } from './segments.js';

/** A record, and the line that it stands in, without its newline. */
export interface ReadRecord {
  /** µs since the Unix epoch. */
  readonly t: number;
  readonly record: Readonly<Record<string, unknown>>;
  readonly line: Buffer;
}

const ALWAYS: TimeRange = { from: 0, to: Number.POSITIVE_INFINITY };

/** Records held back to be sorted; with more, the order of time within the delay above is no longer certain. */
const SORTED_MAX = 50_000;

/**
 * The records of one chain that lie in a period, as they stand in the files: those of one thread are in the order in which things
 * happened. Lines that are no records are left out; `verifyJournal` reports them.
 * @throws {Error} when a segment cannot be read
 */
export async function* recordsOf(folder: string, period: TimeRange = ALWAYS): AsyncGenerator<ReadRecord> {
  const { from, to } = period;
  for (const { segment, times } of await timedSegments(listSegments(folder))) {
    if (!overlaps(times, period)) continue;
    for await (const { bytes, isCut } of readLines(segment)) {
      if (isCut) break;
      const record = parseLine(bytes);
      const t = record?.t;
      if (record === undefined || typeof t !== 'number' || t < from || t > to) continue;
      yield { t, record: record.stepwise === true ? counted(record) : record, line: bytes.subarray(0, -1) };
    }
  }
}

/** A run of several messages, `[prev, seq]`, as `[prev, seq, messages]`. */
function counted(record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const runs = Array.isArray(record.runs) ? (record.runs as readonly (readonly [prev: number, seq: number])[]) : [];
  return { ...record, runs: runs.map(([prev, seq]) => [prev, seq, seq - prev]) };
}

/**
 * The records of all chains of a journal in the order of time.
 * @param selection begins a selection for each chain, which is asked in the order of its files
 */
export async function* recordsInTime(
  folder: string,
  selection: () => (record: ReadRecord) => boolean,
  period: TimeRange = ALWAYS,
): AsyncGenerator<ReadRecord> {
  const chains = listChains(folder).map(chain => sorted(selected(recordsOf(chain.folder, period), selection())));
  yield* merged(chains);
}

async function* selected(
  records: AsyncGenerator<ReadRecord>,
  select: (record: ReadRecord) => boolean,
): AsyncGenerator<ReadRecord> {
  for await (const record of records) if (select(record)) yield record;
}

/** Sorts records that come late by a bounded delay. */
async function* sorted(records: AsyncGenerator<ReadRecord>): AsyncGenerator<ReadRecord> {
  const held: ReadRecord[] = [];
  let newest = 0;
  let oldest = Number.POSITIVE_INFINITY;
  for await (const record of records) {
    held.push(record);
    newest = Math.max(newest, record.t);
    oldest = Math.min(oldest, record.t);
    const isFull = held.length >= SORTED_MAX;
    if (!isFull && newest - oldest < 2 * DELAY_MICROS_MAX) continue;
    held.sort(byTime);
    const kept = held.findIndex(({ t }) => t > newest - DELAY_MICROS_MAX);
    const ready = isFull ? Math.max(kept, held.length >> 1) : kept;
    yield* held.splice(0, ready);
    oldest = held[0]?.t ?? Number.POSITIVE_INFINITY;
  }
  yield* held.sort(byTime);
}

const byTime = (a: ReadRecord, b: ReadRecord): number => a.t - b.t;

/** Merges sequences that are each in the order of time. */
async function* merged(sequences: readonly AsyncGenerator<ReadRecord>[]): AsyncGenerator<ReadRecord> {
  const heads = await Promise.all(sequences.map(sequence => sequence.next()));
  for (;;) {
    let first = -1;
    for (const [i, head] of heads.entries()) {
      if (head.done === true) continue;
      const best = heads[first];
      if (best === undefined || best.done === true || head.value.t < best.value.t) first = i;
    }
    const head = heads[first];
    const sequence = sequences[first];
    if (head === undefined || head.done === true || sequence === undefined) return;
    yield head.value;
    heads[first] = await sequence.next();
  }
}
