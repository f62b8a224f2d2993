/**
 * The views that clients of this thread follow, and the rings that feed them. The hub learns of the first user of a view
 * and of the last; a document is requested once for all that wait for it.
 */
import { delayedName } from '../../protocol/delayed-name.js';
import { REALTIME } from '../../protocol/view-options.js';
import { FIX_VARIANT, laneWith, TRADES_PUBLIC } from '../../threads/lanes.js';
import { FrameKind, type RingReader } from '../../threads/ring.js';
import type { InterestChange } from '../../threads/thread-messages.js';
import { type ChainPlace, Entries } from './entries.js';
import { FixView, type ViewUser } from './view.js';
import type { ViewJournal } from './view-journal.js';

/** Requests in flight to one encoder; the others wait. */
const IN_FLIGHT_MAX = 64;
/** A request without an answer for this long was lost, and no longer counts. */
const REQUEST_MS_MAX = 2_000;
const REQUESTS_FROM_MAX = 2 ** 31;

/** The lane of all event views here; frames of delayed trades name another detail. */
export const TRADES_LANE = laneWith(REALTIME, TRADES_PUBLIC, FIX_VARIANT);

const textDecoder = new TextDecoder();

/** A topic in a lane, in real time or late. */
type WantedView = Pick<FixView, 'stream' | 'symbol' | 'lane' | 'delayMs'>;

interface ViewsOptions {
  /** Number of encoders. */
  readonly shards: number;
  /** Queues a change of interest for the hub. */
  readonly tell: (change: InterestChange) => void;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
  /** Undefined: nothing is recorded. */
  readonly journal?: ViewJournal | undefined;
}

interface Queue {
  readonly waiting: Set<FixView>;
  /** Views by request, and when each was asked. */
  readonly inFlight: Map<number, number>;
}

export class FixViews {
  readonly #options: ViewsOptions;
  readonly #views = new Map<string, FixView>();
  /** By source and lane, once the source is known. */
  readonly #bound = new Map<number, FixView>();
  readonly #asked = new Map<number, FixView>();
  readonly #queues: readonly Queue[];
  readonly #entries = new Entries();
  /** Starts at random: an answer meant for this thread's predecessor must not pass for one to this thread. */
  #lastRequest = Math.floor(Math.random() * REQUESTS_FROM_MAX);

  constructor(options: ViewsOptions) {
    this.#options = options;
    this.#queues = Array.from({ length: options.shards }, () => ({ waiting: new Set(), inFlight: new Map() }));
  }

  get size(): number {
    return this.#views.size;
  }

  all(): IterableIterator<FixView> {
    return this.#views.values();
  }

  get requestsWaiting(): number {
    return this.#queues.reduce((sum, { waiting }) => sum + waiting.size, 0);
  }

  /** The view of a topic for this user, which is told once it is answered. Match each call with one `release`. */
  acquire({ stream, symbol, lane, delayMs }: WantedView, owner: number, user: ViewUser): FixView {
    const key = keyOf({ stream, symbol, lane, delayMs });
    let view = this.#views.get(key);
    if (view === undefined) {
      view = new FixView(stream, symbol, lane, owner, this.#options.shards, delayMs);
      this.#views.set(key, view);
    }
    view.users.add(user);
    this.ask(view);
    return view;
  }

  release(view: FixView, user: ViewUser): void {
    view.users.delete(user);
    if (view.users.size > 0) return;
    this.#views.delete(keyOf(view));
    this.#unbind(view);
    this.#queueOf(view).waiting.delete(view);
    this.#asked.delete(view.request);
    if (view.isWanted) this.#options.tell({ op: 'unwant', source: view.sourceName, lane: view.lane });
  }

  /** Requests the document; one request serves all that wait for it. */
  ask(view: FixView): void {
    if (view.request !== 0) return;
    this.#queueOf(view).waiting.add(view);
    this.#sendWaiting(view.shard);
  }

  /** The hub will not answer this request. */
  refused(request: number, text: string): void {
    const view = this.#settle(request);
    if (view === undefined) return;
    view.isWanted = false;
    for (const user of view.users) user.refused(view, text);
  }

  /** Frames of this ring were missed: all its views need their documents. */
  repair(ring: number): void {
    const queue = this.#queues[ring];
    queue?.inFlight.clear();
    for (const view of this.#views.values()) {
      if (view.shard !== ring) continue;
      this.#asked.delete(view.request);
      view.request = 0;
      view.isBroken = view.source >= 0;
      this.ask(view);
    }
  }

  /** Call every second or so. */
  expire(): void {
    const nowMs = this.#options.nowMs();
    for (const [shard, { inFlight }] of this.#queues.entries()) {
      for (const [request, askedMs] of inFlight) {
        if (nowMs - askedMs < REQUEST_MS_MAX) continue;
        const view = this.#settle(request);
        if (view !== undefined) this.ask(view);
      }
      this.#sendWaiting(shard);
    }
  }

  /** The ring's current frame. */
  frame(ring: RingReader, ringIndex: number): void {
    switch (ring.kind) {
      case FrameKind.delta:
      case FrameKind.snapshot:
        this.#state(ring);
        return;
      case FrameKind.event:
        this.#event(ring);
        return;
      case FrameKind.gap:
        this.#gap(ring);
        return;
      case FrameKind.part:
      case FrameKind.ready:
        this.#answer(ring, ringIndex);
        return;
      case FrameKind.stale:
      case FrameKind.staleAnswer:
        this.#stale(ring);
        return;
      case FrameKind.rebuilt:
        this.repair(ringIndex);
    }
  }

  #state(ring: RingReader): void {
    const view = this.#bound.get(boundKey(ring.source, ring.lane));
    if (view === undefined || view.isBroken) return;
    const entries = this.#entries;
    entries.read(ring);
    const isWhole = ring.kind === FrameKind.snapshot;
    const place = this.#placeOf(view, ring, entries.checksum);
    if (isWhole) view.staleReason = undefined;
    view.keep(entries, isWhole);
    this.#options.journal?.published(view, isWhole, entries.count, place);
    // A user that has what it wanted may leave on the way.
    for (const user of view.users) {
      if (isWhole) user.whole(view, entries, place);
      else user.changed(view, entries, place);
    }
  }

  #event(ring: RingReader): void {
    const view = this.#bound.get(boundKey(ring.source, TRADES_LANE));
    if (view === undefined || view.isBroken) return;
    this.#entries.read(ring);
    const place = this.#placeOf(view, ring, undefined);
    this.#options.journal?.published(view, false, 1, place);
    for (const user of view.users) user.event(view, this.#entries, place);
  }

  #gap(ring: RingReader): void {
    const view = this.#bound.get(boundKey(ring.source, TRADES_LANE));
    if (view === undefined) return;
    this.#entries.read(ring);
    const { from, to, reason } = announcementOf(this.#entries);
    this.#placeOf(view, ring, undefined);
    this.#lost(view, from ?? 0, to ?? 0, reason ?? '');
  }

  #stale(ring: RingReader): void {
    const isAnswer = ring.kind === FrameKind.staleAnswer;
    const view = isAnswer ? this.#asked.get(ring.tag) : this.#bound.get(boundKey(ring.source, ring.lane));
    if (view === undefined) return;
    this.#entries.read(ring);
    view.staleReason = announcementOf(this.#entries).reason ?? '';
    if (isAnswer) {
      view.staleRequest = ring.tag;
      return;
    }
    this.#options.journal?.stale(view, view.staleReason);
    for (const user of view.users) user.stale(view, view.staleReason);
  }

  #answer(ring: RingReader, ringIndex: number): void {
    const view = this.#settle(ring.tag);
    if (view === undefined) return;
    const { seq: lastSeq, epoch: lastEpoch } = view;
    const wasBroken = view.isBroken;
    view.isBroken = false;
    // The answer to a view that is held back says so first: what was heard before an overrun may have ended since.
    if (view.staleRequest !== ring.tag) view.staleReason = undefined;
    if (view.source !== ring.source) {
      this.#unbind(view);
      view.source = ring.source;
      this.#bound.set(boundKey(ring.source, view.lane), view);
    }
    view.ring = ringIndex;
    const isEvent = ring.kind === FrameKind.ready;
    const hasData = ring.payloadEnd > ring.payloadStart;
    const entries = this.#entries;
    if (hasData) entries.read(ring);
    const place = { ...this.#placeOf(view, ring, hasData ? entries.checksum : undefined), prevSeq: ring.seq };
    view.epochTag = 0;
    if (hasData) view.keep(entries, true);
    if (wasBroken && hasData) this.#options.journal?.published(view, true, entries.count, place);
    for (const user of view.users) {
      if (wasBroken && hasData) user.whole(view, entries, place);
      else user.answered(view, hasData ? entries : undefined, place);
    }
    if (!isEvent || !wasBroken) return;
    const isSameEpoch = lastEpoch === view.epoch;
    if (isSameEpoch && ring.seq <= lastSeq) return;
    if (isSameEpoch) this.#lost(view, lastSeq + 1, ring.seq, 'overrun');
    else this.#lost(view, 0, 0, 'overrun');
  }

  #lost(view: FixView, from: number, to: number, reason: string): void {
    this.#options.journal?.lost(view, from, to, reason);
    for (const user of view.users) user.lost(view, from, to, reason);
  }

  /** Its source may have another number after a restart of the encoder, and the old number another source. */
  #unbind(view: FixView): void {
    const key = boundKey(view.source, view.lane);
    if (this.#bound.get(key) === view) this.#bound.delete(key);
  }

  /** The tag of an answer is its request; the epoch is read then. */
  #placeOf(view: FixView, ring: RingReader, checksum: number | undefined): ChainPlace {
    const isAnswer = ring.kind === FrameKind.part || ring.kind === FrameKind.ready;
    if (isAnswer || view.epochTag !== ring.tag || ring.kind === FrameKind.snapshot) {
      view.epoch = textDecoder.decode(ring.copy.subarray(ring.epochStart, ring.payloadStart));
      view.epochTag = ring.tag;
    }
    const prevSeq = view.seq;
    view.seq = ring.seq;
    return { epoch: view.epoch, prevSeq, seq: ring.seq, checksum };
  }

  #settle(request: number): FixView | undefined {
    const view = this.#asked.get(request);
    this.#asked.delete(request);
    for (const [shard, { inFlight }] of this.#queues.entries()) {
      if (inFlight.delete(request)) this.#sendWaiting(shard);
    }
    if (view === undefined) return undefined;
    view.request = 0;
    return view;
  }

  #queueOf(view: FixView): Queue {
    return this.#queues[view.shard] as Queue;
  }

  #sendWaiting(shard: number): void {
    const { waiting, inFlight } = this.#queues[shard] as Queue;
    for (const view of waiting) {
      if (inFlight.size >= IN_FLIGHT_MAX) return;
      waiting.delete(view);
      const request = ++this.#lastRequest;
      view.request = request;
      this.#asked.set(request, view);
      inFlight.set(request, this.#options.nowMs());
      const { sourceName: source, lane, owner } = view;
      if (view.isWanted) this.#options.tell({ op: 'ask', source, lane, request });
      else this.#options.tell({ op: 'want', source, lane, request, owner });
      view.isWanted = true;
    }
  }
}

function keyOf({ stream, symbol, lane, delayMs }: WantedView): string {
  return `${stream}|${lane}|${delayedName(symbol, delayMs)}`;
}

/** A source number and a lane below 256. */
const boundKey = (source: number, lane: number): number => source * 256 + lane;

interface Announcement {
  readonly from?: number;
  readonly to?: number;
  readonly reason?: string;
}

function announcementOf({ bytes, start, end }: Entries): Announcement {
  return JSON.parse(textDecoder.decode(bytes.subarray(start, end))) as Announcement;
}
