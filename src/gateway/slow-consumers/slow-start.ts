/**
 * Clients that have yet to show how fast they read: those that have subscribed to state topics, and those whose topics
 * resume after they fell behind. A system takes megabytes for a client that does not read them, and only its pongs tell.
 * So such a client is asked how far it has received at each glance, and falls behind as soon as more is on its way than
 * it will read in time, or more than a first window for too long. That bounds how old what it reads can become before
 * anything is noticed.
 */
import { Cursor } from '../../threads/cursor.js';
import type { Session } from '../model/session.js';
import type { Receipts } from '../sending/receipts.js';

/** A client has shown how fast it reads after so long and so many bytes without falling behind. */
const FRESH_MS = 5_000;
const SHOWN_BYTES = 2 * 1024 * 1024;
/** Share of WS_MAX_AGE: a client may have as much on its way as, at the rate that it last showed, it takes in so long. */
const FLIGHT_SHARE = 1 / 2;
/**
 * One that has shown no rate may have this much on its way, or more until an answer is late by this share of WS_MAX_AGE;
 * and one that takes so many times as long as its rate says, until it is late by the other share.
 */
const FIRST_FLIGHT_BYTES = 64 * 1024;
const LATE_SHARE = 1 / 8;
const SLOWER_FACTOR = 2;
const SLOWER_LATE_SHARE = 1 / 4;
/** Maximum subscriptions examined and clients asked per glance: they cost a thread 1 % each at most. */
const EXAMINED_PER_GLANCE = 2_000;
const PROBES_PER_GLANCE = 25;

interface SlowStartOptions {
  readonly receipts: Pick<Receipts, 'probe' | 'ageMs'>;
  readonly maxAgeMs: number;
  readonly nowMs: () => number;
}

interface Start {
  readonly session: Session;
  freshUntilMs: number;
  /** What had been published to the client at the last glance; undefined: before the first one. */
  publishedBytes: number | undefined;
  /** What was published to it since it began. */
  shownBytes: number;
}

export class SlowStart {
  readonly #options: SlowStartOptions;
  /** Those that have just begun are examined first; those that were sent little for longer, with what is left. */
  readonly #fresh = new Map<Session, Start>();
  readonly #quiet = new Map<Session, Start>();
  readonly #inTurn = [this.#fresh, this.#quiet].map(starts => ({ starts, cursor: new Cursor(starts) }));

  constructor(options: SlowStartOptions) {
    this.#options = options;
  }

  /** The session has begun, or resumed, state topics. */
  begin(session: Session): void {
    const before = this.#fresh.get(session) ?? this.#quiet.get(session);
    this.#quiet.delete(session);
    const freshUntilMs = this.#options.nowMs() + FRESH_MS;
    this.#fresh.set(session, { session, freshUntilMs, publishedBytes: before?.publishedBytes, shownBytes: 0 });
  }

  /** Asks some clients how far they have received, all in turn. @returns those of them that fall behind */
  glance(): readonly Session[] {
    const behind: Session[] = [];
    const left = { examined: EXAMINED_PER_GLANCE, probes: PROBES_PER_GLANCE };
    for (const { starts, cursor } of this.#inTurn) {
      for (let unseen = starts.size; unseen > 0 && left.examined > 0 && left.probes > 0; unseen--) {
        const start = cursor.next();
        if (start === undefined) break;
        const { session } = start;
        left.examined -= 1 + session.subscriptions.size;
        const isPublished = this.#countPublished(start);
        if (isPublished && this.#options.receipts.probe(session)) left.probes--;
        if (isPublished && this.#isBehind(session)) behind.push(session);
        this.#move(start);
      }
    }
    return behind;
  }

  closed(session: Session): void {
    this.#fresh.delete(session);
    this.#quiet.delete(session);
  }

  /** Counts what was published to the client since the last glance as on its way. False when nothing was. */
  #countPublished(start: Start): boolean {
    const { session } = start;
    const { publishedBytes } = session;
    const newBytes = publishedBytes - (start.publishedBytes ?? publishedBytes);
    start.publishedBytes = publishedBytes;
    start.shownBytes += newBytes;
    session.receipt.sent(newBytes);
    return newBytes > 0;
  }

  #isBehind(session: Session): boolean {
    const { receipts, maxAgeMs } = this.#options;
    const { flightBytes, bytesPerMs } = session.receipt;
    if (session.isSuspended) return false;
    const expectedMs = flightBytes / bytesPerMs;
    if (expectedMs > maxAgeMs * FLIGHT_SHARE) return true;
    if (flightBytes <= FIRST_FLIGHT_BYTES) return false;
    const lateMs = receipts.ageMs(session);
    if (expectedMs === 0) return lateMs >= maxAgeMs * LATE_SHARE;
    return lateMs >= maxAgeMs * SLOWER_LATE_SHARE && lateMs > expectedMs * SLOWER_FACTOR;
  }

  #move(start: Start): void {
    if (this.#options.nowMs() < start.freshUntilMs) return;
    this.#fresh.delete(start.session);
    if (start.shownBytes < SHOWN_BYTES) this.#quiet.set(start.session, start);
    else this.#quiet.delete(start.session);
  }
}
