/** Routes frames to streams: each goes through its chain, and the streams of its topic learn the outcome. */
import type { StreamPosition } from '../protocol/stream-position.js';
import { topicName } from '../protocol/topic-parts.js';
import { ALL_SYMBOLS, pointerToken } from '../protocol/topics.js';
import type { TopicChains } from './chain.js';
import type { WholeClock } from './clock.js';
import { MillraceError } from './errors.js';
import type { Gap, GapReason, Lag, PatchOperation, Resync, Stale, StateChange, StreamEvent } from './frames.js';
import { positionOf, type ServerFrame, type Staleness } from './outcome.js';
import type { Requests } from './requests.js';
import type { Topic, TopicTable } from './topic-table.js';

/** Shortest time between two requests for a document that keeps going wrong. */
const RESYNC_INTERVAL_MS = 1_000;
/** Prefix of a `resync`'s `id`; a `resync` is answered only if it fails. */
const RESYNC_ID = 'resync ';

const NO_OPERATIONS: readonly PatchOperation[] = [];

export class Delivery {
  readonly #table: TopicTable;
  readonly #chains: TopicChains;
  readonly #requests: Requests;
  readonly #clock: WholeClock;
  readonly #onFault: (error: MillraceError) => void;

  constructor(
    table: TopicTable,
    chains: TopicChains,
    requests: Requests,
    clock: WholeClock,
    onFault: (error: MillraceError) => void,
  ) {
    this.#table = table;
    this.#chains = chains;
    this.#requests = requests;
    this.#clock = clock;
    this.#onFault = onFault;
  }

  frame(frame: ServerFrame): void {
    const outcome = this.#chains.feed(frame);
    switch (outcome.kind) {
      case 'snapshot':
      case 'delta':
        this.#changed(outcome.topics, frame, outcome.kind === 'snapshot');
        if (outcome.kind === 'snapshot') for (const wire of outcome.whole ?? []) this.#whole(wire);
        return;
      case 'stale':
        this.#stale(outcome.topics[0], outcome.staleness);
        if (frame.type === 'heartbeat') this.#alive(outcome.topics[0], frame);
        return;
      case 'whole_missed':
        this.#heard(outcome.topic);
        this.#repair(outcome.topic, 'broken');
        return;
      case 'event':
        for (const wire of outcome.topics) this.#event(wire, frame);
        return;
      case 'gap':
        for (const wire of outcome.topics) this.#announced(wire, frame);
        return;
      case 'broken':
        this.#broken(outcome, frame);
        return;
      case 'ignored':
        for (const wire of outcome.topics) this.#repair(wire, 'broken');
        return;
      case 'checksum_mismatch':
        this.#repair(outcome.topic, outcome.kind);
        return;
      case 'patch_failed':
        this.#onFault(new MillraceError('malformed_frame', `${outcome.topic}: ${outcome.reason}`));
        this.#repair(outcome.topic, outcome.kind);
        return;
      case 'malformed':
        this.#onFault(new MillraceError('malformed_frame', outcome.reason));
        return;
      case 'control':
        if (frame.type === 'heartbeat') this.#alive(String(frame.topic), frame);
        else if (frame.type === 'stale') this.#heard(String(frame.topic));
    }
  }

  /** The topic whose `resync` this error answers; undefined for any other error. */
  refusedResync(frame: ServerFrame): Topic | undefined {
    const { id } = frame;
    if (typeof id !== 'string' || !id.startsWith(RESYNC_ID)) return undefined;
    return this.#table.byWire(id.slice(RESYNC_ID.length));
  }

  /** The document as a change, for a stream that starts later; undefined while there is no valid one. */
  current(topic: Topic): StateChange<unknown> | undefined {
    const position = this.#chains.position(topic.wire);
    if (!topic.isState || position === undefined) return undefined;
    return this.#change(topic, position, true, NO_OPERATIONS, undefined);
  }

  /** What the topic's streams are told while the gateway holds it back; undefined otherwise. */
  staleOf({ wire, name: symbol }: Topic): Stale | undefined {
    const staleness = this.#chains.staleness(wire);
    return staleness === undefined ? undefined : { topic: wire, symbol, ...staleness };
  }

  #changed(wires: readonly string[], frame: ServerFrame, isSnapshot: boolean): void {
    const operations = Array.isArray(frame.operations)
      ? (frame.operations as readonly PatchOperation[])
      : NO_OPERATIONS;
    const byPath = wires.length > 1 ? new Map(operations.map(operation => [operation.path, operation])) : undefined;
    for (const wire of wires) {
      const topic = this.#heard(wire);
      const position = this.#chains.position(wire);
      if (topic === undefined || position === undefined) continue;
      const own = byPath?.get(`/quotes/${pointerToken(topic.name)}`);
      const done = byPath === undefined ? operations : own === undefined ? NO_OPERATIONS : [own];
      const change = this.#change(topic, position, isSnapshot, done, this.#lagOf(frame));
      if (change === undefined) continue;
      for (const sink of topic.sinks) sink.item(change);
    }
  }

  #change(
    topic: Topic,
    { epoch, seq }: StreamPosition,
    isSnapshot: boolean,
    operations: readonly PatchOperation[],
    lag: Lag | undefined,
  ): StateChange<unknown> | undefined {
    const document = this.#chains.documentOf(topic.wire);
    if (document === undefined) return undefined;
    const { wire, name: symbol } = topic;
    const isStale = this.#chains.staleness(wire) !== undefined;
    return { topic: wire, symbol, document, isSnapshot, isStale, operations, epoch, seq, lag, skipped: 0 };
  }

  #event(wire: string, frame: ServerFrame): void {
    const event: StreamEvent<unknown> = {
      topic: wire,
      name: topicName(wire),
      message: frame,
      epoch: String(frame.epoch),
      seq: Number(frame.seq),
      lag: this.#lagOf(frame),
    };
    const own = this.#heard(wire);
    if (own !== undefined) for (const sink of own.sinks) sink.item(event);
    const all = this.#allOf(wire);
    if (all !== undefined) for (const sink of all.sinks) sink.item(event);
  }

  #announced(wire: string, { from, to, reason, epoch }: ServerFrame): void {
    const topic = this.#heard(wire);
    if (topic?.isState === true) {
      this.#repair(wire, 'broken');
      return;
    }
    this.#tellGap({
      topic: wire,
      from: Number(from),
      to: Number(to),
      reason: String(reason) as GapReason,
      epoch: typeof epoch === 'string' ? epoch : undefined,
    });
  }

  #broken({ topic: wire, expected, got, staleness }: Broken, frame: ServerFrame): void {
    const topic = this.#heard(wire);
    if (topic?.isState === true) {
      if (staleness !== undefined) this.#stale(wire, staleness);
      // A whole frame is its own snapshot: nothing needs repair.
      if (frame.type === 'orderbook_update') this.#changed([wire], frame, true);
      else if (frame.stale === true) this.#repairStale(topic, got);
      else this.#repair(wire, 'broken');
      return;
    }
    const isSameEpoch = expected?.epoch === got.epoch;
    this.#tellGap({
      topic: wire,
      from: isSameEpoch ? expected.seq + 1 : 0,
      to: isSameEpoch ? got.seq : 0,
      reason: 'unannounced',
      epoch: isSameEpoch ? undefined : got.epoch,
    });
    if (frame.type !== 'heartbeat') this.#event(wire, frame);
  }

  #tellGap(gap: Gap): void {
    const own = this.#table.byWire(gap.topic);
    if (own !== undefined) for (const sink of own.sinks) sink.gap(gap);
    const all = this.#allOf(gap.topic);
    if (all !== undefined && all !== own) for (const sink of all.sinks) sink.gap(gap);
  }

  #stale(wire: string, staleness: Staleness): void {
    const topic = this.#heard(wire);
    if (topic === undefined) return;
    const stale = { topic: wire, symbol: topic.name, ...staleness };
    const { epoch, seq } = staleness;
    const change = this.#change(topic, this.#chains.position(wire) ?? { epoch, seq }, false, NO_OPERATIONS, undefined);
    for (const sink of topic.sinks) sink.stale(stale, change);
  }

  #whole(wire: string): void {
    const topic = this.#table.byWire(wire);
    if (topic === undefined) return;
    for (const sink of topic.sinks) sink.whole({ topic: wire, symbol: topic.name });
  }

  /** A heartbeat that agrees with our position, or that cannot be compared because there is none. */
  #alive(wire: string, frame: ServerFrame): void {
    const topic = this.#heard(wire);
    if (topic?.isState !== true || this.#chains.position(wire) !== undefined) return;
    if (frame.stale === true) this.#repairStale(topic, positionOf(frame));
    else this.#repair(wire, 'broken');
  }

  /**
   * While a topic is held back its heartbeats continue, and no snapshot makes it whole. So the client asks once per
   * position of the topic: it gets what was lost before, and does not ask again and again.
   */
  #repairStale(topic: Topic, got: StreamPosition | undefined): void {
    const { staleAsked } = topic;
    if (got === undefined || (staleAsked?.epoch === got.epoch && staleAsked.seq === got.seq)) return;
    if (this.#repair(topic.wire, 'broken')) topic.staleAsked = got;
  }

  /** Asks for a snapshot; false if the topic is not subscribed, or a snapshot was requested just now. */
  #repair(wire: string, reason: Resync['reason']): boolean {
    const topic = this.#table.byWire(wire);
    const now = this.#clock.monotonicMicros();
    if (topic?.state !== 'live' || now - topic.resyncMicros < RESYNC_INTERVAL_MS * 1000) return false;
    topic.resyncMicros = now;
    this.resync(topic);
    for (const sink of topic.sinks) sink.resync({ topic: wire, symbol: topic.name, reason });
    return true;
  }

  /** Asks for a snapshot if the topic is still subscribed. */
  resync({ state, stream, name: symbol, wire }: Topic): void {
    if (state === 'live') this.#requests.tell({ action: 'resync', stream, symbol, id: RESYNC_ID + wire });
  }

  #heard(wire: string): Topic | undefined {
    const topic = this.#table.byWire(wire);
    const now = this.#clock.monotonicMicros();
    if (topic !== undefined) topic.heardMicros = now;
    const all = this.#allOf(wire);
    if (all !== undefined) all.heardMicros = now;
    return topic;
  }

  #allOf(wire: string): Topic | undefined {
    return wire.startsWith('trades:') ? this.#table.find('trades', ALL_SYMBOLS) : undefined;
  }

  #lagOf({ ts_sent: sent, ts_event: event }: ServerFrame): Lag | undefined {
    if (typeof sent !== 'number') return undefined;
    const now = this.#clock.nowMicros();
    return {
      sinceSentMs: (now - sent) / 1000,
      sinceEventMs: typeof event === 'number' ? (now - event) / 1000 : undefined,
    };
  }
}

interface Broken {
  readonly topic: string;
  readonly expected: StreamPosition | undefined;
  readonly got: StreamPosition;
  readonly staleness?: Staleness;
}
