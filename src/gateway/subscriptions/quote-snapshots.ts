/**
 * Snapshots of several quotes: a command begins one, and it is sent in the session's turn once it has all parts. What
 * exceeds one frame is sent in several, each as soon as it is full.
 */
import { snapshotUnits } from '../../protocol/costs.js';
import type { Place } from '../journal/place.js';
import type { Part } from '../model/part.js';
import type { Session, Subscription, View } from '../model/session.js';
import type { Deliveries } from '../sending/deliveries.js';
import type { Outbox } from '../sending/outbox.js';
import { quoteBytes } from '../sending/snapshot-frames.js';
import type { NativeTopics } from '../views/native-topics.js';
import { sentPositionOf } from './sent-positions.js';
import { SnapshotAssembly } from './snapshot-assembly.js';

interface QuoteSnapshotsOptions {
  readonly outbox: Outbox;
  readonly deliveries: Deliveries;
  readonly native: NativeTopics;
  readonly assemblyBytesMax: number | undefined;
  readonly hasRoom: (session: Session) => boolean;
  /** Called when there is no room for the topic's part. */
  readonly pause: (subscription: Subscription) => void;
  /** Called when the snapshot has been sent and deltas may follow. */
  readonly goLive: (subscription: Subscription) => void;
}

export class QuoteSnapshots {
  readonly #options: QuoteSnapshotsOptions;
  /** The frame that each subscription's part belongs to. */
  readonly #assemblies = new Map<Subscription, SnapshotAssembly>();

  constructor(options: QuoteSnapshotsOptions) {
    this.#options = options;
  }

  /** Begins one snapshot for all of these quotes. @param after sent after it */
  begin(session: Session, quotes: readonly Subscription[], after: readonly object[]): void {
    const assembly = new SnapshotAssembly(session, quotes.length, after);
    for (const subscription of quotes) this.leave(subscription);
    this.#own(assembly, quotes);
  }

  /** True when the subscription can be sent a snapshot and does not await one. */
  hasSnapshot(subscription: Subscription): boolean {
    const { state, view } = subscription;
    return state === 'live' && view.isState && !this.#assemblies.has(subscription) && !view.waiting.has(subscription);
  }

  /**
   * Takes a topic's part; the deltas that follow it wait until the snapshot is sent. False when the part belongs to no
   * shared frame.
   */
  take(subscription: Subscription, part: Part): boolean {
    const { view } = subscription;
    const assembly = this.#assemblies.get(subscription);
    if (assembly === undefined) return false;
    // A resynchronizing subscription has received what came before; it must not get later frames before the snapshot.
    if (subscription.state === 'live') {
      subscription.recordSentUpTo(sentPositionOf(subscription));
      this.#options.native.set(subscription, false, 'resync');
    }
    subscription.moveTo('buffering');
    view.buffering.add(subscription);
    const bytes = part.bytes.length > 0 ? quoteBytes(subscription.symbol, part) : 0;
    if (assembly.partBytes > 0 && assembly.partBytes + bytes > this.#options.outbox.quotesBytesMax) {
      this.#sendBegun(assembly);
    }
    assembly.add(subscription, part, bytes);
    if (assembly.missing === 0) this.#ready(assembly);
    return true;
  }

  /**
   * Queues a delta behind a part that has arrived. When too much is queued, sends the parts so far without the others.
   * @param place for the journal
   */
  queueBehind(subscription: Subscription, bytes: Uint8Array, place?: Place): void {
    const { view } = subscription;
    const assembly = this.#assemblies.get(subscription);
    if (assembly === undefined) return;
    // Now live, it gets this delta the usual way.
    const isQueued = assembly.queueBehind({ view, bytes, place }, this.#options.assemblyBytesMax);
    if (!isQueued) this.#complete(assembly.takeBegun());
  }

  /** The topic no longer waits for its snapshot. */
  leave(subscription: Subscription): void {
    const assembly = this.#assemblies.get(subscription);
    this.abandon(subscription);
    if (assembly?.leave(subscription) && subscription.session.socket !== undefined) this.#ready(assembly);
  }

  /** The socket accepts nothing for now: the frame is sent without this topic, if at all. */
  abandon(subscription: Subscription): void {
    this.#assemblies.delete(subscription);
  }

  /** Restarts the snapshots that contain parts of this view. @returns the subscriptions whose parts had arrived */
  restart(view: View): Subscription[] {
    const begun: Subscription[] = [];
    for (const waiter of [...view.buffering]) {
      for (const subscription of this.#assemblies.get(waiter)?.empty() ?? []) {
        subscription.view.buffering.delete(subscription);
        subscription.view.setPart(undefined);
        begun.push(subscription);
      }
    }
    return begun;
  }

  /** Sends the parts so far, which fill a frame, as soon as possible. The other parts stay awaited. */
  #sendBegun(assembly: SnapshotAssembly): void {
    const begun = assembly.takeBegun();
    this.#own(begun, begun.parts.keys());
    this.#ready(begun);
  }

  #own(assembly: SnapshotAssembly, quotes: Iterable<Subscription>): void {
    assembly.delivery = { session: assembly.session, deliver: () => this.#deliver(assembly) };
    for (const subscription of quotes) this.#assemblies.set(subscription, assembly);
  }

  /** Sends it if this turn has room, otherwise in its session's turn. */
  #ready(assembly: SnapshotAssembly): void {
    if (assembly.delivery === undefined) return;
    this.#options.deliveries.add(assembly.delivery);
  }

  #deliver(assembly: SnapshotAssembly): void {
    // Its view may have been overrun while it waited for its turn.
    if (assembly.session.socket === undefined || assembly.missing > 0 || assembly.isSent) return;
    assembly.isSent = true;
    for (const subscription of assembly.parts.keys())
      if (this.#assemblies.get(subscription) !== assembly) assembly.forget(subscription);
    if (!assembly.isWithoutData && !this.#options.hasRoom(assembly.session)) this.#postpone(assembly);
    this.#complete(assembly);
  }

  /** More has been sent since the parts came: they are sent as they are then when there is room again. */
  #postpone(assembly: SnapshotAssembly): void {
    for (const subscription of [...assembly.parts.keys()]) {
      assembly.forget(subscription);
      this.abandon(subscription);
      this.#options.pause(subscription);
    }
  }

  #complete(assembly: SnapshotAssembly): void {
    const { outbox, deliveries, goLive } = this.#options;
    const { session, parts, queue, after, isContinued, isPartial, isWithoutData } = assembly;
    let bytes = 0;
    for (const part of parts.values()) bytes += part.bytes.length;
    deliveries.spend(bytes);
    deliveries.charge(session, snapshotUnits(bytes));
    const isComplete = !isPartial && isLastOf(session, parts);
    // Without parts when every topic was unsubscribed or paused before its part arrived.
    const isNeeded = !isWithoutData || (!isPartial && (isContinued ? isComplete : parts.size > 0));
    let isSent = !isNeeded || outbox.sendQuotes(session, parts, isComplete);
    for (const { view, bytes: delta, place } of queue) isSent &&= outbox.sendEncoded(session, view, delta, place);
    outbox.journal?.sentAll();
    for (const { view } of parts.keys()) isSent &&= outbox.sendStale(session, view);
    for (const subscription of parts.keys()) {
      this.abandon(subscription);
      subscription.view.buffering.delete(subscription);
      // The drop suspends the session; the parts are sent again when it resumes.
      if (isSent) goLive(subscription);
      else subscription.moveTo('waiting');
    }
    for (const frame of after) outbox.send(session, frame);
  }
}

/** True when no other quote of the session waits for its snapshot. */
function isLastOf(session: Session, parts: ReadonlyMap<Subscription, Part>): boolean {
  for (const subscription of session.subscriptions.values()) {
    if (subscription.stream === 'quotes' && subscription.state !== 'live' && !parts.has(subscription)) return false;
  }
  return true;
}
