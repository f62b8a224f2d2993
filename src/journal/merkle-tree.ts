/** The Merkle tree of RFC 6962 section 2.1, grown leaf by leaf: it keeps the hashes along its right edge only. */
import { createHash } from 'node:crypto';

/** Bytes of a SHA-256 hash. */
export const HASH_BYTES = 32;
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const EMPTY_ROOT = createHash('sha256').digest();

/** A perfect subtree on the right edge: `2 ** height` leaves. */
interface Subtree {
  readonly height: number;
  readonly hash: Buffer;
}

/** The state of a tree: enough to grow it, and to tell its root. */
export interface TreeState {
  readonly size: number;
  /** Roots of the perfect subtrees, from the left: one for each bit of `size` that is set. */
  readonly edge: readonly Buffer[];
}

export class MerkleTree {
  #size: number;
  readonly #edge: Subtree[];

  /** @param state of a tree to continue; by default an empty one */
  constructor({ size, edge }: TreeState = { size: 0, edge: [] }) {
    this.#size = size;
    const heights = heightsOf(size);
    if (edge.length !== heights.length || edge.some(hash => hash.length !== HASH_BYTES)) {
      throw new RangeError(`a tree of ${size} leaves has ${heights.length} hashes on its edge`);
    }
    this.#edge = edge.map((hash, i) => ({ height: heights[i] ?? 0, hash }));
  }

  get size(): number {
    return this.#size;
  }

  get state(): TreeState {
    return { size: this.#size, edge: this.#edge.map(({ hash }) => hash) };
  }

  /** Adds a leaf. @param content what is hashed, in pieces */
  add(content: readonly Uint8Array[]): void {
    let subtree: Subtree = { height: 0, hash: hashOf(LEAF, ...content) };
    for (let left = this.#edge.at(-1); left?.height === subtree.height; left = this.#edge.at(-1)) {
      this.#edge.pop();
      subtree = { height: left.height + 1, hash: hashOf(NODE, left.hash, subtree.hash) };
    }
    this.#edge.push(subtree);
    this.#size++;
  }

  root(): Buffer {
    const hashes = this.#edge.map(({ hash }) => hash);
    return (
      hashes.reduceRight<Buffer | undefined>(
        (right, left) => (right === undefined ? left : hashOf(NODE, left, right)),
        undefined,
      ) ?? EMPTY_ROOT
    );
  }
}

/** Heights of the perfect subtrees of a tree, from the left. */
function heightsOf(size: number): number[] {
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`${size} is no number of leaves`);
  const bits = size.toString(2);
  return size === 0 ? [] : [...bits].flatMap((bit, i) => (bit === '1' ? [bits.length - 1 - i] : []));
}

function hashOf(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
