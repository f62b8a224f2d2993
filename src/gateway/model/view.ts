/** One lane of one tier, as this worker's sockets are subscribed to it, and what answers its requests. */
import {
  classNameOfLane,
  DEPTHS,
  detailOfLane,
  isMsgpackLane,
  isStampedLane,
  type Tier,
} from '../../protocol/lanes.js';
import { ALL_SYMBOLS, isStateStream, type Stream, sourceKindOf, topicOf } from '../../protocol/topics.js';
import { shardOf } from '../../threads/shard-of.js';
import { EventSeqs, type Place } from './positions.js';
import type { Subscription } from './session.js';

/** Messages and bytes sent for one stream, format and class. */
export interface SentCell {
  messages: number;
  bytes: number;
}

/** The cell of a stream, format and class. */
export type SentCells = (stream: Stream, format: string, rateClass: string) => SentCell;

export interface LaneEntry {
  readonly stream: Stream;
  /** The topic's name in its stream: a symbol, or a user, a channel, a room. */
  readonly symbol: string;
  /** `stream:symbol`. */
  readonly topic: string;
  /** `<kind>:<symbol>`, as the hub names it. */
  readonly sourceName: string;
  readonly lane: number;
  readonly tier: Tier;
  readonly isState: boolean;
  /** The trades of all symbols. (A user may be called `*`.) */
  readonly isAllTrades: boolean;
  readonly isMsgpack: boolean;
  readonly isStamped: boolean;
  /** The uWS topic. */
  readonly nativeTopic: string;
  readonly sent: SentCell;
  /** Sessions that hold this entry. */
  holders: number;
  /** Sockets subscribed to the native topic. */
  subscribers: number;
  /** Source number; -1 until the first answer. */
  source: number;
  /** The ring that feeds it; -1 until the first answer. */
  ring: number;
  /** The encoder that answers for it. */
  readonly shard: number;
  /** What an answer costs that encoder, in the unit of a small document. */
  readonly cost: number;
  /** The hub knows that it is wanted. */
  isWanted: boolean;
  /** On whose behalf the hub is asked for it. */
  owner: number;
  /** Number of the request that waits to be told, or for its answer; 0: none, the lane is live. */
  request: number;
  /** What whoever made that request holds of the topic, from another lane. */
  askedHeld: HeldPlace | undefined;
  /** Answers still due: one, but one from each encoder for the trades of all symbols. */
  answersDue: number;
  /** True while frames must not be published: the chain of those subscribed is broken until the answer comes. */
  isBroken: boolean;
  /** Event lanes: where they stand. */
  readonly seqs: EventSeqs;
  /** A broken event lane: the newest place published before, by source number. */
  sentSeqs: Map<number, Place> | undefined;
  /** Where the topic stands on this lane, and when that was last said to its subscribers (µs); epoch '' before any data. */
  epoch: string;
  lastSeq: number;
  sentAtMicros: number;
  /** Subscriptions that wait for the answer. */
  readonly waiting: Set<Subscription>;
  /** Subscriptions that hold more of the topic than the lane was sent, and wait until it gets there. */
  readonly behind: Set<Subscription>;
  /** Subscriptions that have their part and wait for those of other symbols; they get what follows queued. */
  readonly held: Set<Subscription>;
  /** Event lanes: subscriptions that resume and have not come to their mark. */
  readonly recovering: Set<Subscription>;
  /** The last part, while no frame has followed it. */
  part: Part | undefined;
  /** State topics that are held back: the frame that says so, for whoever is sent their document. */
  stale: Uint8Array | undefined;
  /** Run when the lane becomes live, or (false) when it cannot be had. */
  readonly whenLive: ((isLive: boolean) => void)[];
}

/** Up to where a session holds a state topic. */
export interface HeldPlace {
  readonly epoch: string;
  readonly seq: number;
}

/** The answer to a snapshot request. */
export interface Part {
  readonly seq: number;
  readonly epoch: string;
  /** Empty: the topic has no data yet. */
  readonly bytes: Uint8Array;
}

/** The part of a topic without data. */
export const NO_DATA: Part = { seq: 0, epoch: '', bytes: new Uint8Array(0) };

/** Levels of a book that cost an encoder what a small document does. */
const LEVELS_PER_COST = 12.5;
/** The trades of all symbols are answered for topic by topic. */
const ALL_TRADES_COST = 8;

export interface NewLane {
  readonly stream: Stream;
  readonly symbol: string;
  readonly lane: number;
  readonly tier: Tier;
  readonly owner: number;
}

/** A lane that is neither wanted nor held. @param shards encoders */
export function newLaneEntry(
  { stream, symbol, lane, tier, owner }: NewLane,
  nativeTopic: string,
  shards: number,
  sentCell: SentCells,
): LaneEntry {
  const isState = isStateStream(stream);
  const isAllTrades = stream === 'trades' && symbol === ALL_SYMBOLS;
  const format = isMsgpackLane(lane) ? 'msgpack' : 'json';
  const sourceName = `${sourceKindOf(stream)}:${symbol}`;
  return {
    stream,
    symbol,
    topic: topicOf(stream, symbol),
    sourceName,
    lane,
    tier,
    isState,
    isAllTrades,
    isMsgpack: isMsgpackLane(lane),
    // Arrays are stamped by the encoder, which alone can reach into them.
    isStamped: isStampedLane(lane) && stream !== 'analytics',
    nativeTopic,
    sent: sentCell(stream, format, isState ? classNameOfLane(lane) : 'event'),
    holders: 0,
    subscribers: 0,
    source: -1,
    ring: -1,
    shard: shardOf(sourceName, shards),
    cost: isAllTrades ? ALL_TRADES_COST : costOf(stream, lane),
    isWanted: false,
    owner,
    request: 0,
    askedHeld: undefined,
    answersDue: 0,
    isBroken: false,
    seqs: new EventSeqs(),
    sentSeqs: undefined,
    epoch: '',
    lastSeq: 0,
    sentAtMicros: 0,
    waiting: new Set(),
    behind: new Set(),
    held: new Set(),
    recovering: new Set(),
    part: undefined,
    stale: undefined,
    whenLive: [],
  };
}

function costOf(stream: Stream, lane: number): number {
  if (stream !== 'depth') return 1;
  return Math.ceil((DEPTHS[detailOfLane(lane) - 1] ?? 0) / LEVELS_PER_COST);
}
