/**
 * Past events for clients that missed some, by kind. Each kind has a share of the memory, in its own ring, so that no
 * kind can evict another. Rooms, which clients write, have the smallest share.
 */

import type { Subject } from '../sources/subject-table.js';
import { EventHistory, type PastMessage } from './event-history.js';

/** The event kinds, with their shares of the memory in sixteenths. */
const SHARES = { trades: 8, orders: 4, analytics: 3, rooms: 1 } as const;
type EventKind = keyof typeof SHARES;

const WHOLE = Object.values(SHARES).reduce((sum, share) => sum + share, 0);
/** A share's memory is a multiple of this. */
const UNIT_BYTES = 8;

/** The memory for a kind, out of `bytes` in total. */
export function historyShareBytes(kind: EventKind, bytes: number): number {
  return Math.floor((bytes * SHARES[kind]) / WHOLE / UNIT_BYTES) * UNIT_BYTES;
}

export class EventHistories {
  readonly #byKind: Readonly<Record<EventKind, EventHistory>>;

  /** @param bytes total for all kinds; each share is allocated at its first message. 0 keeps nothing. */
  constructor(bytes: number) {
    const ring = (kind: EventKind) => new EventHistory(historyShareBytes(kind, bytes));
    this.#byKind = {
      trades: ring('trades'),
      orders: ring('orders'),
      analytics: ring('analytics'),
      rooms: ring('rooms'),
    };
  }

  /** @see EventHistory.add */
  add(subject: Subject, payload: Uint8Array, seq: number, prevSeq: number, tsEventMicros: number): void {
    this.#of(subject).add(subject, payload, seq, prevSeq, tsEventMicros);
  }

  /** @see EventHistory.placesAfter */
  placesAfter(subject: Subject, seq: number, max: number): number[] | undefined {
    return this.#of(subject).placesAfter(subject, seq, max);
  }

  /** @see EventHistory.read @param place from `placesAfter` for this subject */
  read(subject: Subject, place: number): PastMessage | undefined {
    return this.#of(subject).read(place);
  }

  #of({ kind }: Subject): EventHistory {
    return this.#byKind[kind as EventKind];
  }
}
