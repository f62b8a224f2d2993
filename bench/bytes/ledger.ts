/**
 * Counts what updates cost on the wire, in WebSocket payload bytes: as JSON Patch and as MessagePack frames, as received,
 * and what the same updates would have cost as whole objects. The whole objects come from the client's own document, to
 * which the received patches are applied.
 */
import { unpack } from 'msgpackr';
import { applyPatch, type Operation } from 'rfc6902';

/** The members of patch frames that are counted here, see PROTOCOL: quotes, depth. */
interface PatchFrame {
  readonly type: string;
  readonly snapshot?: boolean;
  readonly symbol: string;
  readonly epoch: string;
  readonly prev_seq: number;
  readonly seq: number;
  readonly operations: Operation[];
  readonly checksum?: number;
}

/** How a stream's document is laid out. */
interface StreamShape {
  readonly type: 'quotes_patch' | 'depth_patch';
  readonly empty: () => unknown;
  /** The operations that send whole what an update of `symbol` changes. */
  readonly wholeOf: (document: unknown, symbol: string) => Operation[];
}

export const QUOTES: StreamShape = {
  type: 'quotes_patch',
  empty: () => ({ quotes: {} }),
  wholeOf: (document, symbol) => {
    const path = `/quotes/${symbol.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return [{ op: 'replace', path, value: (document as { quotes: Record<string, unknown> }).quotes[symbol] }];
  },
};

export const DEPTH: StreamShape = {
  type: 'depth_patch',
  empty: () => ({ bids: {}, asks: {} }),
  wholeOf: document => {
    const { bids, asks } = document as { bids: unknown; asks: unknown };
    return [
      { op: 'replace', path: '/bids', value: bids },
      { op: 'replace', path: '/asks', value: asks },
    ];
  },
};

/** Sums over the updates that came in both formats. */
export interface WireBytes {
  readonly updates: number;
  readonly operations: number;
  /** Bursts of updates, one per interval of the feed. */
  readonly ticks: number;
  readonly jsonPatch: number;
  readonly msgpackPatch: number;
  /** The changed object of every update whole, as a patch of the same frame would replace it. */
  readonly wholeObjects: number;
  /** Updates whose JSON Patch is longer than that. */
  readonly longerThanWhole: number;
  /** At every tick one frame with every object of the document. */
  readonly wholeLists: number;
}

interface Update {
  readonly key: string;
  readonly tick: number;
  readonly operations: number;
  readonly patchBytes: number;
  readonly wholeBytes: number;
}

/** One client's document and what its updates cost. */
export class Ledger {
  readonly #shape: StreamShape;
  readonly #tickGapMs: number;
  readonly #document: unknown;
  readonly #updates: Update[] = [];
  readonly #msgpackBytes = new Map<string, number>();
  readonly #listBytes: number[] = [];
  #lastUpdateMs = Number.NEGATIVE_INFINITY;
  #fault: string | undefined;

  /** @param tickGapMs updates further apart than this belong to different ticks. */
  constructor(shape: StreamShape, tickGapMs: number) {
    this.#shape = shape;
    this.#tickGapMs = tickGapMs;
    this.#document = shape.empty();
  }

  /** Updates so far, as text frames. */
  get updates(): number {
    return this.#updates.length;
  }

  /** A text frame. */
  json(text: string, atMs: number): void {
    const frame = JSON.parse(text) as PatchFrame;
    if (frame.type !== this.#shape.type) return;
    if (frame.snapshot !== true && atMs - this.#lastUpdateMs > this.#tickGapMs) this.#beginTick();
    const fault = applyPatch(this.#document, frame.operations).find(result => result !== null);
    if (fault !== undefined) this.#fault ??= `${fault?.name} in ${text}`;
    if (frame.snapshot === true) return;
    this.#lastUpdateMs = atMs;
    this.#updates.push({
      key: keyOf(frame),
      tick: this.#listBytes.length,
      operations: frame.operations.length,
      patchBytes: Buffer.byteLength(text),
      wholeBytes: Buffer.byteLength(JSON.stringify(this.#wholeFrame(frame))),
    });
  }

  /** A binary frame with the same updates. */
  msgpack(bytes: Buffer): void {
    const frame = unpack(bytes) as PatchFrame;
    if (frame.type === this.#shape.type && frame.snapshot !== true) this.#msgpackBytes.set(keyOf(frame), bytes.length);
  }

  /**
   * Ends the last tick and sums up, once. An update that only one of the two clients has (at the edges) is left out.
   * @throws {Error} when a patch did not apply to the document.
   */
  close(): WireBytes {
    if (this.#fault !== undefined) throw new Error(`a patch does not apply: ${this.#fault}`);
    this.#beginTick();
    const common = this.#updates.filter(update => this.#msgpackBytes.has(update.key));
    const ticks = new Set(common.map(update => update.tick));
    const sum = (figure: (update: Update) => number): number =>
      common.reduce((total, update) => total + figure(update), 0);
    return {
      updates: common.length,
      operations: sum(update => update.operations),
      ticks: ticks.size,
      jsonPatch: sum(update => update.patchBytes),
      msgpackPatch: sum(update => this.#msgpackBytes.get(update.key) ?? 0),
      wholeObjects: sum(update => update.wholeBytes),
      longerThanWhole: common.filter(update => update.patchBytes > update.wholeBytes).length,
      wholeLists: [...ticks].reduce((total, tick) => total + (this.#listBytes[tick] ?? 0), 0),
    };
  }

  /** Ends the tick before: its list is the document as it stands. The first one, before any update, is never counted. */
  #beginTick(): void {
    const list = { type: this.#shape.type, ...(this.#document as object) };
    this.#listBytes.push(Buffer.byteLength(JSON.stringify(list)));
  }

  #wholeFrame(frame: PatchFrame): unknown {
    return { ...frame, operations: this.#shape.wholeOf(this.#document, frame.symbol) };
  }
}

function keyOf({ symbol, epoch, seq }: PatchFrame): string {
  return `${symbol} ${epoch} ${seq}`;
}
