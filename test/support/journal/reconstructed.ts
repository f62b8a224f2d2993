/** What `millrace journal reconstruct` prints, and how it compares with what a client received. */
import { expect } from 'vitest';
import { runCli } from '../../unit/cli/run-cli.js';
import type { Received } from '../recorded-client.js';

const STAMP = /"ts_sent":\d{16}/g;
const NO_STAMP = '"ts_sent":1000000000000000';
const WIDTH_OF_STAMP = 8;
/** Places where one message may stand: few messages look alike. */
const PLACES_MAX = 4;

/** A message as it was received, with the time at which it was sent taken out. */
function unstamped({ bytes, isBinary }: Received, isStamped: boolean): string {
  if (!isBinary) return bytes.toString().replace(STAMP, NO_STAMP);
  return (isStamped ? bytes.subarray(0, -WIDTH_OF_STAMP) : bytes).toString('base64');
}

const isAnnouncement = (value: unknown): boolean =>
  ['gap', 'stale'].includes(String((value as { readonly type?: unknown }).type));

function untimed(value: unknown): object {
  const { since: _, ts_event: __, ts_sent: ___, ...rest } = value as Record<string, unknown>;
  return rest;
}

/** A line of the command. */
export interface Told {
  readonly t: number;
  readonly mark: 'sent' | 'confirmed';
  readonly frame: unknown;
  readonly missing?: string;
  /** The frame as it stands in the line. */
  readonly text: string;
}

/**
 * @param options `--connection` and what follows
 * @param env with the key of pseudonyms
 */
export async function told(
  journal: string,
  env: Readonly<Record<string, string>>,
  ...options: readonly string[]
): Promise<Told[]> {
  const { code, stdout, stderr } = await runCli(['journal', 'reconstruct', journal, ...options], { ...env });
  expect(
    stderr,
    stdout.split('\n').find(line => line.includes('"missing"')),
  ).toMatch(/\d+ messages?, 0 of them cannot be reconstructed\n$/);
  expect(code).toBe(0);
  const lines = stdout.split('\n').filter(line => line !== '');
  return lines.map(line => ({
    ...JSON.parse(line),
    text: line.slice(line.indexOf('"frame":') + '"frame":'.length, -1),
  }));
}

/** The text to compare a received message with. */
function textOf({ frame, text }: Told, isBinary: boolean, isStamped: boolean): string {
  if (!isBinary) return text;
  const bytes = Buffer.from(String(frame), 'base64');
  return (isStamped ? bytes.subarray(0, -WIDTH_OF_STAMP) : bytes).toString('base64');
}

function isSame(line: Told, message: Received, isStamped: boolean): boolean {
  if (!message.isBinary && isAnnouncement(message.value)) {
    return JSON.stringify(untimed(line.frame)) === JSON.stringify(untimed(message.value));
  }
  return textOf(line, message.isBinary, isStamped) === unstamped(message, isStamped);
}

/**
 * Everything received is told, in order, and everything told as confirmed was received.
 * @param what is compared, for a failure
 * @returns how much is confirmed
 */
export function compare(
  lines: readonly Told[],
  received: readonly Received[],
  isStamped: boolean,
  what: string,
): number {
  // A message that is not confirmed may look like a later one: all places are kept where the next message may stand.
  let places = new Set([0]);
  for (const message of received) {
    const next = new Set<number>();
    for (const place of places) {
      for (let at = place; at < lines.length; at++) {
        const line = lines[at] as Told;
        if (isSame(line, message, isStamped)) next.add(at + 1);
        // Few can be lost one after the other; most messages are found at once.
        if (line.mark === 'confirmed' || next.size === PLACES_MAX) break;
      }
    }
    if (next.size === 0) {
      const expected = lines[Math.max(...places)]?.text.slice(0, 500);
      throw new Error(`${what}: not told: ${unstamped(message, isStamped).slice(0, 500)}\nbut: ${expected}`);
    }
    places = next;
  }
  const lost = [...places].map(place => lines.slice(place).filter(({ mark }) => mark === 'confirmed'));
  const fewest = lost.reduce((least, some) => (some.length < least.length ? some : least));
  expect(fewest.slice(0, 1), `${what}: confirmed, but not received`).toEqual([]);
  return lines.filter(({ mark }) => mark === 'confirmed').length;
}
