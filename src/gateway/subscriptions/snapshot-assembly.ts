/** The snapshot of several quotes, until all its parts have come: one frame, unless too much changes meanwhile. */

import type { Session, Subscription, View } from '../model/session.js';
import type { Delivery } from '../sending/deliveries.js';
import type { Part } from '../views/views.js';

/** Deltas queued behind the first parts; beyond it those are sent as a snapshot of their own. */
const QUEUE_BYTES_MAX = 256 * 1024;

/** One `quotes_patch` snapshot of several symbols under construction. */
export class SnapshotAssembly {
  readonly session: Session;
  readonly parts = new Map<Subscription, Part>();
  /** Parts still awaited. */
  missing: number;
  /** Sent behind the snapshot: warnings about symbols that were left out. */
  after: object | undefined;
  /** Sends it in its session's turn; undefined for one that is sent at once. */
  delivery: Delivery | undefined;
  isSent = false;
  /** True once some of the quotes have been sent. */
  isContinued = false;
  #queue: { readonly view: View; readonly bytes: Uint8Array }[] = [];
  /** Bytes queued of each topic; one that has left is not here, and nothing of it is sent. */
  #bytesOf = new Map<View, number>();
  #queueBytes = 0;

  constructor(session: Session, missing: number, after: object | undefined) {
    this.session = session;
    this.missing = missing;
    this.after = after;
  }

  /** Deltas that came behind a part already here, to be sent behind the snapshot. */
  get queue(): readonly { readonly view: View; readonly bytes: Uint8Array }[] {
    return this.#queue.filter(({ view }) => this.#bytesOf.has(view));
  }

  /** A delta came behind a part that is there. False, and it is not queued, when that would be too many. */
  queueBehind(view: View, bytes: Uint8Array, bytesMax = QUEUE_BYTES_MAX): boolean {
    if (this.#queueBytes + bytes.length > bytesMax) return false;
    this.#queue.push({ view, bytes });
    this.#bytesOf.set(view, (this.#bytesOf.get(view) ?? 0) + bytes.length);
    this.#queueBytes += bytes.length;
    return true;
  }

  /** Takes out what has come so far, to be sent, with what is sent behind it. The others go on waiting. */
  takeBegun(): SnapshotAssembly {
    const begun = new SnapshotAssembly(this.session, 0, this.after);
    for (const [subscription, part] of this.parts) begun.parts.set(subscription, part);
    begun.#queue = this.#queue;
    begun.#bytesOf = this.#bytesOf;
    begun.isContinued = this.isContinued;
    this.after = undefined;
    this.isContinued ||= !begun.isWithoutData;
    this.#clear();
    return begun;
  }

  /** True while none of the topics whose parts have come has data. */
  get isWithoutData(): boolean {
    for (const { bytes } of this.parts.values()) if (bytes.length > 0) return false;
    return true;
  }

  /** Begins the snapshot anew. @returns those whose parts had come */
  empty(): Subscription[] {
    const begun = [...this.parts.keys()];
    this.missing += begun.length;
    this.#clear();
    return begun;
  }

  /** The others no longer wait for this one, and nothing of it is sent behind theirs. True when none is waited for now. */
  leave(subscription: Subscription): boolean {
    if (this.parts.has(subscription)) this.forget(subscription);
    else this.missing--;
    return this.missing === 0;
  }

  /** Nothing is sent of a topic whose part has come. */
  forget(subscription: Subscription): void {
    this.parts.delete(subscription);
    // The queue itself stays as it is: a thousand topics may leave at once.
    this.#queueBytes -= this.#bytesOf.get(subscription.view) ?? 0;
    this.#bytesOf.delete(subscription.view);
  }

  #clear(): void {
    this.parts.clear();
    this.#queue = [];
    this.#bytesOf = new Map();
    this.#queueBytes = 0;
  }
}
