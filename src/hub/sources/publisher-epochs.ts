/**
 * The epochs of publishers that number their messages. A publisher that restarts should name another epoch. One that
 * does not is recognized by its sequence, which falls back to 1. A late copy of its first message looks alike, but has
 * the same bytes. If a restarted publisher begins with the same bytes too, the next message decides: it continues the
 * old numbering, or it does not.
 */

import { BoundedMap } from '../../protocol/bounded-map.js';
import { fnv1a } from '../../protocol/fnv.js';
import type { HubMessage } from '../hub-feed.js';
import type { Subject } from './subject-table.js';

/** How long a possible first message of a restarted publisher waits for the next one. */
const RESTART_WAIT_MS = 250;
/** Maximum messages waiting like that; beyond it, a sequence of 1 counts as a restart. */
const WAITING_MAX = 10_000;
/** Maximum dropped subjects whose publisher state is remembered. */
const DROPPED_MAX = 100_000;

/** Takes a message in the epoch that clients are told. */
type Take = (subject: Subject, m: HubMessage, epoch: string) => void;

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
  readonly #waiting = new Map<Subject, Waiting>();
  /** The publishers' state for dropped subjects, by subject. */
  readonly #dropped = new BoundedMap<string, Dropped>(DROPPED_MAX);
  #outages = 0;

  constructor(take: Take) {
    this.#take = take;
  }

  /** The feed lost its upstream: a publisher may restart unseen. */
  outage(): void {
    this.#outages++;
  }

  /** Takes a message numbered by its publisher or the feed: now, or once it is known what it is. */
  receive(subject: Subject, m: HubMessage): void {
    // A stream's own numbering never falls back: its reader ensures that.
    if (!m.contiguous) {
      this.#take(subject, m, m.epoch);
      return;
    }
    if (subject.publisherEpoch !== m.epoch) {
      this.forget(subject);
      const before = subject.publisherEpoch === '' ? this.#dropped.get(subject.name) : undefined;
      const isSame = before?.epoch === m.epoch;
      const hasRestarted = isSame && m.seq <= before.seq;
      subject.publisherEpoch = m.epoch;
      subject.publisherLife = isSame ? before.life + (hasRestarted ? 1 : 0) : 1;
      subject.publisherBegan = isSame && !hasRestarted ? before.began : 0;
    } else {
      this.#settle(subject, m);
      if (m.seq === 1 && subject.seq > 0 && !this.#waiting.has(subject)) {
        const isCopy = mayBeCopy(subject, m);
        // Of two identical first messages, dropping one loses nothing.
        if (subject.seq > 1 || !isCopy) {
          if (isCopy) this.#await(subject, m);
          else this.#restart(subject, m);
          return;
        }
      }
      // The first messages after the restart were lost in the outage.
      if (m.seq < subject.seq && subject.publisherOutages !== this.#outages) subject.publisherLife++;
    }
    subject.publisherOutages = this.#outages;
    if (m.seq === 1 && subject.publisherBegan === 0) subject.publisherBegan = fnv1a(m.payload);
    this.#take(subject, m, epochOf(subject));
  }

  /** The subject is dropped. If its subject returns, it must not reuse a numbering that is over. */
  dropped(subject: Subject): void {
    this.forget(subject);
    const { name, publisherEpoch: epoch, publisherLife: life, publisherBegan: began, seq } = subject;
    if (epoch === '') return;
    this.#dropped.set(name, { epoch, life, began, seq });
  }

  /** Discards whatever the subject waits for. */
  forget(subject: Subject): void {
    clearTimeout(this.#waiting.get(subject)?.timer);
    this.#waiting.delete(subject);
  }

  close(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  #await(subject: Subject, m: HubMessage): void {
    if (this.#waiting.size >= WAITING_MAX) {
      this.#restart(subject, m);
      return;
    }
    const message = { ...m, payload: new Uint8Array(m.payload) };
    const timer = setTimeout(() => {
      this.#waiting.delete(subject);
      this.#restart(subject, message);
    }, RESTART_WAIT_MS);
    this.#waiting.set(subject, { message, timer });
  }

  /** The next message tells whether a waiting one was the first after a restart or a late copy. */
  #settle(subject: Subject, m: HubMessage): void {
    const waiting = this.#waiting.get(subject);
    if (waiting === undefined) return;
    if (m.seq === waiting.message.seq) return;
    this.forget(subject);
    if (m.seq <= subject.seq) this.#restart(subject, waiting.message);
    else this.#take(subject, waiting.message, epochOf(subject));
  }

  #restart(subject: Subject, m: HubMessage): void {
    subject.publisherLife++;
    subject.publisherOutages = this.#outages;
    subject.publisherBegan = fnv1a(m.payload);
    this.#take(subject, m, epochOf(subject));
  }
}

/** False when the bytes differ from the first message since the publisher's last start. */
function mayBeCopy({ publisherBegan }: Subject, { payload }: HubMessage): boolean {
  return publisherBegan === 0 || publisherBegan === fnv1a(payload);
}

function epochOf({ publisherEpoch, publisherLife }: Subject): string {
  return publisherLife === 1 ? publisherEpoch : `${publisherEpoch}~${publisherLife}`;
}
