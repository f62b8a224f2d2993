/** The main thread's side of the gateway workers: starts them, replaces those that die, and closes them. */
import { type TransferListItem, Worker } from 'node:worker_threads';
import type { Config } from '../../config/environment.js';
import { RestartPace } from '../../observe/restart-pace.js';
import type { LongWork } from '../../threads/client-lines.js';
import type { FromFix, ToFix } from '../../threads/fix-messages.js';
import type { FromWorker, GatewayThreadData, RevocationRecord, ToWorker } from '../../threads/thread-messages.js';
import type { WorkerStats } from '../../threads/worker-stats.js';
import { SharedTables } from '../limits/shared-tables.js';
import { boundKernelBuffers, unboundBuffers } from './kernel-buffers.js';
import { listenerIn } from './listening-socket.js';
import { Replacements } from './replacements.js';
import { RevocationPosts } from './revocation-posts.js';
import { ThreadPrograms } from './thread-programs.js';
import { ThreadStats } from './thread-stats.js';
import { ThreadWatch } from './thread-watch.js';
import { turnRow } from './watchdog.js';
import { type Slot, stateOf } from './worker-slot.js';

/** Longest request head. uWS's default of 4 KiB is too short for a token plus all the symbols a connection may name. */
const REQUEST_HEAD_BYTES_MAX = 32 * 1024;
/**
 * Fan-out allocates nothing per message, so a large young generation gains nothing; V8's default of 48 MB would fill
 * with garbage from connection setup, and stay resident. (native-notes/memory.md)
 */
const YOUNG_GENERATION_MB = 6;

export interface SupervisorOptions {
  /** The configuration in force; a reload changes it for threads that start later. */
  readonly config: () => Config;
  /** The same for all threads. */
  readonly common: Pick<GatewayThreadData, 'readiness' | 'liveSecret'>;
  readonly threadFile: URL;
  readonly fixThreadFile: URL;
  readonly rings: readonly SharedArrayBuffer[];
  readonly doorbells: SharedArrayBuffer;
  readonly traces?: readonly SharedArrayBuffer[] | undefined;
  /** Where a thread that starts records for the journal. */
  readonly journal: (worker: number) => GatewayThreadData['journal'];
  /** All revocations, for a thread that starts. Later ones are posted to it. */
  readonly revocations: () => GatewayThreadData['revocations'];
  /** The keys at AUTH_JWKS_URL, likewise. */
  readonly keys: () => GatewayThreadData['keys'];
  readonly onMessage: (worker: number, message: FromWorker | FromFix) => void;
  /** A worker starts, for the first time or again. It takes everything posted from here on before it listens. */
  readonly onStarting: (worker: number) => void;
  /** A worker has ended; it is replaced. */
  readonly onDown: (worker: number, reason: string) => void;
  readonly onFault: (worker: number, message: string) => void;
  /** A worker spent too long on one session's work. */
  readonly onLongWork: (worker: number, work: LongWork) => void;
  /** A worker hangs and cannot be ended now. Its clients are lost, and it is not replaced until it has ended. */
  readonly onStuck: (worker: number, reason: string) => void;
}

export class WorkerSupervisor {
  /** Workers replaced since the start. */
  restarts = 0;
  /** Those of them that hung instead of dying. */
  hung = 0;
  /** Work for one session that took too long: finished, or interrupted. */
  readonly longWork = { ended: 0, stopped: 0 };
  readonly #options: SupervisorOptions;
  readonly #slots: Slot[];
  readonly #tables: SharedTables;
  readonly #watch: ThreadWatch;
  readonly #revocations: RevocationPosts;
  readonly #stats: ThreadStats;
  readonly #replacements: Replacements;
  readonly #programs: ThreadPrograms;
  /** Threads that end are no longer replaced. */
  #isClosing = false;
  /** Threads that have not reported yet that their clients are gone. */
  readonly #whenEmpty = new Map<Worker, () => void>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { limits, times } = options.config();
    this.#programs = new ThreadPrograms(options.config(), { gateway: options.threadFile, fix: options.fixThreadFile });
    const { count: workers } = this.#programs;
    this.#tables = new SharedTables(workers, limits);
    this.#slots = Array.from({ length: workers }, () => {
      const pace = new RestartPace(times.stableAfterMs);
      return { thread: undefined, isListening: false, isStuck: false, pace, lastError: '' };
    });
    this.#stats = new ThreadStats(workers, (worker, id) => this.post(worker, { type: 'stats', id }));
    this.#replacements = new Replacements(workers, (worker, message) => this.post(worker, message));
    this.#revocations = new RevocationPosts(workers, (worker, revocations) =>
      this.post(worker, { type: 'revoke', revocations }),
    );
    this.#watch = new ThreadWatch({
      workers,
      ...times,
      reliefFile: new URL('./supervision/relief.js', options.threadFile),
      port: () => this.port,
      onHung: (worker, reason) => {
        this.hung++;
        (this.#slots[worker] as Slot).lastError = reason;
      },
      onStuck: (worker, reason) => this.#stuck(worker, reason),
      onFault: options.onFault,
    });
  }

  /** True when a worker lags behind its rings. */
  get isLagging(): boolean {
    return this.#tables.isLagging;
  }

  /** The port that the workers share. */
  get port(): number {
    return this.#programs.portOf(0);
  }

  get fixPort(): number | undefined {
    return this.#programs.fixPort;
  }

  /** Users with a connection. */
  get users(): number {
    return this.#tables.users;
  }

  /** What is known of each worker since `stats` was last called. */
  get threads(): ThreadStats['threads'] {
    return this.#stats.threads;
  }

  get listening(): number {
    return this.#slots.filter(slot => slot.isListening).length;
  }

  /** Workers that hang and cannot be ended. Once all do, this process serves nothing. */
  get stuck(): number {
    return this.#slots.filter(slot => slot.isStuck).length;
  }

  /** What an operator sees of a worker. */
  stateOf(worker: number): ReturnType<typeof stateOf> {
    return stateOf(this.#slots[worker] as Slot);
  }

  /** Workers that keep dying. */
  get crashLoops(): number {
    return this.#slots.filter(slot => slot.pace.isCrashLoop).length;
  }

  /** Starts all workers. @throws {Error} when one cannot start, for example because the port is taken. */
  async start(): Promise<void> {
    // uWS reads the process environment once, when the first thread loads it.
    process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= String(REQUEST_HEAD_BYTES_MAX);
    // If any free port is requested, the first worker finds it.
    const workers = this.#slots.map((_, worker) => worker);
    for (const worker of workers) await this.#start(worker);
    await this.#boundKernelBuffers(workers);
  }

  post(worker: number, message: ToWorker | ToFix, transfer: readonly TransferListItem[] = []): void {
    const slot = this.#slots[worker];
    // Do not post to a stuck worker: its messages would pile up.
    if (slot?.isStuck === false) slot.thread?.postMessage(message, transfer);
  }

  postAll(message: ToWorker): void {
    for (let worker = 0; worker < this.#slots.length; worker++) this.post(worker, message);
  }

  /** Resolves once all workers refuse these credentials; a worker that hangs is given up after a second. */
  revoke(revocations: readonly RevocationRecord[]): Promise<void> {
    return this.#revocations.tell(revocations);
  }

  /** Counters of all workers, including replaced ones; for a worker that does not answer in time, its last ones. */
  stats(): Promise<WorkerStats[]> {
    return this.#stats.all(worker => this.#slots[worker]?.isListening === true);
  }

  /**
   * Frees the port for others and redirects all clients within DRAIN_TIMEOUT. Resolves when they are gone; the threads
   * keep running until `close`.
   */
  async retire(): Promise<void> {
    this.#isClosing = true;
    const threads = this.#responsive();
    const empty = threads.map(thread => new Promise<void>(resolve => this.#whenEmpty.set(thread, resolve)));
    this.postAll({ type: 'retire' });
    await Promise.all(empty);
  }

  /** Closes all sockets with 1001 and ends the threads, except stuck ones. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#watch.close();
    const threads = this.#responsive();
    const ended = threads.map(thread => new Promise<void>(resolve => thread.once('exit', () => resolve())));
    for (const thread of threads) thread.postMessage({ type: 'close' } satisfies ToWorker);
    await Promise.all(ended);
  }

  #responsive(): Worker[] {
    return this.#slots.flatMap(({ thread, isStuck }) => (thread === undefined || isStuck ? [] : [thread]));
  }

  #start(worker: number): Promise<void> {
    const slot = this.#slots[worker] as Slot;
    const { config, rings, doorbells, common } = this.#options;
    const journal = this.#options.journal(worker);
    const workerData: GatewayThreadData & { config: Config } = {
      config: config(),
      worker,
      port: this.#programs.portOf(worker),
      rings,
      doorbells,
      ...common,
      traces: this.#options.traces?.[worker],
      journal,
      ...this.#tables.data,
      turns: this.#watch.rows,
      revocations: this.#options.revocations(),
      keys: this.#options.keys(),
    };
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB };
    const transferList = journal === undefined ? [] : [journal.port];
    this.#revocations.started(worker);
    const name = this.#programs.nameOf(worker);
    const thread = new Worker(this.#programs.fileOf(worker), { workerData, transferList, name, resourceLimits });
    slot.thread = thread;
    this.#options.onStarting(worker);
    return new Promise((resolve, reject) => {
      thread.on('message', (message: FromWorker | FromFix) => {
        if (message.type === 'listening' && slot.isListening) {
          // The listening socket is a new one.
          void this.#boundKernelBuffers([worker]);
        } else if (message.type === 'listening') {
          this.#programs.listens(worker, message.port);
          slot.isListening = true;
          slot.pace.started();
          this.#watch.started(worker, thread);
          resolve();
        } else if (message.type === 'listen_failed') {
          slot.lastError = this.#programs.listenFailure(worker, message.port, config().host);
        } else {
          this.#received(worker, slot, thread, message);
        }
      });
      thread.on('error', cause => {
        slot.lastError = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      });
      thread.on('exit', code => {
        this.#tables.forget(worker);
        this.#revocations.ended(worker);
        this.#replacements.ended(worker);
        this.#empty(thread);
        const reason = slot.lastError || `exit code ${code}`;
        // Whether or not it ever listened, nothing may wait for its end any more.
        slot.thread = undefined;
        this.#watch.ended(worker);
        if (!slot.isListening && !slot.isStuck) reject(this.#programs.startFailure(worker, reason));
        else this.#exited(worker, slot, reason);
      });
    });
  }

  /** Applies to the workers' listening sockets; does nothing where those are unknown. */
  async #boundKernelBuffers(workers: readonly number[]): Promise<void> {
    const listeners = workers.map(worker =>
      listenerIn(turnRow(this.#watch.rows, worker), this.#programs.portOf(worker)),
    );
    const known = listeners.filter(listener => listener !== undefined);
    const failure = await boundKernelBuffers(known, this.#options.config().limits.unsentBytesMax);
    if (failure === undefined) return;
    for (const worker of workers) this.#options.onFault(worker, unboundBuffers(failure));
  }

  #empty(thread: Worker): void {
    this.#whenEmpty.get(thread)?.();
    this.#whenEmpty.delete(thread);
  }

  #received(worker: number, slot: Slot, thread: Worker, message: FromWorker | FromFix): void {
    switch (message.type) {
      case 'empty':
        this.#empty(thread);
        break;
      case 'revoked':
        this.#revocations.taken(worker);
        break;
      case 'over_user_limit':
        this.#replacements.request(message.user, message.isUse);
        break;
      case 'oldest':
        this.#replacements.answered(worker, message.id, message.sinceMs);
        break;
      case 'stats':
        this.#stats.answered(worker, message.id, message.stats);
        break;
      case 'failed':
        slot.lastError = message.message;
        this.#stats.take(worker, message.stats);
        break;
      case 'abandoned':
        this.#stats.take(worker, message.stats);
        break;
      case 'long_work':
        this.longWork[message.work.isStopped ? 'stopped' : 'ended']++;
        this.#options.onLongWork(worker, message.work);
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
    slot.isStuck = false;
    this.#stats.ended(worker);
    if (this.#isClosing) return;
    this.#options.onDown(worker, reason);
    this.#restartLater(worker, slot);
  }

  #restartLater(worker: number, slot: Slot): void {
    slot.lastError = '';
    setTimeout(() => {
      if (this.#isClosing) return;
      this.restarts++;
      const started = this.#start(worker).then(() => this.#boundKernelBuffers([worker]));
      started.catch((cause: unknown) => {
        this.#options.onDown(worker, cause instanceof Error ? cause.message : String(cause));
        this.#restartLater(worker, slot);
      });
    }, slot.pace.died());
  }

  #stuck(worker: number, reason: string): void {
    const slot = this.#slots[worker] as Slot;
    if (slot.thread === undefined) return;
    slot.isListening = false;
    slot.isStuck = true;
    this.#revocations.ended(worker);
    // Free its clients' slots, wherever they reconnect.
    this.#stats.stuck(worker);
    this.#tables.forget(worker);
    this.#empty(slot.thread);
    this.#options.onStuck(worker, reason);
  }
}
