/** What a journal's folder tells about its chain: states that were noted, and the blocks of a segment. */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BlockChain, type ChainState, chainText, parseChain } from './block-chain.js';
import { RecordTimes } from './segment-times.js';
import { headOf, parseLine, readLines, type SegmentFile } from './segments.js';

/** The state before the first segment that is kept, and before the last one. */
export const FIRST_STATE = 'first.json';
export const LAST_STATE = 'last.json';
/** Only the owner and the group may read: the journal holds personal data. */
export const FILE_MODE = 0o640;

/** Lines behind a segment's last block. */
export interface OpenLines {
  readonly lines: readonly Buffer[];
  /** Bytes up to the end of the last whole line. */
  readonly end: number;
  /** The lines are the whole segment: the first is its head. */
  readonly isWhole: boolean;
  /** Of all records of the segment. */
  readonly times: RecordTimes;
}

/** Adds a segment's blocks to a chain. @returns what stands behind the last one */
export async function addBlocks(segment: SegmentFile, chain: BlockChain): Promise<OpenLines> {
  let lines: Buffer[] = [];
  let count = 0;
  let end = 0;
  const times = new RecordTimes();
  for await (const { bytes, isCut } of readLines(segment)) {
    if (isCut) break;
    count++;
    end += bytes.length;
    if (count > 1 && Object.hasOwn(parseLine(bytes) ?? {}, 'block')) {
      chain.add(lines);
      lines = [];
    } else lines.push(bytes);
    times.add([bytes]);
  }
  return { lines, end, isWhole: lines.length === count, times };
}

/** Whether a segment has neither a head nor a block: a crash left it. */
export async function isUnbegun(segment: SegmentFile): Promise<boolean> {
  let isFirst = true;
  for await (const { bytes, isCut } of readLines(segment)) {
    const line = isCut ? undefined : parseLine(bytes);
    if (line !== undefined && (isFirst || Object.hasOwn(line, 'block'))) return false;
    isFirst = false;
  }
  return true;
}

/** Whether a segment begins where the chain has this state. */
export async function follows(segment: SegmentFile, { hash }: Pick<ChainState, 'hash'>): Promise<boolean> {
  return (await headOf(segment))?.prev === hash.toString('hex');
}

export function readState(folder: string, name: string): ChainState | undefined {
  const path = join(folder, name);
  if (!existsSync(path) || statSync(path).size === 0) return undefined;
  return parseChain(readFileSync(path, 'utf8'));
}

export function writeState(folder: string, name: string, state: ChainState): void {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, chainText(state), { mode: FILE_MODE, flush: true });
  renameSync(`${path}.new`, path);
}
