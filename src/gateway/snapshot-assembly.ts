/** The snapshot of several quotes, until all its parts have come: one frame, unless too much changes meanwhile. */
import type { LaneEntry, Part } from './lane-table.js';
import type { Session, Subscription } from './session.js';

/** Deltas queued behind the first parts; beyond it those are sent as a snapshot of their own. */
const QUEUE_BYTES_MAX = 256 * 1024;

/** One `quotes_patch` snapshot of several symbols under construction. */
export class SnapshotAssembly {
  readonly session: Session;
  readonly parts = new Map<Subscription, Part>();
  /** Parts still awaited. */
  missing: number;
  /** Deltas that came behind a part already here, to be sent behind the snapshot. */
  queue: { readonly entry: LaneEntry; readonly bytes: Uint8Array }[] = [];
  /** Sent behind the snapshot: warnings about symbols that were left out. */
  after: object | undefined;
  /** True once some of the quotes have been sent. */
  isContinued = false;
  #queueBytes = 0;

  constructor(session: Session, missing: number, after: object | undefined) {
    this.session = session;
    this.missing = missing;
    this.after = after;
  }

  /** A delta came behind a part that is there. False, and it is not queued, when that would be too many. */
  queueBehind(entry: LaneEntry, bytes: Uint8Array, bytesMax = QUEUE_BYTES_MAX): boolean {
    if (this.#queueBytes + bytes.length > bytesMax) return false;
    this.queue.push({ entry, bytes });
    this.#queueBytes += bytes.length;
    return true;
  }

  /** Takes out what has come so far, to be sent, with what is sent behind it. The others go on waiting. */
  takeBegun(): SnapshotAssembly {
    const begun = new SnapshotAssembly(this.session, 0, this.after);
    for (const [subscription, part] of this.parts) begun.parts.set(subscription, part);
    begun.queue = this.queue;
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
    subscription.assembly = undefined;
    if (!this.parts.delete(subscription)) this.missing--;
    this.queue = this.queue.filter(({ entry }) => entry !== subscription.entry);
    this.#queueBytes = this.queue.reduce((sum, { bytes }) => sum + bytes.length, 0);
    return this.missing === 0;
  }

  #clear(): void {
    this.parts.clear();
    this.queue = [];
    this.#queueBytes = 0;
  }
}
