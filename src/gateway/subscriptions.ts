/**
 * Keeps every socket's topics on an unbroken chain: snapshot, then exactly the deltas that follow it.
 *
 * The snapshot of a lane comes through the same ring as its deltas, so where it stands among them is exact: what came
 * before it is in it, what comes behind it follows it. A socket is subscribed natively at that very place.
 */
import type { Tier } from '../protocol/lanes.js';
import { ALL_SYMBOLS, ALL_TRADES_SOURCE, type Stream, topicOf } from '../protocol/topics.js';
import type { EventSeqs } from './event-seqs.js';
import type { LaneEntry, LaneTable, Part } from './lane-table.js';
import type { Outbox } from './outbox.js';
import type { Session, SnapshotAssembly, Subscription } from './session.js';

/** Deltas queued behind the first parts of a snapshot of many symbols; beyond it the snapshot is begun anew. */
export const ASSEMBLY_QUEUE_BYTES_MAX = 1024 * 1024;

/** One topic asked for. */
export interface Wanted {
  readonly stream: Stream;
  readonly symbol: string;
  readonly lane: number;
}

export class Subscriptions {
  readonly #table: LaneTable;
  readonly #outbox: Outbox;
  readonly #seqs: Readonly<Record<Tier, EventSeqs>>;
  readonly #eventSymbol: (source: number) => string | undefined;

  /** @param eventSymbol the symbol of an event source's number */
  constructor(
    table: LaneTable,
    outbox: Outbox,
    seqs: Readonly<Record<Tier, EventSeqs>>,
    eventSymbol: (source: number) => string | undefined,
  ) {
    this.#table = table;
    this.#outbox = outbox;
    this.#seqs = seqs;
    this.#eventSymbol = eventSymbol;
  }

  /**
   * Subscribes the session; a topic it has on the same lane already stays as it is, on another lane it changes over.
   * Quotes asked for together come in one snapshot frame, with `after` behind it.
   */
  subscribe(session: Session, wanted: readonly Wanted[], after?: object): void {
    const added: Subscription[] = [];
    for (const { stream, symbol, lane } of wanted) {
      const topic = topicOf(stream, symbol);
      const present = session.subscriptions.get(topic);
      const entry = this.#table.acquire(stream, symbol, lane, session.tier);
      if (present?.entry === entry) {
        this.#table.release(entry);
        continue;
      }
      if (present !== undefined) this.#remove(present);
      const subscription = newSubscription(session, topic, stream, symbol, entry);
      session.subscriptions.set(topic, subscription);
      added.push(subscription);
    }
    if (session.isStalled) {
      for (const subscription of added) this.#pause(subscription, 0);
      return;
    }
    this.#begin(session, added, after);
  }

  /** Ends a subscription; false when there was none. */
  unsubscribe(session: Session, topic: string): boolean {
    const subscription = session.subscriptions.get(topic);
    if (subscription === undefined) return false;
    this.#remove(subscription);
    this.#settleTrades(session);
    return true;
  }

  /** Sends a fresh snapshot of a state topic. False when the session has no such subscription. */
  resync(session: Session, topic: string): boolean {
    const subscription = session.subscriptions.get(topic);
    if (subscription === undefined) return false;
    // One that waits for its snapshot gets it anyway; an event topic has none.
    if (subscription.state === 'live' && subscription.entry.isState) this.#begin(session, [subscription]);
    return true;
  }

  /** The socket is gone; uWS has dropped its native subscriptions. */
  closed(session: Session): void {
    session.socket = undefined;
    for (const subscription of session.subscriptions.values()) this.#remove(subscription);
  }

  /**
   * The socket cannot take more: its live topics end here, so that nothing is queued for it, until `resume`.
   * @param turn the turn in which uWS dropped something for it; 0 when nothing is lost yet
   */
  stall(session: Session, turn: number): void {
    session.isStalled = true;
    for (const subscription of session.subscriptions.values()) this.#pause(subscription, turn);
  }

  /** The socket has drained: losses of events are announced, states come anew as snapshots, then all is live. */
  resume(session: Session): void {
    session.isStalled = false;
    const paused = [...session.subscriptions.values()].filter(subscription => subscription.state === 'paused');
    for (const subscription of paused) if (!subscription.entry.isState) this.#announceLoss(subscription);
    this.#begin(session, paused);
  }

  /** The answer to a lane's request has come; `part` is undefined for event lanes. */
  answered(entry: LaneEntry, part: Part | undefined): void {
    entry.part = part;
    if (entry.isBroken) {
      entry.isBroken = false;
      if (part !== undefined && part.bytes.length > 0) this.#outbox.publishPart(entry, part);
    }
    const waiting = [...entry.waiting];
    entry.waiting.clear();
    for (const subscription of waiting) this.#deliver(subscription, part);
    for (const run of entry.whenLive.splice(0)) run();
  }

  /** Frames of this lane were missed: nothing is published until a new answer repairs the chain. */
  broken(entry: LaneEntry): void {
    entry.isBroken = entry.source >= 0;
    entry.part = undefined;
    for (const subscription of [...entry.held]) {
      if (subscription.assembly !== undefined) this.#restart(subscription.assembly);
    }
    this.#table.askAgain(entry);
  }

  /** A delta of the lane passed by: those that hold their part already get it behind the snapshot. */
  queueForHeld(entry: LaneEntry, bytes: Uint8Array): void {
    const copy = bytes.slice();
    for (const { assembly } of [...entry.held]) {
      if (assembly === undefined) continue;
      assembly.queue.push({ entry, bytes: copy });
      assembly.queueBytes += copy.length;
      if (assembly.queueBytes > ASSEMBLY_QUEUE_BYTES_MAX) this.#restart(assembly);
    }
  }

  #begin(session: Session, subscriptions: readonly Subscription[], after?: object): void {
    const quotes = subscriptions.filter(subscription => subscription.stream === 'quotes');
    if (quotes.length > 0) {
      const assembly = newAssembly(session, quotes.length, after);
      for (const subscription of quotes) subscription.assembly = assembly;
    } else if (after !== undefined) {
      this.#outbox.send(session, after);
    }
    for (const subscription of subscriptions) this.#await(subscription);
  }

  /** Serves the subscription at once where the lane allows, else puts it among those that wait. */
  #await(subscription: Subscription): void {
    const { entry } = subscription;
    const isLive = entry.source >= 0 && !entry.isBroken;
    if (isLive && (!entry.isState || entry.part !== undefined)) {
      this.#deliver(subscription, entry.part);
      return;
    }
    if (subscription.state !== 'live') subscription.state = 'waiting';
    entry.waiting.add(subscription);
    // An answer that is on its way may stand in the ring before this subscription began: it is as good, as the chain
    // goes on from it.
    this.#table.ask(entry);
  }

  #deliver(subscription: Subscription, part: Part | undefined): void {
    const { session, assembly, entry } = subscription;
    if (session.socket === undefined || subscription.state === 'paused') return;
    if (assembly !== undefined) {
      assembly.parts.set(subscription, part ?? { seq: 0, epoch: '', bytes: NOTHING });
      // A live one that is being resynchronised goes on receiving natively, in order; only new ones are held.
      if (subscription.state !== 'live') {
        subscription.state = 'held';
        entry.held.add(subscription);
      }
      if (--assembly.missing === 0) this.#complete(assembly);
      return;
    }
    if (part !== undefined && part.bytes.length > 0) this.#outbox.sendPart(session, entry, part);
    this.#goLive(subscription);
  }

  #complete(assembly: SnapshotAssembly): void {
    const { session, parts, queue, after } = assembly;
    // Empty when every topic was unsubscribed before its part came.
    if (parts.size > 0) this.#outbox.sendQuotes(session, parts);
    for (const { entry, bytes } of queue) this.#outbox.sendEncoded(session, entry, bytes);
    for (const subscription of parts.keys()) {
      subscription.assembly = undefined;
      subscription.entry.held.delete(subscription);
      this.#goLive(subscription);
    }
    if (after !== undefined) this.#outbox.send(session, after);
  }

  #goLive(subscription: Subscription): void {
    subscription.state = 'live';
    if (subscription.stream === 'trades') this.#settleTrades(subscription.session);
    else this.#setNative(subscription, true);
  }

  #restart(assembly: SnapshotAssembly): void {
    const begun = [...assembly.parts.keys()];
    assembly.missing += begun.length;
    assembly.parts.clear();
    assembly.queue = [];
    assembly.queueBytes = 0;
    for (const subscription of begun) {
      subscription.entry.held.delete(subscription);
      subscription.entry.part = undefined;
      this.#await(subscription);
    }
  }

  #pause(subscription: Subscription, turn: number): void {
    if (subscription.state === 'paused') return;
    const { entry } = subscription;
    if (!entry.isState && subscription.isNative) subscription.sentSeqs = this.#sentSeqs(subscription, turn);
    this.#setNative(subscription, false);
    entry.waiting.delete(subscription);
    entry.held.delete(subscription);
    subscription.assembly = undefined;
    subscription.state = 'paused';
  }

  #remove(subscription: Subscription): void {
    const { session, entry, assembly } = subscription;
    session.subscriptions.delete(subscription.topic);
    this.#setNative(subscription, false);
    entry.waiting.delete(subscription);
    entry.held.delete(subscription);
    this.#table.release(entry);
    if (assembly === undefined) return;
    subscription.assembly = undefined;
    // The others of the snapshot no longer wait for this one.
    if (!assembly.parts.delete(subscription)) assembly.missing--;
    if (assembly.missing === 0 && session.socket !== undefined) this.#complete(assembly);
  }

  /** A socket that has all trades must not get those of one symbol twice. */
  #settleTrades(session: Session): void {
    const all = session.subscriptions.get(topicOf('trades', ALL_SYMBOLS));
    const hasAll = all?.state === 'live';
    for (const subscription of session.subscriptions.values()) {
      if (subscription.stream !== 'trades' || subscription.state !== 'live') continue;
      this.#setNative(subscription, subscription === all || !hasAll);
    }
  }

  #setNative(subscription: Subscription, isOn: boolean): void {
    if (subscription.isNative === isOn) return;
    subscription.isNative = isOn;
    const { entry, session } = subscription;
    entry.subscribers += isOn ? 1 : -1;
    if (isOn) session.socket?.subscribe(entry.nativeTopic);
    else session.socket?.unsubscribe(entry.nativeTopic);
  }

  #sentSeqs(subscription: Subscription, turn: number): Map<number, number> {
    const seqs = this.#seqs[subscription.session.tier];
    const sources = subscription.symbol === ALL_SYMBOLS ? seqs.sources() : [subscription.entry.source];
    const sent = new Map<number, number>();
    for (const source of sources) sent.set(source, seqs.surelySent(source, turn) ?? 0);
    return sent;
  }

  #announceLoss(subscription: Subscription): void {
    const { session, sentSeqs, symbol } = subscription;
    subscription.sentSeqs = undefined;
    if (sentSeqs === undefined) return;
    const seqs = this.#seqs[session.tier];
    // A topic of whose messages the socket has seen none yet has nothing to lose of them, but in all trades all count.
    const sources = symbol === ALL_SYMBOLS ? seqs.sources() : sentSeqs.keys();
    for (const source of sources) {
      const sent = sentSeqs.get(source) ?? 0;
      const newest = seqs.newest(source) ?? 0;
      const name = symbol === ALL_SYMBOLS ? this.#eventSymbol(source) : symbol;
      if (newest <= sent || source === ALL_TRADES_SOURCE || name === undefined) continue;
      const topic = topicOf(subscription.stream, name);
      this.#outbox.send(session, { type: 'gap', topic, from: sent + 1, to: newest, reason: 'slow_consumer' });
    }
  }
}

const NOTHING = new Uint8Array(0);

function newSubscription(
  session: Session,
  topic: string,
  stream: Stream,
  symbol: string,
  entry: LaneEntry,
): Subscription {
  return {
    session,
    topic,
    stream,
    symbol,
    entry,
    state: 'waiting',
    isNative: false,
    assembly: undefined,
    sentSeqs: undefined,
  };
}

function newAssembly(session: Session, missing: number, after: object | undefined): SnapshotAssembly {
  return { session, parts: new Map(), missing, queue: [], queueBytes: 0, after };
}
