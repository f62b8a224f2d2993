/**
 * Publisher-to-client latency, from what JSON frames carry with `?timestamps=1` at their end: `ts_event`, when the message
 * was to be published, and `ts_sent`, when the gateway published it (µs since the Unix epoch).
 */
import type { FrameInspector } from './frame-reader.js';
import { LatencyHistogram, type LatencyReport } from './latency-histogram.js';
import { ascii, find, number } from './order-inspector.js';
import type { ReadTurns, ReadTurnsReport } from './read-turns.js';

const TS_EVENT = ascii('"ts_event":');
const TS_SENT = ascii('"ts_sent":');
/** Both stamps, of 16 digits each, are within so many bytes of the end. */
const STAMPS_WITHIN_BYTES = 64;

/** The time from the intended publish to the client, and its two parts where the frames say when they were sent. */
export interface LatencyReports extends ReadTurnsReport {
  readonly total: LatencyReport;
  readonly toServer: LatencyReport;
  readonly fromServer: LatencyReport;
}

/** µs since the Unix epoch by this process's monotonic clock, anchored at its start. */
export function nowMicros(): number {
  return (performance.timeOrigin + performance.now()) * 1000;
}

export class LatencyInspector implements FrameInspector {
  readonly #total = new LatencyHistogram();
  readonly #toServer = new LatencyHistogram();
  readonly #fromServer = new LatencyHistogram();
  readonly #turns: ReadTurns;

  constructor(turns: ReadTurns) {
    this.#turns = turns;
  }

  inspect(_socket: number, bytes: Uint8Array, from: number, to: number): void {
    const start = Math.max(from, to - STAMPS_WITHIN_BYTES);
    const eventAt = find(bytes, start, to, TS_EVENT);
    if (eventAt < 0) return;
    const nowMs = performance.now();
    const now = (performance.timeOrigin + nowMs) * 1000;
    const event = number(bytes, eventAt, to);
    this.#total.record(now - event);
    this.#turns.sampled(nowMs);
    const sentAt = find(bytes, eventAt, to, TS_SENT);
    if (sentAt < 0) return;
    const sent = number(bytes, sentAt, to);
    this.#toServer.record(sent - event);
    this.#fromServer.record(now - sent);
  }

  /** Since the last call; starts anew. */
  take(): LatencyReports {
    return {
      total: this.#total.take(),
      toServer: this.#toServer.take(),
      fromServer: this.#fromServer.take(),
      ...this.#turns.take(),
    };
  }
}
