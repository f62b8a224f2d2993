/** What a frame is to the chain of its topic. */

/** A decoded server frame: one JSON object or MessagePack map. */
export type ServerFrame = Readonly<Record<string, unknown>>;

/** Where a topic stands: a `seq` means nothing without its `epoch`. */
export interface ChainPosition {
  readonly epoch: string;
  readonly seq: number;
}

/** What a frame did. After `broken`, `checksum_mismatch` or `patch_failed` ask the server to `resync` the state topic. */
export type FrameOutcome =
  /**
   * `snapshot`, `delta`, `event`: applied, for these topics. `ignored`: a delta of a topic whose chain broke before and
   * that waits for its snapshot. `control`: carries no data.
   */
  | { readonly kind: 'snapshot' | 'delta' | 'event' | 'ignored' | 'control'; readonly topics: readonly string[] }
  /** The server announced that it lost these events; the chain goes on after `to`. */
  | { readonly kind: 'gap'; readonly topics: readonly string[]; readonly from: number; readonly to: number }
  /**
   * The frame does not follow what is held: a loss nobody announced. `expected` is undefined where nothing is held yet.
   * A whole frame (`orderbook`, an event) is taken all the same and the chain goes on from it.
   */
  | {
      readonly kind: 'broken';
      readonly topic: string;
      readonly expected: ChainPosition | undefined;
      readonly got: ChainPosition;
    }
  /** The book after the frame is not the server's. */
  | {
      readonly kind: 'checksum_mismatch';
      readonly topic: string;
      readonly expected: number;
      readonly got: number;
    }
  /** An operation does not fit the document. */
  | { readonly kind: 'patch_failed'; readonly topic: string; readonly reason: string }
  /** A data frame without the members that its type must have. */
  | { readonly kind: 'malformed'; readonly reason: string };

export const CONTROL: FrameOutcome = { kind: 'control', topics: [] };

/** The chained members of a delta or event frame. */
export interface Link {
  readonly topic: string;
  /** The topic's name within its stream: a symbol, a user, a channel or a room. */
  readonly name: string;
  readonly position: ChainPosition;
  /** `prev_seq`; undefined on a frame that has none (a snapshot may). */
  readonly previous: number | undefined;
}

/** The link of a frame whose topic is `stream` and the text in `member`; undefined where a chained member is missing. */
export function linkOf(frame: ServerFrame, stream: string, member: string): Link | undefined {
  const { [member]: name, epoch, seq, prev_seq: previous } = frame;
  if (typeof name !== 'string' || typeof epoch !== 'string' || !isSeq(seq)) return undefined;
  return {
    topic: `${stream}:${name}`,
    name,
    position: { epoch, seq },
    previous: isSeq(previous) ? previous : undefined,
  };
}

export function follows(link: Link, held: ChainPosition | undefined): boolean {
  return held !== undefined && held.epoch === link.position.epoch && held.seq === link.previous;
}

export function brokenAt(link: Link, expected: ChainPosition | undefined): FrameOutcome {
  const got = { epoch: link.position.epoch, seq: link.previous ?? Number.NaN };
  return { kind: 'broken', topic: link.topic, expected, got };
}

export function malformed(reason: string): FrameOutcome {
  return { kind: 'malformed', reason };
}

export function positionOf(value: unknown): ChainPosition | undefined {
  if (!isRecord(value)) return undefined;
  const { epoch, seq } = value;
  return typeof epoch === 'string' && isSeq(seq) ? { epoch, seq } : undefined;
}

export function isStateTopic(topic: string): boolean {
  return topic.startsWith('quotes:') || topic.startsWith('depth:') || topic.startsWith('orderbook:');
}

export function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : [];
}
