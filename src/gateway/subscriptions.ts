/**
 * Keeps every socket's topics on an unbroken chain: snapshot, then exactly the deltas that follow it.
 *
 * The snapshot of a lane comes through the same ring as its deltas, so where it stands among them is exact: what came
 * before it is in it, what comes behind it follows it. A socket is subscribed natively at that very place.
 */
import { type Stream, topicOf } from '../protocol/topics.js';
import { ALL_TRADES, type EventLosses } from './event-losses.js';
import type { LaneEntry, LaneTable, Part } from './lane-table.js';
import type { Outbox } from './outbox.js';
import type { Session, SnapshotAssembly, Subscription } from './session.js';

/** Deltas queued behind the first parts of a snapshot of many symbols; beyond it the snapshot is begun anew. */
export const ASSEMBLY_QUEUE_BYTES_MAX = 1024 * 1024;

/** Topics of one socket that are resumed together. */
const RESUMED_AT_ONCE_MAX = 32;

/** Number of the turn of publishes under way, shared by those who count it and those who ask. */
export interface Turn {
  current: number;
}

/** One topic asked for. */
export interface Wanted {
  readonly stream: Stream;
  readonly symbol: string;
  readonly lane: number;
}

export class Subscriptions {
  readonly #table: LaneTable;
  readonly #outbox: Outbox;
  readonly #losses: EventLosses;
  readonly #turn: Turn;
  readonly #resumedAtOnceMax: number;

  constructor(
    table: LaneTable,
    outbox: Outbox,
    losses: EventLosses,
    turn: Turn,
    resumedAtOnceMax = RESUMED_AT_ONCE_MAX,
  ) {
    this.#table = table;
    this.#outbox = outbox;
    this.#losses = losses;
    this.#turn = turn;
    this.#resumedAtOnceMax = resumedAtOnceMax;
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
    const heirs = topic === ALL_TRADES ? this.#losses.handBack(subscription) : [];
    this.#remove(subscription);
    for (const heir of heirs) this.#await(heir);
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
    for (const subscription of session.subscriptions.values()) {
      // Of one that is paused already, more may be lost than was thought.
      if (subscription.sentSeqs !== undefined) this.#losses.remember(subscription, turn);
      this.#pause(subscription, turn);
    }
  }

  /**
   * The socket has drained: losses of events are announced, states come anew as snapshots, then they are live. Some
   * topics at a time, so that the snapshots of many do not stall it again; it stays stalled until none is left.
   */
  resume(session: Session): void {
    // Single symbols may be live again before the trades of all symbols are: they go on where those stood.
    const all = session.subscriptions.get(ALL_TRADES);
    if (all !== undefined) this.#losses.handBack(all);
    const paused = [...session.subscriptions.values()].filter(subscription => subscription.state === 'paused');
    const next = paused.slice(0, this.#resumedAtOnceMax);
    session.isStalled = paused.length > next.length;
    for (const subscription of next) {
      // To the end of the line: should it stall once more, those that were not live yet come first.
      session.subscriptions.delete(subscription.topic);
      session.subscriptions.set(subscription.topic, subscription);
    }
    this.#begin(session, next);
  }

  /** The answer to a lane's request has come; `part` is undefined for event lanes. */
  answered(entry: LaneEntry, part: Part | undefined): void {
    entry.part = part;
    if (entry.isBroken) {
      entry.isBroken = false;
      entry.sentSeqs = undefined;
      if (part !== undefined && part.bytes.length > 0) this.#outbox.publishPart(entry, part);
    }
    const waiting = [...entry.waiting];
    entry.waiting.clear();
    for (const subscription of waiting) this.#deliver(subscription, part);
    for (const run of entry.whenLive.splice(0)) run();
  }

  /** Frames of this lane were missed: nothing is published until a new answer repairs the chain. */
  broken(entry: LaneEntry): void {
    if (!entry.isBroken && !entry.isState) entry.sentSeqs = entry.seqs.surelySent(0);
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
    if (subscription.state !== 'live') subscription.state = 'waiting';
    const isLive = entry.source >= 0 && !entry.isBroken;
    if (isLive && (!entry.isState || entry.part !== undefined)) {
      this.#deliver(subscription, entry.part);
      return;
    }
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
    // A dropped snapshot leaves the subscription waiting: the drop suspends the session, and its resumption begins anew.
    if (part !== undefined && part.bytes.length > 0 && !this.#outbox.sendPart(session, entry, part)) return;
    // Only a live lane knows what went by meanwhile.
    if (subscription.sentSeqs !== undefined) this.#losses.announce(subscription);
    this.#goLive(subscription);
  }

  #complete(assembly: SnapshotAssembly): void {
    const { session, parts, queue, after } = assembly;
    // Empty when every topic was unsubscribed before its part came.
    let isSent = parts.size === 0 || this.#outbox.sendQuotes(session, parts);
    for (const { entry, bytes } of queue) isSent &&= this.#outbox.sendEncoded(session, entry, bytes);
    for (const subscription of parts.keys()) {
      subscription.assembly = undefined;
      subscription.entry.held.delete(subscription);
      // As above: what was dropped comes anew when the session is resumed.
      if (isSent || subscription.state === 'live') this.#goLive(subscription);
      else subscription.state = 'waiting';
    }
    if (after !== undefined) this.#outbox.send(session, after);
  }

  #goLive(subscription: Subscription): void {
    subscription.state = 'live';
    if (subscription.topic === ALL_TRADES) {
      this.#losses.takeOver(subscription);
      this.#settleTrades(subscription.session);
      return;
    }
    this.#setNative(subscription, subscription.stream !== 'trades' || !hasAllTrades(subscription.session));
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
    const wasNative = subscription.isNative || (turn !== 0 && subscription.nativeInTurn === turn);
    if (!entry.isState && wasNative) this.#losses.remember(subscription, turn);
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
    // The others of the snapshot no longer wait for this one, and nothing of it is sent behind theirs.
    if (!assembly.parts.delete(subscription)) assembly.missing--;
    assembly.queue = assembly.queue.filter(queued => queued.entry !== entry);
    if (assembly.missing === 0 && session.socket !== undefined) this.#complete(assembly);
  }

  /** A socket that has all trades must not get those of one symbol twice. */
  #settleTrades(session: Session): void {
    const hasAll = hasAllTrades(session);
    for (const subscription of session.subscriptions.values()) {
      if (subscription.stream !== 'trades' || subscription.state !== 'live') continue;
      this.#setNative(subscription, subscription.topic === ALL_TRADES || !hasAll);
    }
  }

  #setNative(subscription: Subscription, isOn: boolean): void {
    if (subscription.isNative === isOn) return;
    subscription.isNative = isOn;
    subscription.nativeInTurn = this.#turn.current;
    const { entry, session } = subscription;
    entry.subscribers += isOn ? 1 : -1;
    if (isOn) session.socket?.subscribe(entry.nativeTopic);
    else session.socket?.unsubscribe(entry.nativeTopic);
  }
}

function hasAllTrades(session: Session): boolean {
  return session.subscriptions.get(ALL_TRADES)?.state === 'live';
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
    nativeInTurn: 0,
    assembly: undefined,
    sentSeqs: undefined,
  };
}

function newAssembly(session: Session, missing: number, after: object | undefined): SnapshotAssembly {
  return { session, parts: new Map(), missing, queue: [], queueBytes: 0, after };
}
