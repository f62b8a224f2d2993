/** Proves that a journal is as it was written: its chain by itself, its end and its history by checkpoints kept elsewhere. */
import type { KeyObject } from 'node:crypto';
import { blockHash, type ChainState, closingLine } from './block-chain.js';
import { type Checkpoint, readCheckpoint } from './checkpoint.js';
import { HASH_BYTES, MerkleTree } from './merkle-tree.js';
import { listSegments, parseLine, type RawLine, readLines, type SegmentFile } from './segments.js';

/** Faults listed at most; more are counted. */
const FAULTS_MAX = 100;

/** Something that is not as it was written. */
export interface Fault {
  /** `000002.mjl line 17`, or a checkpoint's `checkpoint of 120 blocks`. */
  readonly where: string;
  readonly what: string;
}

export interface Verdict {
  readonly segments: number;
  /** Blocks that were removed after their retention: the journal begins behind them. */
  readonly blocksBefore: number;
  readonly blocks: number;
  readonly records: number;
  readonly checkpoints: number;
  /** Blocks that a checkpoint covers: what was changed before it is found even if all hashes were made again. */
  readonly coveredBlocks: number;
  readonly faults: readonly Fault[];
  readonly faultsLeftOut: number;
  /** Lines behind the last block: the gateway runs, or it crashed. */
  readonly openLines: number;
}

interface VerifyOptions {
  readonly folder: string;
  /** The state before the first segment that is still there. */
  readonly start: ChainState;
  /** Checkpoint notes that were kept elsewhere. */
  readonly notes: readonly string[];
  /** The public key that signs them; undefined to leave signatures unchecked. */
  readonly key: KeyObject | undefined;
}

/** @throws {Error} when the folder cannot be read */
export async function verifyJournal(options: VerifyOptions): Promise<Verdict> {
  const verification = new Verification(options.start);
  const checkpoints = verification.takeNotes(options.notes, options.key);
  const segments = listSegments(options.folder);
  for (const segment of segments) await verification.segment(segment);
  verification.end(checkpoints);
  return verification.verdict(segments.length);
}

class Verification {
  /** Over the lines as they are. */
  readonly #tree: MerkleTree;
  readonly #firstBlock: number;
  /** The hash that the next block continues, and its number, as the file says. */
  #hash: Buffer;
  #block: number;
  readonly #faults: Fault[] = [];
  #faultsLeftOut = 0;
  #records = 0;
  #openLines = 0;
  #coveredBlocks = 0;
  #checkpoints = 0;
  #lastSegment: number | undefined;
  /** Roots that a checkpoint promises, by number of blocks. */
  readonly #promised = new Map<number, Checkpoint>();

  constructor({ hash, tree }: ChainState) {
    this.#tree = new MerkleTree(tree);
    this.#firstBlock = tree.size;
    this.#hash = hash;
    this.#block = tree.size;
  }

  takeNotes(notes: readonly string[], key: KeyObject | undefined): readonly Checkpoint[] {
    const read: Checkpoint[] = [];
    for (const [i, note] of notes.entries()) {
      const checkpoint = readCheckpoint(note, key);
      if (typeof checkpoint === 'string') {
        this.#fault(`checkpoint ${i + 1}`, CHECKPOINT_FAULTS[checkpoint]);
        continue;
      }
      const before = this.#promised.get(checkpoint.blocks);
      if (before !== undefined && !before.root.equals(checkpoint.root)) {
        this.#fault(nameOf(checkpoint), 'two checkpoints of the same number of blocks have different roots');
      }
      this.#promised.set(checkpoint.blocks, checkpoint);
      read.push(checkpoint);
    }
    this.#checkpoints = read.length;
    this.#compareRoot();
    return read;
  }

  async segment(file: SegmentFile): Promise<void> {
    const name = file.path.split(/[\\/]/).at(-1) ?? file.path;
    if (this.#lastSegment !== undefined && file.number !== this.#lastSegment + 1) {
      this.#fault(name, `segment ${this.#lastSegment + 1} is missing`);
    }
    // Only the last segment may have lines behind its last block.
    if (this.#openLines > 0)
      this.#fault(name, `the segment before it ends with ${this.#openLines} lines outside a block`);
    this.#lastSegment = file.number;
    let lines: Buffer[] = [];
    let line = 0;
    try {
      for await (const raw of readLines(file)) {
        line++;
        const where = `${name} line ${line}`;
        if (line === 1) this.#head(where, raw, file.number);
        const record = parseLine(raw.bytes);
        if (record === undefined || raw.isCut) {
          if (!raw.isCut) this.#fault(where, 'not a JSON object');
          lines.push(raw.bytes);
        } else if (line > 1 && Object.hasOwn(record, 'block')) {
          this.#close(where, raw.bytes, lines, line - lines.length === 1);
          lines = [];
        } else {
          lines.push(raw.bytes);
        }
      }
    } catch (cause) {
      this.#fault(
        `${name} after line ${line}`,
        `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      );
    }
    this.#openLines = lines.length;
  }

  #head(where: string, { bytes }: RawLine, number: number): void {
    const head = parseLine(bytes);
    if (head === undefined || head.segment !== number) this.#fault(where, `not the head of segment ${number}`);
    else if (head.prev !== this.#hash.toString('hex')) {
      this.#fault(where, 'does not continue the segment before it: `prev` is not the last hash');
    }
  }

  /** @param withHead the block is its segment's first, so one of its lines is the head */
  #close(where: string, closing: Buffer, lines: readonly Buffer[], withHead: boolean): void {
    const records = lines.length - (withHead ? 1 : 0);
    const hash = blockHash(this.#hash, lines);
    const found = closingOf(closing);
    this.#records += records;
    this.#tree.add(lines);
    if (!closing.equals(Buffer.from(closingLine(this.#block, records, hash)))) {
      if (found.block !== this.#block)
        this.#fault(where, `block ${this.#block} is missing: this is block ${found.block}`);
      else if (found.records !== records) {
        this.#fault(where, `block ${this.#block} has ${records} records; its closing line says ${found.records}`);
      } else this.#fault(where, `block ${this.#block} was changed: its hash does not match its lines`);
    }
    // What follows is compared with what this line says, so that each fault is found where it is.
    this.#hash = found.hash ?? hash;
    this.#block = Number.isSafeInteger(found.block) ? Number(found.block) + 1 : this.#block + 1;
    this.#compareRoot();
  }

  #compareRoot(): void {
    const promised = this.#promised.get(this.#tree.size);
    if (promised === undefined) return;
    if (promised.root.equals(this.#tree.root())) this.#coveredBlocks = this.#tree.size;
    else this.#fault(nameOf(promised), 'the journal had another history up to this checkpoint');
  }

  end(checkpoints: readonly Checkpoint[]): void {
    for (const checkpoint of checkpoints) {
      if (checkpoint.blocks > this.#tree.size) {
        this.#fault(nameOf(checkpoint), `the journal ends at ${this.#tree.size} blocks: its tail is missing`);
      }
    }
  }

  verdict(segments: number): Verdict {
    return {
      segments,
      blocksBefore: this.#firstBlock,
      blocks: this.#tree.size - this.#firstBlock,
      records: this.#records,
      checkpoints: this.#checkpoints,
      coveredBlocks: this.#coveredBlocks,
      faults: this.#faults,
      faultsLeftOut: this.#faultsLeftOut,
      openLines: this.#openLines,
    };
  }

  #fault(where: string, what: string): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push({ where, what });
    else this.#faultsLeftOut++;
  }
}

/** What a closing line says, whatever it is. */
function closingOf(line: Buffer): { block: unknown; records: unknown; hash: Buffer | undefined } {
  const { block, records, hash } = parseLine(line) ?? {};
  const bytes = Buffer.from(typeof hash === 'string' ? hash : '', 'hex');
  return { block, records, hash: bytes.length === HASH_BYTES ? bytes : undefined };
}

const CHECKPOINT_FAULTS = {
  malformed: 'not a checkpoint',
  unknown_key: 'signed with another key',
  bad_signature: 'its signature is wrong',
} as const;

const nameOf = ({ blocks }: Checkpoint): string => `checkpoint of ${blocks} blocks`;
