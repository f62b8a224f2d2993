/**
 * Removes what is too old: whole segments, and then the keys of subjects that no remaining segment can name. A legal hold keeps all
 * segments since the held subject's first record.
 */
import { existsSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { BlockChain } from './block-chain.js';
import { addBlocks, FIRST_STATE, follows, readState, writeState } from './chain-files.js';
import { listChains, TAKEOVER_FOLDER } from './chains.js';
import { takeFolder } from './held-folder.js';
import { KeysBusyError, type SubjectKeys } from './privacy/subject-keys.js';
import { openedMicros } from './segment-times.js';
import { listSegments, type SegmentFile } from './segments.js';
import type { TrustedTime } from './trusted-time.js';

const DAY_MICROS = 86_400_000_000;
const MICROS_PER_MS = 1000;

interface RetentionOptions {
  /** Of the journal, not of a takeover's chain in it. */
  readonly folder: string;
  /** Another process may change them at the same time. @throws {Error} when they cannot be read */
  readonly openKeys: () => SubjectKeys;
  readonly retentionMicros: number;
  readonly time: TrustedTime;
}

export class Retention {
  readonly #options: RetentionOptions;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /**
   * @param own the folder of the chain that this process writes
   * @throws {Error} when the clock cannot be believed, or a file not be read or removed
   */
  async run(own: string): Promise<void> {
    const { folder, openKeys, time, retentionMicros } = this.#options;
    const nowMicros = time.now();
    const keys = openKeys();
    try {
      const { heldSince } = keys;
      const from = nowMicros - retentionMicros;
      // Records from here on must stay.
      const keepFromMicros = heldSince === undefined ? from : Math.min(from, heldSince * DAY_MICROS);
      await prune(own, keepFromMicros, nowMicros);
      const other = join(folder, TAKEOVER_FOLDER);
      // The chain of a process that has ended: its last segment is never continued if no takeover follows.
      if (own === folder && existsSync(other))
        await whileUnlocked(other, () => prune(other, keepFromMicros, nowMicros, true));
      await this.#expire(keys, nowMicros);
    } finally {
      keys.close();
    }
  }

  async #expire(keys: SubjectKeys, nowMicros: number): Promise<void> {
    let first = nowMicros;
    for (const chain of listChains(this.#options.folder)) {
      const [segment] = listSegments(chain.folder);
      if (segment !== undefined) first = Math.min(first, (await openedMicros(segment)) ?? first);
    }
    try {
      keys.expire(Math.floor(first / DAY_MICROS));
    } catch (cause) {
      // The next run does it.
      if (!(cause instanceof KeysBusyError)) throw cause;
    }
  }
}

/**
 * Removes segments that were complete before a time, and notes the chain's state behind them.
 * @param isEnded no process continues the chain: the last segment is removed as well
 */
async function prune(folder: string, beforeMicros: number, nowMicros: number, isEnded = false): Promise<void> {
  const segments = listSegments(folder);
  for (const [i, segment] of segments.entries()) {
    const following = segments.slice(i + 1);
    if (!isEnded && (following.length === 0 || !segment.isSealed)) return;
    const endMicros = (await endOf(following, nowMicros)) ?? lastWriteMicros(segment, following);
    if (endMicros === undefined || endMicros >= beforeMicros) return;
    const chain = new BlockChain(readState(folder, FIRST_STATE));
    // It differs if a crash kept the segment after its blocks were noted.
    if (await follows(segment, chain)) {
      await addBlocks(segment, chain);
      writeState(folder, FIRST_STATE, chain.state);
    }
    unlinkSync(segment.path);
  }
}

/**
 * When the segment before these was complete, as the next one's head says; undefined if that does not tell. One that was begun in
 * the future, while the clock was wrong, must not keep what is before it: then the one behind it tells.
 */
async function endOf(following: readonly SegmentFile[], nowMicros: number): Promise<number | undefined> {
  for (const segment of following) {
    const opened = await openedMicros(segment);
    if (opened === undefined || opened <= nowMicros) return opened;
  }
  return undefined;
}

function lastWriteMicros({ path }: SegmentFile, following: readonly SegmentFile[]): number | undefined {
  return following.length === 0 ? statSync(path).mtimeMs * MICROS_PER_MS : undefined;
}

async function whileUnlocked(folder: string, act: () => Promise<void>): Promise<void> {
  const held = await takeFolder(folder);
  if (held === undefined) return;
  try {
    await act();
  } finally {
    held.release();
  }
}
