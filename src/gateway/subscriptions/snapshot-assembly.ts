/**
 * Collects the parts of a snapshot of several quotes: one frame, unless it would be too long, or too much changes before
 * it is complete.
 */

import type { Place } from '../journal/place.js';
import type { Session, Subscription, View } from '../model/session.js';
import type { Delivery } from '../sending/deliveries.js';
import type { Part } from '../views/views.js';

/**
 * Maximum bytes of deltas queued behind the first parts; beyond it, those parts are sent as a snapshot of their own.
 */
const QUEUE_BYTES_MAX = 256 * 1024;

/** A delta that waits behind a part. */
interface QueuedDelta {
  readonly view: View;
  readonly bytes: Uint8Array;
  /** For the journal. */
  readonly place?: Place | undefined;
}

/** One `quotes_patch` snapshot of several symbols under construction. */
export class SnapshotAssembly {
  readonly session: Session;
  readonly parts = new Map<Subscription, Part>();
  /** Parts still missing. */
  missing: number;
  /** Frames sent after the snapshot: warnings about the request. */
  readonly after: readonly object[];
  /** Sends it in its session's turn; undefined when it is sent at once. */
  delivery: Delivery | undefined;
  isSent = false;
  /** True once some of the quotes have been sent. */
  isContinued = false;
  /** True for a frame that others of the same snapshot follow. */
  isPartial = false;
  /** Bytes of the parts in the frame. */
  #partBytes = 0;
  #queue: QueuedDelta[] = [];
  /** Bytes queued per topic. A topic that has left is not in here, and none of its deltas are sent. */
  #bytesOf = new Map<View, number>();
  #queueBytes = 0;

  constructor(session: Session, missing: number, after: readonly object[]) {
    this.session = session;
    this.missing = missing;
    this.after = after;
  }

  /** Deltas that followed a part that had arrived, to send after the snapshot. */
  get queue(): readonly QueuedDelta[] {
    return this.#queue.filter(({ view }) => this.#bytesOf.has(view));
  }

  /** Bytes of the parts that have arrived, as they count in a frame. */
  get partBytes(): number {
    return this.#partBytes;
  }

  /** A part has arrived. @param bytes as they count in a frame */
  add(subscription: Subscription, part: Part, bytes: number): void {
    this.parts.set(subscription, part);
    this.#partBytes += bytes;
    this.missing--;
  }

  /** Queues a delta that follows a part already here. False, without queueing it, when the queue would be too long. */
  queueBehind(delta: QueuedDelta, bytesMax = QUEUE_BYTES_MAX): boolean {
    const { view, bytes } = delta;
    if (this.#queueBytes + bytes.length > bytesMax) return false;
    this.#queue.push(delta);
    this.#bytesOf.set(view, (this.#bytesOf.get(view) ?? 0) + bytes.length);
    this.#queueBytes += bytes.length;
    return true;
  }

  /**
   * Takes out the parts so far, with their queued deltas, to be sent. The other parts stay awaited, and `after` with
   * them.
   */
  takeBegun(): SnapshotAssembly {
    const begun = new SnapshotAssembly(this.session, 0, []);
    for (const [subscription, part] of this.parts) begun.parts.set(subscription, part);
    begun.#queue = this.#queue;
    begun.#bytesOf = this.#bytesOf;
    begun.isContinued = this.isContinued;
    begun.isPartial = true;
    this.isContinued ||= !begun.isWithoutData;
    this.#clear();
    return begun;
  }

  /** True while none of the topics whose parts have arrived has data. */
  get isWithoutData(): boolean {
    for (const { bytes } of this.parts.values()) if (bytes.length > 0) return false;
    return true;
  }

  /** Restarts the snapshot. @returns the subscriptions whose parts had arrived */
  empty(): Subscription[] {
    const begun = [...this.parts.keys()];
    this.missing += begun.length;
    this.#clear();
    return begun;
  }

  /**
   * Removes a subscription: the others no longer wait for it, and its deltas are not sent. True when no part is
   * missing now.
   */
  leave(subscription: Subscription): boolean {
    if (this.parts.has(subscription)) this.forget(subscription);
    else this.missing--;
    return this.missing === 0;
  }

  /** Drops what was queued for a topic whose part has arrived. */
  forget(subscription: Subscription): void {
    this.parts.delete(subscription);
    // Leave the queue itself untouched: a thousand topics may leave at once.
    this.#queueBytes -= this.#bytesOf.get(subscription.view) ?? 0;
    this.#bytesOf.delete(subscription.view);
  }

  #clear(): void {
    this.parts.clear();
    this.#partBytes = 0;
    this.#queue = [];
    this.#bytesOf = new Map();
    this.#queueBytes = 0;
  }
}
