/**
 * The epochs of publishers that number their messages. A publisher that restarts should name another epoch. One that
 * does not is recognized by its sequence, which falls back to 1. A late copy of its first message looks alike, but has
 * the same bytes. If a restarted publisher begins with the same bytes too, the next message decides: it continues the
 * old numbering, or it does not.
 */

import { BoundedMap } from '../../protocol/bounded-map.js';
import { fnv1a } from '../../protocol/fnv.js';
import type { HubMessage } from '../hub-feed.js';
import type { Source } from './source-table.js';

/** How long a possible first message of a restarted publisher waits for the next one. */
const RESTART_WAIT_MS = 250;
/** Maximum messages waiting like that; beyond it, a sequence of 1 counts as a restart. */
const WAITING_MAX = 10_000;
/** Maximum dropped sources whose publisher state is remembered. */
const DROPPED_MAX = 100_000;

/** Takes a message in the epoch that clients are told. */
export type Take = (source: Source, m: HubMessage, epoch: string) => void;

interface Waiting {
  readonly message: HubMessage;
  readonly timer: NodeJS.Timeout;
}

interface Dropped {
  readonly epoch: string;
  readonly life: number;
  readonly began: number;
  readonly seq: number;
}

export class PublisherEpochs {
  readonly #take: Take;
  readonly #waiting = new Map<Source, Waiting>();
  /** The publishers' state for dropped sources, by subject. */
  readonly #dropped = new BoundedMap<string, Dropped>(DROPPED_MAX);
  #outages = 0;

  constructor(take: Take) {
    this.#take = take;
  }

  /** The feed lost its source: a publisher may restart unseen. */
  outage(): void {
    this.#outages++;
  }

  /** Takes a message numbered by its publisher or the feed: now, or once it is known what it is. */
  receive(source: Source, m: HubMessage): void {
    // A stream's own numbering never falls back: its reader ensures that.
    if (!m.contiguous) {
      this.#take(source, m, m.epoch);
      return;
    }
    if (source.publisherEpoch !== m.epoch) {
      this.forget(source);
      const before = source.publisherEpoch === '' ? this.#dropped.get(source.subject) : undefined;
      const isSame = before?.epoch === m.epoch;
      const hasRestarted = isSame && m.seq <= before.seq;
      source.publisherEpoch = m.epoch;
      source.publisherLife = isSame ? before.life + (hasRestarted ? 1 : 0) : 1;
      source.publisherBegan = isSame && !hasRestarted ? before.began : 0;
    } else {
      this.#settle(source, m);
      if (m.seq === 1 && source.seq > 0 && !this.#waiting.has(source)) {
        const isCopy = mayBeCopy(source, m);
        // Of two identical first messages, dropping one loses nothing.
        if (source.seq > 1 || !isCopy) {
          if (isCopy) this.#await(source, m);
          else this.#restart(source, m);
          return;
        }
      }
      // The first messages after the restart were lost in the outage.
      if (m.seq < source.seq && source.publisherOutages !== this.#outages) source.publisherLife++;
    }
    source.publisherOutages = this.#outages;
    if (m.seq === 1 && source.publisherBegan === 0) source.publisherBegan = fnv1a(m.payload);
    this.#take(source, m, epochOf(source));
  }

  /** The source is dropped. If its subject returns, it must not reuse a numbering that is over. */
  dropped(source: Source): void {
    this.forget(source);
    const { subject, publisherEpoch: epoch, publisherLife: life, publisherBegan: began, seq } = source;
    if (epoch === '') return;
    this.#dropped.set(subject, { epoch, life, began, seq });
  }

  /** Discards whatever the source waits for. */
  forget(source: Source): void {
    clearTimeout(this.#waiting.get(source)?.timer);
    this.#waiting.delete(source);
  }

  close(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  #await(source: Source, m: HubMessage): void {
    if (this.#waiting.size >= WAITING_MAX) {
      this.#restart(source, m);
      return;
    }
    const message = { ...m, payload: new Uint8Array(m.payload) };
    const timer = setTimeout(() => {
      this.#waiting.delete(source);
      this.#restart(source, message);
    }, RESTART_WAIT_MS);
    this.#waiting.set(source, { message, timer });
  }

  /** The next message tells whether a waiting one was the first after a restart or a late copy. */
  #settle(source: Source, m: HubMessage): void {
    const waiting = this.#waiting.get(source);
    if (waiting === undefined) return;
    if (m.seq === waiting.message.seq) return;
    this.forget(source);
    if (m.seq <= source.seq) this.#restart(source, waiting.message);
    else this.#take(source, waiting.message, epochOf(source));
  }

  #restart(source: Source, m: HubMessage): void {
    source.publisherLife++;
    source.publisherOutages = this.#outages;
    source.publisherBegan = fnv1a(m.payload);
    this.#take(source, m, epochOf(source));
  }
}

/** False when the bytes differ from the first message since the publisher's last start. */
function mayBeCopy({ publisherBegan }: Source, { payload }: HubMessage): boolean {
  return publisherBegan === 0 || publisherBegan === fnv1a(payload);
}

function epochOf({ publisherEpoch, publisherLife }: Source): string {
  return publisherLife === 1 ? publisherEpoch : `${publisherEpoch}~${publisherLife}`;
}
