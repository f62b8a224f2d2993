/**
 * Removes what is too old: whole segments, and then the keys of subjects that no remaining segment can name. A legal hold keeps all
 * segments since the held subject's first record.
 */
import { existsSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { BlockChain } from './block-chain.js';
import { addBlocks, FIRST_STATE, follows, headOf, readState, writeState } from './chain-files.js';
import { listChains, TAKEOVER_FOLDER } from './chains.js';
import { takeFolder } from './held-folder.js';
import { KeysBusyError, type SubjectKeys } from './privacy/subject-keys.js';
import { listSegments, type SegmentFile } from './segments.js';

const DAY_MICROS = 86_400_000_000;
const MICROS_PER_MS = 1000;

interface RetentionOptions {
  /** Of the journal, not of a takeover's chain in it. */
  readonly folder: string;
  /** Another process may change them at the same time. @throws {Error} when they cannot be read */
  readonly openKeys: () => SubjectKeys;
  readonly retentionMicros: number;
  /** Time of day, µs since the Unix epoch. */
  readonly nowMicros: () => number;
}

export class Retention {
  readonly #options: RetentionOptions;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** @param own the folder of the chain that this process writes */
  async run(own: string): Promise<void> {
    const { folder, openKeys, nowMicros, retentionMicros } = this.#options;
    const keys = openKeys();
    try {
      const { heldSince } = keys;
      const from = nowMicros() - retentionMicros;
      // Records from here on must stay.
      const keepFromMicros = heldSince === undefined ? from : Math.min(from, heldSince * DAY_MICROS);
      await prune(own, keepFromMicros);
      const other = join(folder, TAKEOVER_FOLDER);
      // The chain of a process that has ended: its last segment is never continued if no takeover follows.
      if (own === folder && existsSync(other)) await whileUnlocked(other, () => prune(other, keepFromMicros, true));
      await this.#expire(keys);
    } finally {
      keys.close();
    }
  }

  async #expire(keys: SubjectKeys): Promise<void> {
    const { folder, nowMicros } = this.#options;
    let first = nowMicros();
    for (const chain of listChains(folder)) {
      const [segment] = listSegments(chain.folder);
      if (segment !== undefined) first = Math.min(first, await openedMicros(segment));
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
async function prune(folder: string, beforeMicros: number, isEnded = false): Promise<void> {
  const segments = listSegments(folder);
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1];
    if (next === undefined && !isEnded) return;
    if (next !== undefined && !segment.isSealed && !isEnded) return;
    const endMicros = next === undefined ? statSync(segment.path).mtimeMs * MICROS_PER_MS : await openedMicros(next);
    if (endMicros >= beforeMicros) return;
    const chain = new BlockChain(readState(folder, FIRST_STATE));
    // It differs if a crash kept the segment after its blocks were noted.
    if (await follows(segment, chain)) {
      await addBlocks(segment, chain);
      writeState(folder, FIRST_STATE, chain.state);
    }
    unlinkSync(segment.path);
  }
}

/** When a segment was begun; `Infinity` if its head does not tell: then it stays. */
async function openedMicros(segment: SegmentFile): Promise<number> {
  const ms = Date.parse(String((await headOf(segment))?.opened));
  return Number.isNaN(ms) ? Number.POSITIVE_INFINITY : ms * MICROS_PER_MS;
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
