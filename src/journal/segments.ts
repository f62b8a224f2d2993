/** The files of a journal: `000001.mjl`, and `000001.mjl.gz` once it is complete. */
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';

const NAME = /^(?<number>\d{6,})\.mjl(?<gz>\.gz)?$/;
const NUMBER_DIGITS = 6;
const LINE_FEED = 0x0a;
/** No record is nearly as long; a longer line means that the file is not a journal. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;

export interface SegmentFile {
  readonly number: number;
  readonly path: string;
  readonly isSealed: boolean;
}

/** How good the system clock is, as its daemon says. */
export interface ClockQuality {
  /** `chrony`, or `unknown`. */
  readonly source: string;
  /** Estimated offset from UTC, and the bound of its error; null when unknown. */
  readonly offset_us: number | null;
  readonly error_us: number | null;
}

export const segmentName = (number: number): string => `${String(number).padStart(NUMBER_DIGITS, '0')}.mjl`;

/** The segments in a folder, from the first. A segment that exists in both forms is read as it was written. */
export function listSegments(folder: string): SegmentFile[] {
  const found = new Map<number, SegmentFile>();
  for (const name of readdirSync(folder).sort()) {
    const { number, gz } = NAME.exec(name)?.groups ?? {};
    if (number === undefined || found.has(Number(number))) continue;
    found.set(Number(number), { number: Number(number), path: join(folder, name), isSealed: gz !== undefined });
  }
  return [...found.values()].sort((a, b) => a.number - b.number);
}

/** How many bytes they have together. One that is compressed while they are added up has another name then, and counts as 0. */
export function bytesOf(segments: readonly SegmentFile[]): number {
  return segments.reduce((sum, { path }) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
}

/** A line with its newline; `isCut`: the file ends within it. */
export interface RawLine {
  readonly bytes: Buffer;
  readonly isCut: boolean;
}

/** @throws {Error} when the file cannot be read or unpacked, or is no journal */
export async function* readLines(segment: SegmentFile): AsyncGenerator<RawLine> {
  const { path, isSealed } = asItIsNow(segment);
  const file = createReadStream(path);
  const source = isSealed ? file.pipe(createGunzip()) : file;
  // `pipe` does not pass errors on.
  file.on('error', cause => source.destroy(cause));
  try {
    yield* linesOf(source);
  } finally {
    // A reader that stops early destroys only what it reads from.
    file.destroy();
  }
}

async function* linesOf(source: AsyncIterable<Buffer>): AsyncGenerator<RawLine> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED)) {
      yield { bytes: bytes.subarray(0, end + 1), isCut: false };
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > LINE_BYTES_MAX) throw new Error(`a line of more than ${LINE_BYTES_MAX} bytes`);
    rest = bytes;
  }
  if (rest.length > 0) yield { bytes: rest, isCut: true };
}

/** A gateway that runs may have sealed the segment since it was listed. */
function asItIsNow(segment: SegmentFile): SegmentFile {
  const sealed = `${segment.path}.gz`;
  if (segment.isSealed || existsSync(segment.path) || !existsSync(sealed)) return segment;
  return { ...segment, path: sealed, isSealed: true };
}

/** The first line; undefined when it is not whole, or there is none. @throws {Error} when the segment cannot be read */
export async function headOf(segment: SegmentFile): Promise<Readonly<Record<string, unknown>> | undefined> {
  for await (const { bytes } of readLines(segment)) return parseLine(bytes);
  return undefined;
}

/** A line as JSON; undefined when it is not an object. */
export function parseLine(line: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
