/** How much later each of two lines delivers what the other has delivered: measured on one message at a time. */

import type { FeedMessage } from '../feed-contract/feed.js';
import type { UpstreamIndex } from './failover-policy.js';

/** Longest wait for a line. */
export const LAG_MS_MAX = 5_000;
/** The wait before anything is measured. */
export const LAG_MS_UNKNOWN = 1_000;
/** The wait for a line is twice its lag plus this. */
const MARGIN_MS = 50;
/** Weight of an earlier, longer lag in a new measurement. */
const DECAY = 0.8;

export class LineLags {
  readonly #nowMs: () => number;
  readonly #lagMs: [number, number] = [LAG_MS_UNKNOWN, LAG_MS_UNKNOWN];
  readonly #isMeasured: [boolean, boolean] = [false, false];
  /** The message that the other line has yet to deliver; `#subject` is '' if there is none. */
  #line: UpstreamIndex = 0;
  #subject = '';
  #epoch = '';
  #seq = 0;
  #sinceMs = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** How long to wait for a line to deliver what the other one has delivered. */
  waitMs(line: UpstreamIndex): number {
    return this.#isMeasured[line] ? Math.min(LAG_MS_MAX, 2 * this.#lagMs[line] + MARGIN_MS) : LAG_MS_UNKNOWN;
  }

  /** A line delivered a message first. */
  brought(line: UpstreamIndex, { subject, epoch, seq }: FeedMessage): void {
    if (this.#subject !== '') return;
    this.#line = line;
    this.#subject = subject;
    this.#epoch = epoch;
    this.#seq = seq;
    this.#sinceMs = this.#nowMs();
  }

  /** Any message of a line. */
  seen(line: UpstreamIndex, { subject, epoch, seq }: FeedMessage): void {
    if (subject !== this.#subject || line === this.#line || epoch !== this.#epoch || seq < this.#seq) return;
    this.#note(line, this.#nowMs() - this.#sinceMs);
    this.#note(this.#line, 0);
    this.#subject = '';
  }

  /** Gives up on a message that the other line does not deliver. */
  maintain(): void {
    if (this.#subject !== '' && this.#nowMs() - this.#sinceMs >= LAG_MS_MAX) this.#subject = '';
  }

  #note(line: UpstreamIndex, lagMs: number): void {
    const before = this.#isMeasured[line] ? this.#lagMs[line] : 0;
    this.#lagMs[line] = Math.max(lagMs, before * DECAY);
    this.#isMeasured[line] = true;
  }
}
