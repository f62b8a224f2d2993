import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MerkleTree } from '../../../src/journal/merkle-tree.js';

const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();

/** MTH of RFC 6962 section 2.1, word for word. */
function treeHash(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return sha256(Uint8Array.of(0), leaves[0] as Buffer);
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Uint8Array.of(1), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}

describe('the Merkle tree', () => {
  it('has the root that RFC 6962 defines, at every size', () => {
    const leaves = Array.from({ length: 70 }, (_, i) => Buffer.from(`leaf ${i}`));
    const tree = new MerkleTree();
    for (const [i, leaf] of leaves.entries()) {
      expect(tree.root().equals(treeHash(leaves.slice(0, i)))).toBe(true);
      tree.add([leaf.subarray(0, 2), leaf.subarray(2)]);
    }
    expect(tree.root().equals(treeHash(leaves))).toBe(true);
  });

  it('continues from its state', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(50), (before, after) => {
        const leaves = Array.from({ length: before + after }, (_, i) => Buffer.from([i]));
        const first = new MerkleTree();
        for (const leaf of leaves.slice(0, before)) first.add([leaf]);
        const second = new MerkleTree(first.state);
        for (const leaf of leaves.slice(before)) second.add([leaf]);
        expect(second.root().equals(treeHash(leaves))).toBe(true);
        expect(second.size).toBe(before + after);
      }),
    );
  });

  it('refuses a state that no tree has', () => {
    expect(() => new MerkleTree({ size: 3, edge: [Buffer.alloc(32)] })).toThrow(RangeError);
    expect(() => new MerkleTree({ size: 1, edge: [Buffer.alloc(31)] })).toThrow(RangeError);
    expect(() => new MerkleTree({ size: -1, edge: [] })).toThrow(RangeError);
  });
});
