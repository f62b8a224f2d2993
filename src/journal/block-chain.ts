/**
 * The hash chain over a journal's blocks, and the tree over the same blocks. A block is one or more lines; its hash covers
 * the hash before it and the lines with their newlines, but not the line that closes the block, which holds the hash.
 */
import { createHash } from 'node:crypto';
import { HASH_BYTES, MerkleTree, type TreeState } from './merkle-tree.js';

/** Where a chain stands. */
export interface ChainState {
  /** Hash of the last block; zeros before the first. */
  readonly hash: Buffer;
  /** The tree over all blocks; its size is their number. */
  readonly tree: TreeState;
}

export const EMPTY_CHAIN: ChainState = { hash: Buffer.alloc(HASH_BYTES), tree: { size: 0, edge: [] } };

export class BlockChain {
  #hash: Buffer;
  readonly #tree: MerkleTree;

  constructor({ hash, tree }: ChainState = EMPTY_CHAIN) {
    this.#hash = hash;
    this.#tree = new MerkleTree(tree);
  }

  /** Blocks so far: the number of the next one. */
  get blocks(): number {
    return this.#tree.size;
  }

  get hash(): Buffer {
    return this.#hash;
  }

  get state(): ChainState {
    return { hash: this.#hash, tree: this.#tree.state };
  }

  root(): Buffer {
    return this.#tree.root();
  }

  /** @param lines with their newlines, in pieces. @returns the hash of the block that they are */
  add(lines: readonly Uint8Array[]): Buffer {
    this.#hash = blockHash(this.#hash, lines);
    this.#tree.add(lines);
    return this.#hash;
  }
}

/** @param before hash of the block before it. @param lines with their newlines, in pieces */
export function blockHash(before: Buffer, lines: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256').update(before);
  for (const piece of lines) hash.update(piece);
  return hash.digest();
}

/** The line that closes a block, with its newline. @param records lines in the block, without the head of a segment */
export function closingLine(block: number, records: number, hash: Buffer): string {
  return `${JSON.stringify({ block, records, hash: hash.toString('hex') })}\n`;
}

/** A chain's state as JSON, for a file beside the segments. */
export function chainText({ hash, tree }: ChainState): string {
  return JSON.stringify({ blocks: tree.size, hash: hash.toString('hex'), edge: tree.edge.map(h => h.toString('hex')) });
}

/** @throws {RangeError} when the text is not that of a chain's state */
export function parseChain(text: string): ChainState {
  try {
    const { blocks, hash, edge } = JSON.parse(text) as { blocks: number; hash: string; edge: string[] };
    const state = {
      hash: Buffer.from(hash, 'hex'),
      tree: { size: blocks, edge: edge.map(hex => Buffer.from(hex, 'hex')) },
    };
    new MerkleTree(state.tree);
    if (state.hash.length === HASH_BYTES) return state;
  } catch (cause) {
    throw new RangeError('not the state of a journal', { cause });
  }
  throw new RangeError('not the state of a journal');
}
