/**
 * The recording format: NDJSON, UTF-8, each line ended by one line feed. The first line is the header
 * `{"millrace_recording":1,"started_at":"<RFC 3339>"}`, every other line one publisher message:
 *
 * | member | meaning |
 * |---|---|
 * | `t` | µs since the start of the recording |
 * | `subject` | its NATS subject |
 * | `payload` | the JSON text, exactly as published; or |
 * | `base64` | the bytes, when they are MessagePack or not valid UTF-8 |
 * | `ts_event` | publisher's event time, µs since the Unix epoch; left out when unknown |
 * | `seq`, `epoch` | left out when the feed has none |
 * | `contiguous` | `true` when a hole in `seq` is a loss; else left out |
 *
 * A reader ignores members it does not know.
 */
import { isUtf8 } from 'node:buffer';
import { type FeedMessage, newFeedMessage } from '../feed-contract/feed.js';

const VERSION = 1;
/** A longer line is malformed. Fits a 2 MiB payload in which every byte needs a six-byte escape. */
export const RECORDING_LINE_BYTES_MAX = 16 * 1024 * 1024;

/** A message and its arrival time, µs since the start of the recording. */
interface RecordedMessage {
  readonly tMicros: number;
  readonly message: FeedMessage;
}

/** The header line, with its line feed. @param startedAtMicros µs since the Unix epoch. */
export function headerLine(startedAtMicros: number): string {
  const startedAt = new Date(startedAtMicros / 1000).toISOString();
  return `${JSON.stringify({ millrace_recording: VERSION, started_at: startedAt })}\n`;
}

/** One message's line, with its line feed. It preserves the payload's exact bytes. */
export function messageLine(message: FeedMessage, tMicros: number): string {
  const bytes = Buffer.from(message.payload.buffer, message.payload.byteOffset, message.payload.byteLength);
  const payload = isText(bytes)
    ? `"payload":${JSON.stringify(bytes.toString('utf8'))}`
    : `"base64":"${bytes.toString('base64')}"`;
  const tsEvent = message.tsEventMicros > 0 ? `,"ts_event":${message.tsEventMicros}` : '';
  const position = message.epoch === '' ? '' : `,"seq":${message.seq},"epoch":${JSON.stringify(message.epoch)}`;
  const contiguous = message.contiguous ? ',"contiguous":true' : '';
  return `{"t":${tMicros},"subject":${JSON.stringify(message.subject)},${payload}${tsEvent}${position}${contiguous}}\n`;
}

/** What is wrong with a header line; undefined if it is valid. */
export function headerFault(line: Uint8Array): string | undefined {
  const header = parseObject(line);
  if (header === undefined) return 'the first line is not a JSON object';
  if (header.millrace_recording === undefined) return 'the first line has no "millrace_recording"';
  if (header.millrace_recording !== VERSION) {
    return `version ${JSON.stringify(header.millrace_recording)} is not supported (${VERSION} is)`;
  }
  return undefined;
}

/** Reads one message line; a string result says why it is invalid. */
export function parseMessageLine(line: Uint8Array): RecordedMessage | string {
  const entry = parseObject(line);
  if (entry === undefined) return 'not a JSON object';
  const { t, subject, ts_event: tsEvent = 0, seq = 0, epoch = '' } = entry;
  if (!isCount(t)) return '"t" must be µs since the start, 0 or more';
  if (typeof subject !== 'string' || subject === '') return '"subject" must be a NATS subject';
  if (!isCount(tsEvent)) return '"ts_event" must be µs since the Unix epoch';
  if (!isCount(seq) || typeof epoch !== 'string') return '"seq" must be a number, 0 or more, and "epoch" a string';
  const payload = payloadOf(entry);
  if (payload === undefined) return 'neither a "payload" text nor valid "base64"';
  const contiguous = entry.contiguous === true;
  const message = { ...newFeedMessage(), subject, payload, tsEventMicros: tsEvent, seq, epoch, contiguous };
  return { tMicros: t, message };
}

/** A first byte of 0x80 or more begins MessagePack, not JSON, even if the whole happens to be valid UTF-8. */
function isText(bytes: Buffer): boolean {
  return (bytes[0] ?? 0) < 0x80 && isUtf8(bytes);
}

function payloadOf(entry: Readonly<Record<string, unknown>>): Uint8Array | undefined {
  if (typeof entry.payload === 'string') return Buffer.from(entry.payload, 'utf8');
  const text = entry.base64;
  // Buffer.from skips characters that are not Base64, so it would not detect a damaged line.
  if (typeof text !== 'string' || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, 'base64');
}

function parseObject(line: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
