/** Snapshots of several quotes in one frame: begun by a command, sent in the session's turn once all parts have come. */
import { snapshotUnits } from '../../protocol/costs.js';
import type { Session, Subscription } from '../model/session.js';
import type { LaneEntry, Part } from '../model/view.js';
import type { Deliveries } from '../sending/deliveries.js';
import type { Outbox } from '../sending/outbox.js';
import type { NativeTopics } from '../views/native-topics.js';
import { heldPlaceOf } from './held-places.js';
import { SnapshotAssembly } from './snapshot-assembly.js';

export interface QuoteSnapshotsOptions {
  readonly outbox: Outbox;
  readonly deliveries: Deliveries;
  readonly native: NativeTopics;
  readonly assemblyBytesMax: number | undefined;
  /** The snapshot is sent: deltas follow it. */
  readonly goLive: (subscription: Subscription) => void;
}

export class QuoteSnapshots {
  readonly #options: QuoteSnapshotsOptions;

  constructor(options: QuoteSnapshotsOptions) {
    this.#options = options;
  }

  /** One frame for all of these. @param after sent behind it */
  begin(session: Session, quotes: readonly Subscription[], after: object | undefined): void {
    const assembly = new SnapshotAssembly(session, quotes.length, after);
    assembly.delivery = { session, deliver: () => this.#deliver(assembly) };
    for (const subscription of quotes) {
      this.leave(subscription);
      subscription.assembly = assembly;
    }
  }

  /** The part of a topic has come: the deltas behind it wait until the snapshot is sent. */
  take(subscription: Subscription, assembly: SnapshotAssembly, part: Part): void {
    const { entry } = subscription;
    // One that is resynchronised has what came before; it must not get what follows before the snapshot.
    if (subscription.state === 'live') {
      subscription.heldAt = heldPlaceOf(subscription);
      this.#options.native.set(subscription, false);
    }
    subscription.state = 'held';
    entry.held.add(subscription);
    assembly.parts.set(subscription, part);
    if (--assembly.missing === 0) this.#ready(assembly);
  }

  /** A delta follows a part that is here. With too much behind it, what has come is sent without the others. */
  queueBehind(assembly: SnapshotAssembly, entry: LaneEntry, bytes: Uint8Array): void {
    // Live from here on, it gets this delta as everybody does.
    if (!assembly.queueBehind(entry, bytes, this.#options.assemblyBytesMax)) this.#complete(assembly.takeBegun());
  }

  /** The topic no longer waits for its snapshot. */
  leave(subscription: Subscription): void {
    const { assembly, session } = subscription;
    if (assembly?.leave(subscription) && session.socket !== undefined) this.#ready(assembly);
  }

  /** Sends it where this turn has room, else in its session's turn. */
  #ready(assembly: SnapshotAssembly): void {
    if (assembly.delivery === undefined) return;
    this.#options.deliveries.add(assembly.delivery);
  }

  #deliver(assembly: SnapshotAssembly): void {
    // Its lane may have been overrun while it waited for its turn.
    if (assembly.session.socket === undefined || assembly.missing > 0 || assembly.isSent) return;
    assembly.isSent = true;
    for (const subscription of assembly.parts.keys())
      if (subscription.assembly !== assembly) assembly.forget(subscription);
    this.#complete(assembly);
  }

  #complete(assembly: SnapshotAssembly): void {
    const { outbox, deliveries, goLive } = this.#options;
    const { session, parts, queue, after, isContinued, isWithoutData } = assembly;
    let bytes = 0;
    for (const part of parts.values()) bytes += part.bytes.length;
    deliveries.spend(bytes);
    deliveries.charge(session, snapshotUnits(bytes));
    // Empty when every topic was unsubscribed before its part came.
    let isSent = parts.size === 0 || (isContinued && isWithoutData) || outbox.sendQuotes(session, parts);
    for (const { entry, bytes: delta } of queue) isSent &&= outbox.sendEncoded(session, entry, delta);
    for (const { entry } of parts.keys()) isSent &&= outbox.sendStale(session, entry);
    for (const subscription of parts.keys()) {
      subscription.assembly = undefined;
      subscription.entry.held.delete(subscription);
      // What was dropped comes anew when the session is resumed: the drop suspends it.
      if (isSent) goLive(subscription);
      else subscription.state = 'waiting';
    }
    if (after !== undefined) outbox.send(session, after);
  }
}

/** The subscription can be sent a snapshot, and waits for none. */
export function hasSnapshot(subscription: Subscription): boolean {
  const { state, entry, assembly } = subscription;
  return state === 'live' && entry.isState && assembly === undefined && !entry.waiting.has(subscription);
}
