/** One snapshot frame of several quotes, until all its parts have come. */
import type { LaneEntry, Part } from './lane-table.js';
import type { Session, Subscription } from './session.js';

/** Deltas queued behind the first parts of a snapshot of many symbols; beyond it the snapshot is begun anew. */
export const ASSEMBLY_QUEUE_BYTES_MAX = 1024 * 1024;

/** One `quotes_patch` snapshot of several symbols under construction. */
export interface SnapshotAssembly {
  readonly session: Session;
  readonly parts: Map<Subscription, Part>;
  /** Parts still awaited. */
  missing: number;
  /** Deltas that came behind a part already here, to be sent behind the snapshot. */
  queue: { readonly entry: LaneEntry; readonly bytes: Uint8Array }[];
  queueBytes: number;
  /** Sent behind the snapshot: warnings about symbols that were left out. */
  readonly after: object | undefined;
}

/** @param missing how many parts the snapshot has */
export function newAssembly(session: Session, missing: number, after: object | undefined): SnapshotAssembly {
  return { session, parts: new Map(), missing, queue: [], queueBytes: 0, after };
}

/** A delta came behind a part that is there. False when there are too many. */
export function queueBehind(assembly: SnapshotAssembly, entry: LaneEntry, bytes: Uint8Array): boolean {
  assembly.queue.push({ entry, bytes });
  assembly.queueBytes += bytes.length;
  return assembly.queueBytes <= ASSEMBLY_QUEUE_BYTES_MAX;
}

/** Begins the snapshot anew. @returns those whose parts had come */
export function emptyAssembly(assembly: SnapshotAssembly): Subscription[] {
  const begun = [...assembly.parts.keys()];
  assembly.missing += begun.length;
  assembly.parts.clear();
  assembly.queue = [];
  assembly.queueBytes = 0;
  return begun;
}

/** The others no longer wait for this one, and nothing of it is sent behind theirs. True when none is waited for now. */
export function leaveAssembly(assembly: SnapshotAssembly, subscription: Subscription): boolean {
  subscription.assembly = undefined;
  if (!assembly.parts.delete(subscription)) assembly.missing--;
  assembly.queue = assembly.queue.filter(queued => queued.entry !== subscription.entry);
  return assembly.missing === 0;
}
