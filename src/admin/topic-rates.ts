/** How many messages a second each subject gets from the feed, measured over the last seconds. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Subject } from '../hub/sources/subject-table.js';

const MEASURE_INTERVAL_MS = 2_000;
/** Subjects measured in one turn of the loop: about 0.2 ms. */
const MEASURED_PER_TURN = 10_000;

interface Measured {
  messages: number;
  atMs: number;
  perSecond: number | null;
}

export class TopicRates {
  readonly #subjects: () => Iterable<Subject>;
  readonly #nowMs: () => number;
  /** A subject that is forgotten takes its measurement along. */
  readonly #measured = new WeakMap<Subject, Measured>();
  #timer: NodeJS.Timeout | undefined;
  #isBusy = false;

  constructor(subjects: () => Iterable<Subject>, nowMs: () => number) {
    this.#subjects = subjects;
    this.#nowMs = nowMs;
  }

  /** @param onFault a round failed */
  start(onFault: (cause: unknown) => void): void {
    this.#timer ??= setInterval(() => {
      this.measure().catch(onFault);
    }, MEASURE_INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async measure(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      let examined = 0;
      for (const subject of this.#subjects()) {
        if (++examined % MEASURED_PER_TURN === 0) await nextTurn();
        this.#measure(subject);
      }
    } finally {
      this.#isBusy = false;
    }
  }

  #measure(subject: Subject): void {
    const atMs = this.#nowMs();
    const { messages } = subject;
    const last = this.#measured.get(subject);
    if (last === undefined) {
      this.#measured.set(subject, { messages, atMs, perSecond: null });
      return;
    }
    last.perSecond = ((messages - last.messages) * 1000) / Math.max(1, atMs - last.atMs);
    last.messages = messages;
    last.atMs = atMs;
  }

  /** Null before the second measurement. */
  of(subject: Subject): number | null {
    const perSecond = this.#measured.get(subject)?.perSecond ?? null;
    return perSecond === null ? null : Math.round(perSecond * 10) / 10;
  }
}
