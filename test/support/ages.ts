/** What a ladder knows of its clients' receipts, with the marks that the gateway gives it. */
import type { Session } from '../../src/gateway/model/session.js';
import type { Outbox } from '../../src/gateway/sending/outbox.js';
import { Receipts } from '../../src/gateway/sending/receipts.js';
import { Ages } from '../../src/gateway/slow-consumers/ages.js';
import { marksOf, SAMPLE_INTERVAL_MS } from '../../src/gateway/slow-consumers/ladder.js';
import { SlowStart } from '../../src/gateway/slow-consumers/slow-start.js';

export const MAX_AGE_MS = 2_000;

export interface AgesOptions {
  readonly backpressureBytesMax: number;
  readonly outbox: Outbox;
  readonly nowMs: () => number;
  readonly sessions?: ReadonlySet<Session>;
  /** Without it, no client is asked what it has received. */
  readonly ping?: (session: Session, payload: Uint8Array) => void;
}

export function newAges({ backpressureBytesMax, outbox, nowMs, sessions = new Set(), ping }: AgesOptions) {
  const { lowWaterBytes, suspendBytes } = marksOf(backpressureBytesMax);
  const receipts: Receipts = new Receipts({
    nowMs,
    maxAgeMs: MAX_AGE_MS,
    lowWaterBytes,
    probedBytesMax: suspendBytes,
    ...(ping === undefined ? {} : { ping }),
    onReceived: (session, ageMs) => ages.observe(session.tier, ageMs),
    onBegin: session => slowStart.begin(session),
  });
  const slowStart = new SlowStart({ receipts, maxAgeMs: MAX_AGE_MS, nowMs });
  const ages = new Ages({
    receipts,
    outbox,
    sessions,
    maxAgeMs: MAX_AGE_MS,
    checkIntervalMs: SAMPLE_INTERVAL_MS,
    toldBytesMax: suspendBytes,
    nowMs,
    nowMicros: () => nowMs() * 1000,
  });
  return { receipts, ages, slowStart, maxAgeMs: MAX_AGE_MS };
}
