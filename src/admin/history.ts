/**
 * The last 15 minutes, second by second: what a dashboard draws when it opens. Each second, the gateway threads are
 * asked for a few numbers. Where one does not answer, or is a new one whose counters started over, totals are null: a
 * chart must show the interruption instead of a line through it.
 */
import type { ThreadQuestions } from '../gateway/supervision/thread-questions.js';
import type { Sample } from '../protocol/admin-rows.js';
import { monotonicMicros, timeOfDayAt } from '../protocol/wall-clock.js';
import type { LoadSample } from '../threads/admin-messages.js';
import type { FeedState } from '../threads/thread-messages.js';
import { percentileOf } from './percentiles.js';

export const HISTORY_INTERVAL_MS = 1_000;
export const SAMPLES_MAX = 900;
/** Below the interval, so that two rounds never overlap. */
const ANSWER_MS_MAX = 800;

interface HistorySample extends Sample {
  readonly feed: FeedState;
}

/** Numbers of the main thread. */
interface MainNumbers {
  readonly messages: number;
  readonly feed: FeedState;
  /** Time that each encoder has worked, µs; by number. */
  readonly encodeMicrosOf: readonly number[];
}

interface HistoryOptions {
  readonly questions: Pick<ThreadQuestions, 'all' | 'workers'>;
  readonly main: () => MainNumbers;
  /** A monotonic clock. */
  readonly nowMs: () => number;
  readonly onFault: (what: string, cause: unknown) => void;
}

interface Round {
  readonly atMs: number;
  readonly messages: number;
  readonly cpuMicros: number;
  readonly encodeMicrosOf: readonly number[];
  /** By thread; undefined: it was silent. */
  readonly loads: readonly (LoadSample | undefined)[];
}

export class History {
  readonly #options: HistoryOptions;
  readonly #samples: HistorySample[] = [];
  #last: Round | undefined;
  #encoders: readonly (number | null)[] = [];
  #mainUtilised = performance.eventLoopUtilization();
  #mainUtilisation: number | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#round().catch((cause: unknown) => this.#options.onFault('the history misses a second', cause));
    }, HISTORY_INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @param afterMs ms since the Unix epoch */
  since(afterMs: number): readonly HistorySample[] {
    return this.#samples.filter(({ time }) => Date.parse(time) > afterMs);
  }

  /** What the gateway threads last reported; undefined: one was silent. */
  get loads(): readonly (LoadSample | undefined)[] {
    return this.#last?.loads ?? new Array<undefined>(this.#options.questions.workers).fill(undefined);
  }

  /** Share of the last second in which the main thread and each encoder worked; null: unknown. */
  get utilisation(): { readonly main: number | null; readonly encoders: readonly (number | null)[] } {
    return { main: this.#mainUtilisation, encoders: this.#encoders };
  }

  async #round(): Promise<void> {
    const { questions, main, nowMs } = this.#options;
    const { answers } = await questions.all('sample', {}, ANSWER_MS_MAX);
    const loads = new Array<LoadSample | undefined>(questions.workers).fill(undefined);
    for (const { worker, answer } of answers) loads[worker] = answer;
    const { user, system } = process.cpuUsage();
    const { messages, feed, encodeMicrosOf } = main();
    const round = {
      atMs: nowMs(),
      messages,
      cpuMicros: user + system,
      encodeMicrosOf: [...encodeMicrosOf],
      loads,
    };
    const last = this.#last;
    this.#last = round;
    const utilised = performance.eventLoopUtilization();
    this.#mainUtilisation = rounded(performance.eventLoopUtilization(utilised, this.#mainUtilised).utilization);
    this.#mainUtilised = utilised;
    if (last === undefined) return;
    this.#encoders = encodersBusy(last, round);
    this.#samples.push(sampleOf(last, round, feed));
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }
}

function sampleOf(last: Round, now: Round, feed: FeedState): HistorySample {
  const seconds = (now.atMs - last.atMs) / 1000;
  const perSecond = (count: number) => Math.round(count / seconds);
  const changes = changesOf(last.loads, now.loads);
  const sum = (pick: (load: LoadSample) => number) => sumOf(now.loads, pick);
  const growth = (pick: (change: Change) => number) => sumOf(changes, pick);
  const rate = (pick: (change: Change) => number) => nullOr(growth(pick), perSecond);
  const percentile = (pick: (change: Change) => readonly number[], share: number) => {
    const known = changes.filter(change => change !== undefined);
    return known.length < changes.length ? null : percentileOf(added(known.map(pick)), share);
  };
  return {
    time: new Date(timeOfDayAt(monotonicMicros()) / 1000).toISOString(),
    connections: sum(load => load.open),
    deliveries_per_second: rate(change => change.deliveries),
    bytes_per_second: rate(change => change.sentBytes),
    messages_in_per_second: perSecond(now.messages - last.messages),
    latency_p50_ms: percentile(change => change.latencyBuckets, 0.5),
    latency_p99_ms: percentile(change => change.latencyBuckets, 0.99),
    age_p99_ms: percentile(change => change.ageBuckets, 0.99),
    buffered_bytes: sum(load => load.bufferedBytes),
    circuits_open: sum(load => load.circuitsOpen),
    refused_per_second: rate(change => change.refused),
    cpu: rounded((now.cpuMicros - last.cpuMicros) / (seconds * 1e6)),
    threads: now.loads.map(load => (load === undefined ? null : rounded(load.utilisation))),
    feed,
  };
}

type Change = Pick<LoadSample, 'deliveries' | 'sentBytes' | 'refused' | 'latencyBuckets' | 'ageBuckets'>;

/** What each thread counted in between; undefined: it was silent, or is another one. */
function changesOf(last: Round['loads'], now: Round['loads']): (Change | undefined)[] {
  return now.map((load, worker) => {
    const before = last[worker];
    if (load === undefined || before?.thread !== load.thread) return undefined;
    return {
      deliveries: load.deliveries - before.deliveries,
      sentBytes: load.sentBytes - before.sentBytes,
      refused: load.refused - before.refused,
      latencyBuckets: load.latencyBuckets.map((count, b) => count - (before.latencyBuckets[b] ?? 0)),
      ageBuckets: load.ageBuckets.map((count, b) => count - (before.ageBuckets[b] ?? 0)),
    };
  });
}

/** Null as soon as one is unknown. */
function sumOf<Part>(parts: readonly (Part | undefined)[], pick: (part: Part) => number): number | null {
  let sum = 0;
  for (const part of parts) {
    if (part === undefined) return null;
    sum += pick(part);
  }
  return sum;
}

function added(lists: readonly (readonly number[])[]): number[] {
  return (lists[0] ?? []).map((_, b) => lists.reduce((sum, list) => sum + (list[b] ?? 0), 0));
}

function encodersBusy(last: Round, now: Round): (number | null)[] {
  const micros = (now.atMs - last.atMs) * 1000;
  return now.encodeMicrosOf.map((busy, encoder) =>
    rounded(Math.min(1, (busy - (last.encodeMicrosOf[encoder] ?? 0)) / micros)),
  );
}

const nullOr = (value: number | null, then: (value: number) => number) => (value === null ? null : then(value));
const rounded = (value: number) => Math.round(value * 1000) / 1000;
