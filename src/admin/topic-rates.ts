/** How many messages a second each subject gets from the feed, measured over the last seconds. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Subject } from '../hub/sources/subject-table.js';
import { ALL_SYMBOLS } from '../protocol/topics.js';

const MEASURE_INTERVAL_MS = 2_000;
/** Subjects measured in one turn of the loop: about 0.2 ms. */
const MEASURED_PER_TURN = 10_000;

/** What subjects get from the feed. */
interface Traffic {
  /** Null before the second measurement. */
  readonly rate: number | null;
  /** When the newest message arrived, on the clock of the subject table; null: there was none. */
  readonly seenAtMs: number | null;
}

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
  /** Of the subject of all trades: no message arrives on it, but those of every symbol belong to it. */
  #allTrades: Traffic = { rate: null, seenAtMs: null };

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
      let rate: number | null = null;
      let seenAtMs: number | null = null;
      for (const subject of this.#subjects()) {
        if (++examined % MEASURED_PER_TURN === 0) await nextTurn();
        const perSecond = this.#measure(subject);
        if (subject.kind !== 'trades') continue;
        if (perSecond !== null) rate = (rate ?? 0) + perSecond;
        if (subject.seenOrder > 0) seenAtMs = Math.max(seenAtMs ?? 0, subject.seenAtMs);
      }
      this.#allTrades = { rate, seenAtMs };
    } finally {
      this.#isBusy = false;
    }
  }

  #measure(subject: Subject): number | null {
    const atMs = this.#nowMs();
    const { messages } = subject;
    const last = this.#measured.get(subject);
    if (last === undefined) {
      this.#measured.set(subject, { messages, atMs, perSecond: null });
      return null;
    }
    last.perSecond = ((messages - last.messages) * 1000) / Math.max(1, atMs - last.atMs);
    last.messages = messages;
    last.atMs = atMs;
    return last.perSecond;
  }

  /** That of all trades is as of the last measurement. */
  of(subject: Subject): Traffic {
    if (subject.kind === 'trades' && subject.symbol === ALL_SYMBOLS) {
      return { ...this.#allTrades, rate: rounded(this.#allTrades.rate) };
    }
    const { seenOrder, seenAtMs } = subject;
    const rate = rounded(this.#measured.get(subject)?.perSecond ?? null);
    return { rate, seenAtMs: seenOrder > 0 ? seenAtMs : null };
  }
}

const rounded = (perSecond: number | null): number | null =>
  perSecond === null ? null : Math.round(perSecond * 10) / 10;
