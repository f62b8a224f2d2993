/** Hands what waited for an encoder that died to its replacement, after the state that rebuilds it. */
import { BatchReader, type BatchWriter, RecordKind } from '../../threads/records.js';
import type { Subject } from '../sources/subject-table.js';

/** Records besides events that still matter after the encoder they waited for has died. */
const REQUEUED: ReadonlySet<number> = new Set([
  RecordKind.snapshot,
  RecordKind.gap,
  RecordKind.replayBegin,
  RecordKind.replay,
  RecordKind.replayEnd,
]);

/** Records that are meaningful only in the epoch in which they were made. */
const OF_ONE_EPOCH: ReadonlySet<number> = new Set([
  RecordKind.data,
  RecordKind.gap,
  RecordKind.replayBegin,
  RecordKind.replay,
]);

/**
 * Appends what still matters of a batch: events and requests. State messages are left out, because the rebuilt state
 * is newer.
 * @param subjectOf the subject of a number; undefined for a forgotten one
 */
export function requeue(
  buffer: ArrayBuffer,
  bytes: number,
  subjectOf: (id: number) => Subject | undefined,
  into: BatchWriter,
): void {
  const reader = new BatchReader();
  const payloads = new Uint8Array(buffer);
  const epochBegins = epochBeginsIn(reader, buffer, bytes);
  reader.open(buffer, bytes);
  while (reader.next()) {
    const known = subjectOf(reader.source);
    // Forgotten since then: it is no longer needed, and the new encoder does not know it.
    if (known === undefined) continue;
    // From a past epoch: in the one that the new encoder begins with, its sequences mean other messages.
    const isOver = reader.payloadStart < (epochBegins.get(reader.source) ?? 0);
    if (isOver && OF_ONE_EPOCH.has(reader.kind)) continue;
    const isEvent = reader.kind === RecordKind.data && known.retention === null;
    if (!isEvent && !REQUEUED.has(reader.kind)) continue;
    const payload = payloads.subarray(reader.payloadStart, reader.payloadStart + reader.payloadBytes);
    const { kind, source, a, b, c, flags, lane, worker } = reader;
    into.append(kind as RecordKind, source, a, b, c, payload, flags, lane, worker);
  }
}

/** Where the newest epoch of each subject begins in a batch. */
function epochBeginsIn(reader: BatchReader, buffer: ArrayBuffer, bytes: number): Map<number, number> {
  const begins = new Map<number, number>();
  reader.open(buffer, bytes);
  while (reader.next()) if (reader.kind === RecordKind.epoch) begins.set(reader.source, reader.payloadStart);
  return begins;
}
