/**
 * Reads of a journal only what a report needs, without parsing the other lines: most are `emit` records. Quotes inside texts are
 * escaped, so a member's name and its quotes are found only where the member is.
 */
import { parseLine, type RawLine, readLines, type SegmentFile } from '../segments.js';

const COMMA = 0x2c;
const QUOTE = 0x22;
const BRACE = 0x7d;
const RECORD_START = Buffer.from('{"t":');
const BLOCK_START = Buffer.from('{"block":');
const KIND = Buffer.from('"k":"');
const THREAD = Buffer.from('"w":');
const CONNECTION = Buffer.from('"c":"');

type Members = Readonly<Record<string, unknown>>;

/** A line of a journal; `head` and `block` are no records. */
export type JournalLine =
  | { readonly is: 'head'; readonly members: Members }
  | { readonly is: 'block'; readonly bytes: Buffer }
  | { readonly is: 'record'; readonly kind: string; readonly micros: number; readonly bytes: Buffer }
  | { readonly is: 'unreadable' };

/** @throws {Error} when a file cannot be read */
export async function* journalLines(segments: readonly SegmentFile[]): AsyncGenerator<JournalLine> {
  for (const segment of segments) {
    let isFirst = true;
    for await (const raw of readLines(segment)) {
      const line = lineOf(raw, isFirst);
      isFirst = false;
      if (line !== undefined) yield line;
    }
  }
}

/** @returns undefined for a line that is still being written */
function lineOf({ bytes, isCut }: RawLine, isFirst: boolean): JournalLine | undefined {
  if (isCut) return undefined;
  if (isFirst) {
    const members = parseLine(bytes);
    return members === undefined ? { is: 'unreadable' } : { is: 'head', members };
  }
  if (bytes.subarray(0, BLOCK_START.length).equals(BLOCK_START)) return { is: 'block', bytes };
  const kind = textBehind(bytes, KIND);
  const micros = numberAt(bytes, RECORD_START.length);
  if (kind === undefined || micros === undefined || !bytes.subarray(0, RECORD_START.length).equals(RECORD_START)) {
    return { is: 'unreadable' };
  }
  return { is: 'record', kind, micros, bytes };
}

/** The thread that a record names. */
export function threadOf(bytes: Buffer): number | undefined {
  const at = bytes.indexOf(THREAD);
  return at < 0 ? undefined : numberAt(bytes, at + THREAD.length);
}

/** The connection that a record names. */
export const connectionOf = (bytes: Buffer): string | undefined => textBehind(bytes, CONNECTION);

function textBehind(bytes: Buffer, name: Buffer): string | undefined {
  const at = bytes.indexOf(name);
  if (at < 0) return undefined;
  const end = bytes.indexOf(QUOTE, at + name.length);
  return end < 0 ? undefined : bytes.toString('latin1', at + name.length, end);
}

function numberAt(bytes: Buffer, at: number): number | undefined {
  const comma = bytes.indexOf(COMMA, at);
  const end = comma < 0 ? bytes.indexOf(BRACE, at) : comma;
  const text = end < 0 ? '' : bytes.toString('latin1', at, end);
  const value = text === '' ? Number.NaN : Number(text.endsWith('}') ? text.slice(0, -1) : text);
  return Number.isFinite(value) ? value : undefined;
}
