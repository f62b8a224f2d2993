/**
 * What this worker's sockets are subscribed to: one entry per lane and tier, with its native uWS topic. An entry exists
 * while a session holds it; the hub is told of the first and the last.
 */
import { servedLane, type Tier } from '../../protocol/lanes.js';
import { isStateStream, type Stream } from '../../protocol/topics.js';
import type { InterestChange } from '../../threads/thread-messages.js';
import type { LaneEntry, Subscription } from '../model/session.js';
import { type HeldPlace, type SentCell, type SentCells, ViewOf } from '../model/view.js';
import type { Asker } from './request-queue.js';
import { TierTable } from './tier-views.js';
import { LaneRequests, type RequestLimits } from './view-requests.js';

export { type HeldPlace, NO_DATA, type Part, type SentCell } from '../model/view.js';

/** Finds the cell of a stream, format and class in the map, or makes it there. */
export function sentCellsIn(cells: Map<string, SentCell>): SentCells {
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

/**
 * The trades of all symbols are kept this much longer than anybody holds them: they are answered for symbol by symbol, and who
 * leaves and comes back must not have that done each time.
 */
export const LINGER_MS = 3_000;

export class LaneTable {
  /** What is asked of the hub. */
  readonly requests: LaneRequests;
  readonly sentCell: SentCells;
  readonly #entries = new Map<string, LaneEntry>();
  readonly #tables: Record<Tier, TierTable> = { institutional: new TierTable(), retail: new TierTable() };
  readonly #counts: Record<Tier, number> = { institutional: 0, retail: 0 };
  readonly #rings: number;
  #lastNative = 0;
  /** Entries that nobody holds, and when a look first saw that. */
  readonly #lingering = new Map<LaneEntry, { sinceMs: number | undefined }>();

  /**
   * @param rings encoders, each of which answers for the trades of all symbols
   * @param tell queues a change of interest for the hub
   */
  constructor(
    rings: number,
    tell: (change: InterestChange) => void,
    sentCell: SentCells,
    limits?: Partial<RequestLimits>,
  ) {
    this.#rings = rings;
    this.sentCell = sentCell;
    this.requests = new LaneRequests(rings, tell, limits);
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
    return this.requests.asked(request);
  }

  /**
   * The entry for a lane, made when it is new. Until it is live it is asked for in the asker's turn. Each call must be
   * matched by one `release`.
   * @param asked of a state topic: the asker's tier and `steps` decide which lane serves it
   */
  acquire(stream: Stream, symbol: string, asked: number, asker: Asker, steps = 0): LaneEntry {
    const { tier } = asker;
    const lane = isStateStream(stream) ? servedLane(asked, tier, steps) : asked;
    const key = `${tier}|${stream}|${lane}|${symbol}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const nativeTopic = (++this.#lastNative).toString(36);
      entry = new ViewOf<Subscription>(
        { stream, symbol, lane, tier, owner: asker.owner ?? 0 },
        nativeTopic,
        this.#rings,
        this.sentCell,
      );
      this.#entries.set(key, entry);
      this.#counts[tier]++;
      if (entry.isAllTrades) this.#tables[tier].putAllTrades(entry);
    }
    if (stream === 'rooms') this.requests.hold(entry, asker.owner ?? 0);
    if (entry.source < 0) this.requests.ask(entry, asker);
    this.#lingering.delete(entry);
    entry.hold();
    return entry;
  }

  /** @param owner of the asker that it was given to by `acquire` */
  release(entry: LaneEntry, owner = 0): void {
    if (entry.stream === 'rooms') this.requests.leave(entry, owner);
    if (entry.release()) {
      if (!entry.isAwaited) this.requests.withdraw(entry);
      return;
    }
    const isKept = entry.isAllTrades && entry.source >= 0 && !entry.isBroken;
    if (isKept) this.#lingering.set(entry, { sinceMs: undefined });
    else this.#end(entry);
  }

  /** Ends an entry that nobody holds any more; false where somebody does. */
  endLingering(entry: LaneEntry): boolean {
    if (!this.#lingering.has(entry)) return false;
    this.#end(entry);
    return true;
  }

  /** To be called every now and then. @param nowMs of a monotonic clock */
  look(nowMs: number): void {
    for (const [entry, left] of this.#lingering) {
      left.sinceMs ??= nowMs;
      if (nowMs - left.sinceMs >= LINGER_MS) this.#end(entry);
    }
    this.requests.look();
  }

  #end(entry: LaneEntry): void {
    this.#lingering.delete(entry);
    this.#entries.delete(`${entry.tier}|${entry.stream}|${entry.lane}|${entry.symbol}`);
    this.#counts[entry.tier]--;
    this.#tables[entry.tier].remove(entry);
    this.requests.end(entry);
  }

  /**
   * Asks the encoder in the asker's turn for the lane's document or sequence again, unless that is under way (false).
   * @param held what whoever asks holds of the topic, from another lane
   */
  ask(entry: LaneEntry, asker: Asker, held?: HeldPlace): boolean {
    return this.requests.ask(entry, asker, held);
  }

  /** Takes an answer; true when it was the last one due and the lane is live from here on. */
  answered(entry: LaneEntry, source: number, ring: number): boolean {
    if (!entry.countAnswer()) return false;
    this.requests.answered(entry);
    if (entry.source < 0) {
      entry.bind(source, ring);
      this.#tables[entry.tier].put(entry);
    }
    return true;
  }
}
