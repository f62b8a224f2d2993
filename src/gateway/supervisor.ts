/** Main-thread side of the gateway workers: starts them, replaces those that die, closes them. */
import { randomInt } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { Config } from '../config/environment.js';
import { RestartPace } from '../observe/restart-pace.js';
import type { FromWorker, GatewayThreadData, ToWorker, WorkerStats } from '../protocol/thread-messages.js';
import { AttemptRates, createAttemptRates } from './attempt-rates.js';
import { createFailedCredentials, FailedCredentials } from './failed-credentials.js';
import { endHungThread } from './hung-thread.js';
import type { HashSeed } from './key-hash.js';
import { createSharedDebts } from './limits/shared-debts.js';
import { countSlotsFor, createSharedCounts, SharedCounts } from './shared-counts.js';
import { BEAT_INTERVAL_MS, createBeats, Watchdog } from './watchdog.js';

const SEED_MAX = 2 ** 32;
const STATS_TIMEOUT_MS = 1000;
/** A thread that hangs closes its App in this time, or it hangs where nobody can reach it. */
const ABANDON_TIMEOUT_MS = 1000;
/** Replaced workers whose totals are remembered. */
const ENDED_MAX = 1000;
/** Longest head of a request. uWS's own 4 KiB are too short for a token and all symbols that a connection may name. */
const REQUEST_HEAD_BYTES_MAX = 32 * 1024;

/** What a worker that has ended has no more of. */
const NOTHING_OPEN = {
  open: 0,
  lanes: 0,
  buffered: 0,
  circuits: { open: 0, halfOpen: 0 },
  conflated: 0,
  waitingBytes: { all: 0, most: 0 },
  loopDelayMs: 0,
  frameAgeMs: 0,
};
/**
 * Nothing is allocated for a message that is fanned out, so a large young generation gains nothing; V8's own 48 MB would
 * fill with what connecting leaves behind, and stay resident. (native-notes/memory.md)
 */
const YOUNG_GENERATION_MB = 6;

export interface SupervisorOptions {
  readonly config: Config;
  readonly threadFile: URL;
  readonly rings: readonly SharedArrayBuffer[];
  readonly doorbells: SharedArrayBuffer;
  readonly onMessage: (worker: number, message: FromWorker) => void;
  /** A worker is up and listens. */
  readonly onUp: (worker: number) => void;
  /** A worker is gone; it is replaced. */
  readonly onDown: (worker: number, reason: string) => void;
  readonly onFault: (worker: number, message: string) => void;
  /** A worker hangs and cannot be ended: the process has to be. */
  readonly onStuck: (worker: number, reason: string) => void;
}

interface Slot {
  /** The last counters it gave, for when it does not answer in time, or no more. */
  lastStats: WorkerStats | undefined;
  thread: Worker | undefined;
  isListening: boolean;
  readonly pace: RestartPace;
  lastError: string;
}

export class WorkerSupervisor {
  /** Workers replaced since the start. */
  restarts = 0;
  /** Those of them that did not die, but hung. */
  hung = 0;
  readonly #options: SupervisorOptions;
  readonly #slots: Slot[];
  readonly #connections: SharedArrayBuffer;
  readonly #behind: Int32Array<SharedArrayBuffer>;
  readonly #addresses: SharedArrayBuffer;
  readonly #users: SharedArrayBuffer;
  readonly #attempts: SharedArrayBuffer;
  readonly #beats: SharedArrayBuffer;
  readonly #watchdog: Watchdog;
  readonly #watching: NodeJS.Timeout;
  readonly #failures: SharedArrayBuffer;
  readonly #debts: GatewayThreadData['debts'];
  readonly #pendingStats = new Map<number, (stats: WorkerStats) => void>();
  /** Last counters of workers that were replaced. */
  readonly #ended: WorkerStats[] = [];
  #port: number;
  #lastStatsId = 0;
  /** Threads that end are not replaced any more. */
  #isClosing = false;
  /** Threads that have yet to say that their clients are gone. */
  readonly #whenEmpty = new Map<Worker, () => void>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#port = options.config.port;
    const workers = options.config.workers;
    this.#connections = new SharedArrayBuffer(4 * workers);
    this.#behind = new Int32Array(new SharedArrayBuffer(4 * workers));
    const seed: HashSeed = [randomInt(SEED_MAX), randomInt(SEED_MAX)];
    const slots = countSlotsFor(options.config.limits.connectionsMax);
    this.#addresses = createSharedCounts(workers, slots, seed);
    this.#users = createSharedCounts(workers, slots, seed);
    this.#attempts = createAttemptRates(workers, seed);
    this.#failures = createFailedCredentials(workers, seed);
    this.#debts = { table: createSharedDebts(), seed };
    this.#slots = Array.from({ length: workers }, () => {
      const pace = new RestartPace(options.config.times.stableAfterMs);
      return { lastStats: undefined, thread: undefined, isListening: false, pace, lastError: '' };
    });
    this.#beats = createBeats(workers);
    this.#watchdog = new Watchdog(this.#beats, options.config.times.hungAfterMs);
    this.#watching = setInterval(() => this.#look(), BEAT_INTERVAL_MS);
    this.#watching.unref();
  }

  /** A worker is behind with what it is given. */
  get isBehind(): boolean {
    return this.#behind.includes(1);
  }

  /** The port that the workers share. */
  get port(): number {
    return this.#port;
  }

  get listening(): number {
    return this.#slots.filter(slot => slot.isListening).length;
  }

  /** Workers that keep dying. */
  get crashLoops(): number {
    return this.#slots.filter(slot => slot.pace.isCrashLoop).length;
  }

  /** Starts all workers. @throws {Error} when one cannot start, e.g. because the port is taken. */
  async start(): Promise<void> {
    // uWS asks the process's environment, once, when the first thread loads it.
    process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= String(REQUEST_HEAD_BYTES_MAX);
    // The first finds out the port where any free one is asked for.
    for (let worker = 0; worker < this.#slots.length; worker++) await this.#start(worker);
  }

  post(worker: number, message: ToWorker): void {
    this.#slots[worker]?.thread?.postMessage(message);
  }

  postAll(message: ToWorker): void {
    for (const { thread } of this.#slots) thread?.postMessage(message);
  }

  /** Counters of all workers, those that were replaced included; of one that does not answer in time, its last ones. */
  async stats(): Promise<WorkerStats[]> {
    const asked = this.#slots.map((slot, worker) => (slot.isListening ? this.#askStats(worker) : undefined));
    const answers = await Promise.all(asked);
    const stats = answers.map((answer, worker) => {
      const slot = this.#slots[worker] as Slot;
      slot.lastStats = answer ?? slot.lastStats;
      return slot.lastStats;
    });
    return [...stats.filter(present => present !== undefined), ...this.#ended];
  }

  /**
   * Leaves the port to others, and sends all clients elsewhere within DRAIN_TIMEOUT. Resolves when they are gone; the threads
   * go on until `close`.
   */
  async retire(): Promise<void> {
    this.#isClosing = true;
    const threads = this.#slots.map(slot => slot.thread).filter(thread => thread !== undefined);
    const empty = threads.map(thread => new Promise<void>(resolve => this.#whenEmpty.set(thread, resolve)));
    this.postAll({ type: 'retire' });
    await Promise.all(empty);
  }

  /** Closes all sockets with 1001 and ends the threads. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#watching);
    const threads = this.#slots.map(slot => slot.thread).filter(thread => thread !== undefined);
    const ended = threads.map(thread => new Promise<void>(resolve => thread.once('exit', () => resolve())));
    for (const thread of threads) thread.postMessage({ type: 'close' } satisfies ToWorker);
    await Promise.all(ended);
  }

  #start(worker: number): Promise<void> {
    const slot = this.#slots[worker] as Slot;
    const { config, rings, doorbells, threadFile } = this.#options;
    const workerData: GatewayThreadData & { config: Config } = {
      config,
      worker,
      port: this.#port,
      rings,
      doorbells,
      connections: this.#connections,
      behind: this.#behind.buffer,
      addresses: this.#addresses,
      users: this.#users,
      attempts: this.#attempts,
      beats: this.#beats,
      failures: this.#failures,
      debts: this.#debts,
    };
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB };
    const thread = new Worker(threadFile, { workerData, name: `gateway-${worker}`, resourceLimits });
    slot.thread = thread;
    return new Promise((resolve, reject) => {
      thread.on('message', (message: FromWorker) => {
        if (message.type === 'listening') {
          this.#port = message.port;
          slot.isListening = true;
          slot.pace.started();
          this.#watchdog.watch(worker);
          this.#options.onUp(worker);
          resolve();
        } else if (message.type === 'listen_failed') {
          slot.lastError = `port ${message.port} cannot be listened on: another program has it, or it is not allowed`;
        } else {
          this.#received(worker, slot, thread, message);
        }
      });
      thread.on('error', cause => {
        slot.lastError = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      });
      thread.on('exit', code => {
        this.#forgetCounts(worker);
        this.#empty(thread);
        const reason = slot.lastError || `exit code ${code}`;
        // Whether it ever listened or not: nobody may wait for its end any more.
        slot.thread = undefined;
        if (!slot.isListening) reject(new Error(`gateway worker ${worker} did not start: ${reason}`));
        else this.#exited(worker, slot, reason);
      });
    });
  }

  /** What a thread counted has gone with its sockets. */
  #forgetCounts(worker: number): void {
    Atomics.store(new Int32Array(this.#connections), worker, 0);
    Atomics.store(this.#behind, worker, 0);
    for (const counts of [this.#addresses, this.#users]) new SharedCounts(counts, worker).clear(worker);
    const { attemptsPerSecondMax, authFailuresMax } = this.#options.config.limits;
    new AttemptRates(this.#attempts, worker, attemptsPerSecondMax).clear(worker);
    new FailedCredentials(this.#failures, worker, authFailuresMax).clear(worker);
  }

  #empty(thread: Worker): void {
    this.#whenEmpty.get(thread)?.();
    this.#whenEmpty.delete(thread);
  }

  #received(worker: number, slot: Slot, thread: Worker, message: FromWorker): void {
    switch (message.type) {
      case 'empty':
        this.#empty(thread);
        break;
      case 'stats':
        this.#pendingStats.get(message.id)?.(message.stats);
        this.#pendingStats.delete(message.id);
        break;
      case 'failed':
        slot.lastError = message.message;
        slot.lastStats = message.stats ?? slot.lastStats;
        break;
      case 'abandoned':
        slot.lastStats = message.stats ?? slot.lastStats;
        break;
      case 'fault':
        this.#options.onFault(worker, message.message);
        break;
      default:
        this.#options.onMessage(worker, message);
    }
  }

  #exited(worker: number, slot: Slot, reason: string): void {
    slot.isListening = false;
    // Totals must not fall when a worker is replaced; what it had open is closed.
    if (slot.lastStats !== undefined) this.#ended.push({ ...slot.lastStats, ...NOTHING_OPEN });
    if (this.#ended.length > ENDED_MAX) this.#ended.shift();
    slot.lastStats = undefined;
    if (this.#isClosing) return;
    this.#options.onDown(worker, reason);
    this.#restartLater(worker, slot);
  }

  #restartLater(worker: number, slot: Slot): void {
    slot.lastError = '';
    setTimeout(() => {
      if (this.#isClosing) return;
      this.restarts++;
      this.#start(worker).catch((cause: unknown) => {
        this.#options.onDown(worker, cause instanceof Error ? cause.message : String(cause));
        this.#restartLater(worker, slot);
      });
    }, slot.pace.died());
  }

  #look(): void {
    this.#slots.forEach((slot, worker) => {
      if (slot.isListening && this.#watchdog.isHung(worker)) void this.#abandon(worker, slot);
    });
  }

  async #abandon(worker: number, slot: Slot): Promise<void> {
    const { thread } = slot;
    if (thread === undefined) return;
    this.hung++;
    slot.lastError = `hung: no turn of its event loop for ${this.#options.config.times.hungAfterMs} ms`;
    const failure = await endHungThread(thread, ABANDON_TIMEOUT_MS);
    if (failure !== undefined && slot.thread === thread) {
      this.#options.onStuck(worker, `${slot.lastError}, and ${failure}`);
    }
  }

  #askStats(worker: number): Promise<WorkerStats | undefined> {
    const id = ++this.#lastStatsId;
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        this.#pendingStats.delete(id);
        resolve(undefined);
      }, STATS_TIMEOUT_MS);
      this.#pendingStats.set(id, stats => {
        clearTimeout(timer);
        resolve(stats);
      });
      this.post(worker, { type: 'stats', id });
    });
  }
}
