/**
 * A client of event topics that trusts nothing: it knows what it asked and what came over the wire, and holds the gateway
 * to the chain. Every message is there once and in order, or a `gap` that covers it comes first.
 */
import type { StreamPosition } from '../../src/protocol/stream-position.js';
import type { EventLog } from './event-log.js';

type Frame = Record<string, unknown>;

const ALL_TRADES = 'trades:*';

/** A command of the client, until it is answered. */
export interface Asked {
  readonly action: 'subscribe' | 'unsubscribe';
  readonly topics: readonly string[];
  readonly since: StreamPosition | undefined;
  /** Nothing stands in the way of sending again what was missed. */
  readonly isRecoverable?: boolean;
}

export class EventClient {
  readonly violations: string[] = [];
  /** Where the client stands in each topic. */
  readonly held = new Map<string, StreamPosition>();
  /** Topics that the gateway says are subscribed. */
  readonly subscribed = new Set<string>();
  recovered = 0;
  unrecovered = 0;
  gaps = 0;
  events = 0;
  readonly #log: EventLog;
  readonly #asked = new Map<string, Asked>();
  /** Topics whose chain begins at the first message, wherever that is: the client was not told where. */
  readonly #free = new Set<string>();
  /** Topics of which the client says that it stands ahead of their newest message, as that was refused or another topic's. */
  readonly #ahead = new Set<string>();

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Commands without an answer. */
  get unanswered(): number {
    return this.#asked.size;
  }

  /** The topic is subscribed, or a command is under way that names it. */
  isAsked(topic: string): boolean {
    return this.subscribed.has(topic) || [...this.#asked.values()].some(({ topics }) => topics.includes(topic));
  }

  ask(id: string, asked: Asked): void {
    this.#asked.set(id, asked);
  }

  /** @param isLost dropped on the way, as the client did not read: it is only known where among the others it was */
  frame(frame: Frame, isLost: boolean): void {
    switch (frame.type) {
      case 'subscribed':
        this.#subscribed(frame, isLost);
        break;
      case 'unsubscribed':
        this.#asked.delete(frame.id as string);
        for (const topic of frame.topics as string[]) this.#unsubscribed(topic);
        break;
      case 'gap':
        if (!isLost) this.#gap(frame);
        break;
      case 'heartbeat':
        if (!isLost) this.#heartbeat(frame);
        break;
      case 'trade_executed':
        if (!isLost) this.#event(`trades:${frame.symbol}`, frame, frame.trade_id);
        break;
      case 'order_update':
        if (!isLost) this.#event(`orders:${frame.user_id}`, frame, frame.order_id);
        break;
      case 'room_message':
        if (!isLost) this.#event(`rooms:${frame.room}`, frame, frame.data);
        break;
      default:
        this.#violation(frame.channel === undefined ? `unexpected ${JSON.stringify(frame)}` : undefined);
        if (!isLost && frame.channel !== undefined) this.#event(`analytics:${frame.channel}`, frame, frame.data);
    }
  }

  /** Everything has come to rest: the client must stand where each of its topics does. */
  finish(): void {
    for (const topic of this.subscribed) {
      const last = this.#log.last(topic);
      const held = this.held.get(topic);
      // Who was not told a position, and to whom nothing came since, stands nowhere.
      const isNowhere = held === undefined && (this.#isCovered(topic) || this.#free.has(topic));
      if (last === undefined || topic === ALL_TRADES || isNowhere) continue;
      const isThere = held?.epoch === last.epoch && held.seq >= last.seq;
      if (!isThere) this.#violation(`${topic} ends at ${textOf(last)}, the client stands at ${textOf(held)}`);
    }
    if (this.unanswered > 0) this.#violation(`${this.unanswered} commands were never answered`);
  }

  #subscribed({ id, topics, positions, recovered }: Frame, isLost: boolean): void {
    const asked = this.#asked.get(id as string);
    this.#asked.delete(id as string);
    if (asked?.action !== 'subscribe') {
      this.#violation(`subscribed ${id}, which was not asked`);
      return;
    }
    if ((recovered === undefined) !== (asked.since === undefined)) {
      this.#violation(`recovered is ${recovered} in the answer to ${JSON.stringify(asked)}`);
    }
    if (recovered === false && asked.isRecoverable) this.#violation(`not recovered: ${JSON.stringify(asked)}`);
    if (recovered === true) this.recovered++;
    if (recovered === false) this.unrecovered++;
    for (const topic of topics as string[]) {
      const wasSubscribed = this.subscribed.has(topic);
      this.subscribed.add(topic);
      if (isLost) {
        this.held.delete(topic);
        this.#free.add(topic);
        continue;
      }
      if (recovered === undefined && wasSubscribed && !this.#free.has(topic)) continue;
      if (recovered !== undefined) this.held.delete(topic);
      if (recovered === true) this.#ahead.add(topic);
      else this.#ahead.delete(topic);
      const position =
        recovered === true ? asked.since : (positions as Record<string, StreamPosition> | undefined)?.[topic];
      // Those of `trades:*` have begun the chain.
      if (position !== undefined && !this.held.has(topic)) this.held.set(topic, position);
      this.#free.delete(topic);
    }
  }

  #unsubscribed(topic: string): void {
    this.subscribed.delete(topic);
    this.#free.delete(topic);
    if (topic === ALL_TRADES) {
      for (const held of this.held.keys()) {
        if (held.startsWith('trades:') && !this.subscribed.has(held)) this.held.delete(held);
      }
    } else if (!this.#isCovered(topic)) this.held.delete(topic);
  }

  #event(topic: string, frame: Frame, id: unknown): void {
    this.events++;
    const { epoch, prev_seq: prevSeq, seq } = frame as { epoch: string; prev_seq: number; seq: number };
    const what = `${topic} ${epoch} ${prevSeq}→${seq}`;
    const published = this.#log.find(topic, { epoch, seq });
    if (!this.#isExpected(topic)) this.#violation(`${what} comes to who is not subscribed`);
    if (published === undefined || !published.isValid || published.id !== String(id)) {
      this.#violation(`${what} is ${id}; published was ${JSON.stringify(published)}`);
    }
    if (seq <= prevSeq) this.#violation(`${what} does not grow`);
    const between = this.#log.between(topic, epoch, prevSeq, seq);
    if (between.length > 0) this.#violation(`${what} leaves out ${JSON.stringify(between)}`);
    const held = this.held.get(topic);
    if (held === undefined) this.#first(topic, what, epoch, prevSeq);
    else if (!this.#follows(topic, held, epoch, prevSeq, seq)) this.#violation(`${what} after ${textOf(held)}`);
    this.held.set(topic, { epoch, seq });
  }

  #follows(topic: string, held: StreamPosition, epoch: string, prevSeq: number, seq: number): boolean {
    const isAhead = this.#ahead.delete(topic);
    return held.epoch === epoch && (held.seq === prevSeq || (isAhead && prevSeq < held.seq && held.seq < seq));
  }

  /** Who was told no position is promised everything: nothing was there before. */
  #first(topic: string, what: string, epoch: string, prevSeq: number): void {
    if (this.#free.delete(topic) || this.#isCovered(topic) || !this.subscribed.has(topic)) return;
    const missed = this.#log.between(topic, epoch, 0, prevSeq + 1);
    if (missed.length > 0) this.#violation(`${what} is the first; before it came ${JSON.stringify(missed)}`);
  }

  #gap(frame: Frame): void {
    this.gaps++;
    const { topic, from, to, epoch, reason } = frame as unknown as {
      topic: string;
      from: number;
      to: number;
      epoch: string;
      reason: string;
    };
    const held = this.held.get(topic);
    const what = `gap ${topic} ${epoch} ${from}–${to} (${reason})`;
    if (!this.#isExpected(topic)) this.#violation(`${what} comes to who is not subscribed`);
    if (to < from) this.#violation(`${what} is empty`);
    if (held?.epoch === epoch) {
      const before = this.#log.between(topic, epoch, held.seq, from);
      if (before.length > 0) this.#violation(`${what} after ${textOf(held)} leaves out ${JSON.stringify(before)}`);
      this.held.set(topic, { epoch, seq: Math.max(held.seq, to) });
      return;
    }
    // Of another epoch, all that there was is lost, or nobody knows what.
    if (held !== undefined && reason !== 'new_epoch' && from > 1) this.#violation(`${what} after ${textOf(held)}`);
    this.held.set(topic, { epoch, seq: to });
    this.#free.delete(topic);
  }

  #heartbeat(frame: Frame): void {
    const { topic, epoch, seq } = frame as { topic: string; epoch: string; seq: number };
    const held = this.held.get(topic);
    if (!this.#isExpected(topic)) this.#violation(`heartbeat of ${topic}, which is not subscribed`);
    if (held === undefined) this.held.set(topic, { epoch, seq });
    else if (held.epoch !== epoch || (held.seq !== seq && !(this.#ahead.has(topic) && seq < held.seq))) {
      this.#violation(`heartbeat of ${topic} at ${epoch} ${seq} after ${textOf(held)}`);
    }
  }

  #isCovered(topic: string): boolean {
    return topic.startsWith('trades:') && this.subscribed.has(ALL_TRADES);
  }

  /** P11: nothing of a topic comes before the answer that says it is subscribed. */
  #isExpected(topic: string): boolean {
    return this.subscribed.has(topic) || this.#isCovered(topic);
  }

  #violation(text: string | undefined): void {
    if (text !== undefined) this.violations.push(text);
  }
}

const textOf = (position: StreamPosition | undefined): string =>
  position === undefined ? 'nowhere' : `${position.epoch} ${position.seq}`;
