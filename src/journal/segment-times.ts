/**
 * Which times a segment's records have, without reading them: from when it was opened until the next one was. Where the clock was
 * set, or records waited long for the disk, that is wrong, and the next segment begins with a record `times` that says what is right.
 */
import { headOf, parseLine, readLines, type SegmentFile } from './segments.js';

/** Threads hand over their records in batches, so a record may be written this long after a later one. */
export const DELAY_MICROS_MAX = 5_000_000;
const MICROS_PER_MS = 1000;
const TIME_START = '{"t":';
const HEAD_LINES = 2;

/** µs since the Unix epoch. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

const ANY_TIME: TimeRange = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };

interface TimedSegment {
  readonly segment: SegmentFile;
  /** No record lies outside. */
  readonly times: TimeRange;
}

/** The times of records as they are written. */
export class RecordTimes {
  #from = Number.POSITIVE_INFINITY;
  #to = Number.NEGATIVE_INFINITY;

  add(lines: readonly Buffer[]): void {
    for (const line of lines) {
      const micros = timeOf(line);
      if (micros < this.#from) this.#from = micros;
      if (micros > this.#to) this.#to = micros;
    }
  }

  /** The record's text for the next segment, unless the heads of both tell the times. @param opened of both, µs */
  recordFor(opened: TimeRange): string | undefined {
    const isRight = this.#from >= opened.from - DELAY_MICROS_MAX && this.#to <= opened.to + DELAY_MICROS_MAX;
    if (isRight || this.#from > this.#to) return undefined;
    return JSON.stringify({ t: Math.round(opened.to), k: 'times', from: this.#from, to: this.#to });
  }
}

/** NaN for a line that is no record. */
function timeOf(line: Buffer): number {
  if (line.toString('latin1', 0, TIME_START.length) !== TIME_START) return Number.NaN;
  return Number.parseFloat(line.toString('latin1', TIME_START.length, TIME_START.length + 24));
}

/** @param segments of one chain, all that follow one another. @throws {Error} when one cannot be read */
export async function timedSegments(segments: readonly SegmentFile[]): Promise<TimedSegment[]> {
  const timed: TimedSegment[] = [];
  let next: { readonly number: number; readonly opened: number; readonly before: TimeRange | undefined } | undefined;
  for (const segment of segments.toReversed()) {
    const [head, record] = await firstLines(segment);
    const opened = openedOf(head) ?? Number.NEGATIVE_INFINITY;
    timed.push({ segment, times: next?.number === segment.number + 1 ? timesOf(opened, next) : ANY_TIME });
    const { k, from, to } = record ?? {};
    const before = k === 'times' && typeof from === 'number' && typeof to === 'number' ? { from, to } : undefined;
    next = { number: segment.number, opened, before };
  }
  return timed.reverse();
}

function timesOf(from: number, next: { readonly opened: number; readonly before: TimeRange | undefined }): TimeRange {
  if (next.before !== undefined) return next.before;
  // Set back without a record: nothing is known.
  if (next.opened < from) return ANY_TIME;
  return { from: from - DELAY_MICROS_MAX, to: next.opened + DELAY_MICROS_MAX };
}

async function firstLines(segment: SegmentFile): Promise<Readonly<Record<string, unknown> | undefined>[]> {
  const lines: Readonly<Record<string, unknown> | undefined>[] = [];
  for await (const { bytes } of readLines(segment)) {
    lines.push(parseLine(bytes));
    if (lines.length === HEAD_LINES) break;
  }
  return lines;
}

/** When a segment was begun, µs; undefined when its head does not tell. @throws {Error} when it cannot be read */
export async function openedMicros(segment: SegmentFile): Promise<number | undefined> {
  return openedOf(await headOf(segment));
}

function openedOf(head: Readonly<Record<string, unknown>> | undefined): number | undefined {
  const ms = Date.parse(String(head?.opened));
  return Number.isNaN(ms) ? undefined : ms * MICROS_PER_MS;
}

export const overlaps = (a: TimeRange, b: TimeRange): boolean => a.from <= b.to && b.from <= a.to;
