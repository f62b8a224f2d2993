/** The chains of a journal: the gateway's own, and that of a process that took over while the first one still held the folder. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ChainState, EMPTY_CHAIN } from './block-chain.js';
import { FIRST_STATE, readState } from './chain-files.js';
import { listSegments } from './segments.js';

/** The folder of the second chain, in that of the first. */
export const TAKEOVER_FOLDER = 'takeover';

export interface Chain {
  /** Prefix of its files' names: '' or `takeover/`. */
  readonly prefix: string;
  readonly folder: string;
}

/** The chains in a journal's folder, its own first. @throws {Error} when the folder cannot be read */
export function listChains(folder: string): Chain[] {
  const second = join(folder, TAKEOVER_FOLDER);
  const chains = [
    { prefix: '', folder },
    { prefix: `${TAKEOVER_FOLDER}/`, folder: second },
  ];
  return chains.filter(chain => chain.folder !== second || existsSync(second)).filter(hasSegments);
}

function hasSegments({ folder }: Chain): boolean {
  return listSegments(folder).length > 0;
}

/** The state before the chain's first segment. @throws {Error} when it is damaged */
export function startOf({ folder }: Chain): ChainState {
  return readState(folder, FIRST_STATE) ?? EMPTY_CHAIN;
}
