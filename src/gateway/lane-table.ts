/**
 * What this worker's sockets are subscribed to: one entry per lane and tier, with its native uWS topic. An entry exists
 * while a session holds it; the hub is told of the first and the last.
 */
import { classNameOfLane, isMsgpackLane, isStampedLane, servedLane, type Tier } from '../protocol/lanes.js';
import type { InterestChange } from '../protocol/thread-messages.js';
import { ALL_SYMBOLS, isStateStream, type Stream, sourceKindOf, topicOf } from '../protocol/topics.js';
import { EventSeqs, type Place } from './event-seqs.js';
import { LaneOwners } from './lane-owners.js';
import type { Subscription } from './session.js';

const REQUESTS_FROM_MAX = 2 ** 31;

/** Messages and bytes sent for one stream, format and class. */
export interface SentCell {
  messages: number;
  bytes: number;
}

/** Finds the cell of a stream, format and class in the map, or makes it there. */
export function sentCellsIn(cells: Map<string, SentCell>): LaneTable['sentCell'] {
  return (stream, format, rateClass) => {
    const key = `${stream}|${format}|${rateClass}`;
    let cell = cells.get(key);
    if (cell === undefined) {
      cell = { messages: 0, bytes: 0 };
      cells.set(key, cell);
    }
    return cell;
  };
}

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
  /** Number of the outstanding request; 0: none, the lane is live. */
  request: number;
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

/** All trades of a lane, and the entries of one tier by source and lane. */
class TierTable {
  readonly #bySource: (LaneEntry | undefined)[][] = [];
  readonly #allTrades: (LaneEntry | undefined)[] = [];

  get(source: number, lane: number): LaneEntry | undefined {
    return this.#bySource[source]?.[lane];
  }

  allTrades(lane: number): LaneEntry | undefined {
    return this.#allTrades[lane];
  }

  /** Encoders answer for all trades one after another: where the sources of the first stand is noted meanwhile. */
  putAllTrades(entry: LaneEntry): void {
    this.#allTrades[entry.lane] = entry;
  }

  forgetTrades(sources: readonly number[]): void {
    for (const entry of this.#allTrades) for (const source of sources) entry?.seqs.forget(source);
  }

  put(entry: LaneEntry): void {
    this.#bySource[entry.source] ??= [];
    (this.#bySource[entry.source] as LaneEntry[])[entry.lane] = entry;
  }

  remove(entry: LaneEntry): void {
    if (entry.isAllTrades) this.#allTrades[entry.lane] = undefined;
    if (entry.source < 0) return;
    const lanes = this.#bySource[entry.source];
    if (lanes !== undefined) lanes[entry.lane] = undefined;
  }
}

export class LaneTable {
  readonly #entries = new Map<string, LaneEntry>();
  readonly #asking = new Map<number, LaneEntry>();
  readonly #wants = new Map<string, number>();
  readonly #owners = new LaneOwners();
  readonly #tables: Record<Tier, TierTable> = { institutional: new TierTable(), retail: new TierTable() };
  readonly #counts: Record<Tier, number> = { institutional: 0, retail: 0 };
  readonly #rings: number;
  readonly #tell: (change: InterestChange) => void;
  readonly #sentCell: (stream: Stream, format: string, rateClass: string) => SentCell;
  /** Begins anywhere: an answer to the thread that this one replaced must not pass for an answer to this one. */
  #lastRequest = Math.floor(Math.random() * REQUESTS_FROM_MAX);
  #lastNative = 0;

  /**
   * @param rings encoders, each of which answers for the trades of all symbols
   * @param tell queues a change of interest for the hub
   */
  constructor(rings: number, tell: (change: InterestChange) => void, sentCell: LaneTable['sentCell']) {
    this.#rings = rings;
    this.#tell = tell;
    this.#sentCell = sentCell;
  }

  get sentCell(): (stream: Stream, format: string, rateClass: string) => SentCell {
    return this.#sentCell;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Entries of a tier: none means that its pass over the frames can be left out. */
  count(tier: Tier): number {
    return this.#counts[tier];
  }

  entries(): IterableIterator<LaneEntry> {
    return this.#entries.values();
  }

  /** Sources that are no more: the trades of all symbols stand nowhere in them. */
  forgetSources(sources: readonly number[]): void {
    for (const table of Object.values(this.#tables)) table.forgetTrades(sources);
  }

  get(tier: Tier, source: number, lane: number): LaneEntry | undefined {
    return this.#tables[tier].get(source, lane);
  }

  allTrades(tier: Tier, lane: number): LaneEntry | undefined {
    return this.#tables[tier].allTrades(lane);
  }

  /** The entry that asked, when the answer is to its newest request. */
  asked(request: number): LaneEntry | undefined {
    return this.#asking.get(request);
  }

  /**
   * The entry for a lane, made and asked for when it is new. Each call must be matched by one `release`.
   * @param asked of a state topic: the tier and `steps` decide which lane serves it
   * @param owner on whose behalf (owner.ts)
   */
  acquire(stream: Stream, symbol: string, asked: number, tier: Tier, steps = 0, owner = 0): LaneEntry {
    const lane = isStateStream(stream) ? servedLane(asked, tier, steps) : asked;
    const key = `${tier}|${stream}|${lane}|${symbol}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = this.#create(stream, symbol, lane, tier);
      this.#entries.set(key, entry);
      this.#counts[tier]++;
      if (entry.isAllTrades) this.#tables[tier].putAllTrades(entry);
      this.#want(entry, owner);
    }
    if (stream === 'rooms') this.#owners.hold(wantKey(entry), owner);
    entry.holders++;
    return entry;
  }

  /** @param owner as it was given to `acquire` */
  release(entry: LaneEntry, owner = 0): void {
    const heir = entry.stream === 'rooms' ? this.#owners.leave(wantKey(entry), owner) : undefined;
    if (heir !== undefined) this.#tell({ op: 'own', source: entry.sourceName, lane: entry.lane, owner: heir });
    if (--entry.holders > 0) return;
    this.#entries.delete(`${entry.tier}|${entry.stream}|${entry.lane}|${entry.symbol}`);
    this.#counts[entry.tier]--;
    this.#asking.delete(entry.request);
    this.#tables[entry.tier].remove(entry);
    const key = wantKey(entry);
    const left = (this.#wants.get(key) ?? 1) - 1;
    if (left > 0) {
      this.#wants.set(key, left);
      return;
    }
    this.#wants.delete(key);
    this.#tell({ op: 'unwant', source: entry.sourceName, lane: entry.lane });
  }

  /**
   * Asks the encoder for the lane's document or sequence again, unless that is under way (false).
   * @param held what whoever asks holds of the topic, from another lane
   */
  ask(entry: LaneEntry, held?: HeldPlace): boolean {
    if (entry.request !== 0) return false;
    this.#tell({ op: 'ask', source: entry.sourceName, lane: entry.lane, request: this.#newRequest(entry), held });
    return true;
  }

  /** Wants a lane that was refused to one owner on behalf of another that holds it. */
  wantFor(entry: LaneEntry, owner: number): void {
    this.#asking.delete(entry.request);
    this.#owners.charge(wantKey(entry), owner);
    this.#tell({ op: 'want', source: entry.sourceName, lane: entry.lane, request: this.#newRequest(entry), owner });
  }

  /** As `ask`, where an answer that is on its way may have been lost. */
  askAgain(entry: LaneEntry): void {
    this.#asking.delete(entry.request);
    entry.request = 0;
    this.ask(entry);
  }

  /** Asks for what was missed of an event lane behind a place. @returns the request's number, which the frames carry */
  replay(entry: LaneEntry, since: { readonly epoch: string; readonly seq: number }): number {
    const request = ++this.#lastRequest;
    this.#tell({ op: 'replay', source: entry.sourceName, lane: entry.lane, request, since });
    return request;
  }

  /** Takes an answer; true when it was the last one due and the lane is live from here on. */
  answered(entry: LaneEntry, source: number, ring: number): boolean {
    if (entry.isAllTrades && --entry.answersDue > 0) return false;
    this.#asking.delete(entry.request);
    entry.request = 0;
    if (entry.source < 0) {
      entry.source = source;
      entry.ring = ring;
      this.#tables[entry.tier].put(entry);
    }
    return true;
  }

  #newRequest(entry: LaneEntry): number {
    const request = ++this.#lastRequest;
    entry.request = request;
    entry.answersDue = entry.isAllTrades ? this.#rings : 1;
    this.#asking.set(request, entry);
    return request;
  }

  #want(entry: LaneEntry, owner: number): void {
    const key = wantKey(entry);
    this.#wants.set(key, (this.#wants.get(key) ?? 0) + 1);
    const { sourceName: source, lane } = entry;
    // Where the other tier has it, this may be what has it made all the same: that may have been refused.
    const charged = this.#owners.chargedFor(key) ?? owner;
    this.#tell({ op: 'want', source, lane, request: this.#newRequest(entry), owner: charged });
  }

  #create(stream: Stream, symbol: string, lane: number, tier: Tier): LaneEntry {
    const isState = isStateStream(stream);
    const format = isMsgpackLane(lane) ? 'msgpack' : 'json';
    return {
      stream,
      symbol,
      topic: topicOf(stream, symbol),
      sourceName: `${sourceKindOf(stream)}:${symbol}`,
      lane,
      tier,
      isState,
      isAllTrades: stream === 'trades' && symbol === ALL_SYMBOLS,
      isMsgpack: isMsgpackLane(lane),
      // Arrays are stamped by the encoder, which alone can reach into them.
      isStamped: isStampedLane(lane) && stream !== 'analytics',
      nativeTopic: (++this.#lastNative).toString(36),
      sent: this.#sentCell(stream, format, isState ? classNameOfLane(lane) : 'event'),
      holders: 0,
      subscribers: 0,
      source: -1,
      ring: -1,
      request: 0,
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
}

/** Tiers share the hub's interest: the same bytes serve both. */
function wantKey(entry: LaneEntry): string {
  return `${entry.lane}|${entry.sourceName}`;
}
