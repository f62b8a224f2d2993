/**
 * The main thread's side of the journal: starts its thread and replaces it when it dies, gives each producer its way there, and
 * ends it last. Loaded only with a journal.
 */
import { MessageChannel, type MessagePort, type TransferListItem, Worker } from 'node:worker_threads';
import { ConfigError } from './config/config-error.js';
import type { Config, JournalConfig } from './config/environment.js';
import { readerThreads } from './config/reader-threads.js';
import { textOf } from './feed-contract/error-text.js';
import { TAKEOVER_FOLDER } from './journal/chains.js';
import { type OwnChain, takeChain } from './journal/held-folder.js';
import type { JournalThreadData } from './journal/thread-data.js';
import { CheckpointSink } from './journal-checkpoints.js';
import { JournalCounters } from './journal-counters.js';
import { JournalQuestions } from './journal-questions.js';
import { packageVersion } from './observe/build-info.js';
import type { JournalNumbers } from './observe/journal-numbers.js';
import type { Logger } from './observe/log.js';
import type { PrivateLines } from './observe/private-lines.js';
import { RestartPace } from './observe/restart-pace.js';
import { JOURNAL_THREAD } from './programs.js';
import { WallClock } from './protocol/wall-clock.js';
import { createJournalCells, JournalCells } from './threads/journal-cells.js';
import { JournalOutlet } from './threads/journal-outlet.js';
import type { FromJournal, JournalStart, NewRecord, ToJournal } from './threads/journal-records.js';
import type { ToWorker } from './threads/thread-messages.js';

/** How often to look for lost records, and whether the thread still reports. */
const CHECK_MS = 1000;
/** The thread reports each second. After this many checks without a report it counts as hanging, as in a write to a dead disk. */
const SILENT_CHECKS_MAX = 5;

interface JournalSideParts {
  readonly config: Config;
  readonly settings: JournalConfig;
  readonly log: Logger;
  /** They wait for pseudonyms. */
  readonly lines: PrivateLines | undefined;
  readonly post: (worker: number, message: ToWorker, transfer: readonly TransferListItem[]) => void;
}

export class JournalSide {
  readonly #parts: JournalSideParts;
  readonly #cells: SharedArrayBuffer;
  readonly #shared: JournalCells;
  /** Number of the main thread among the producers. */
  readonly #main: number;
  readonly #outlet: JournalOutlet;
  readonly #sink: CheckpointSink;
  readonly #pace: RestartPace;
  readonly #questions = new JournalQuestions();
  #thread: Worker | undefined;
  #isReady = false;
  /** Ends of producers for the next thread. */
  #waiting: [worker: number, port: MessagePort][] = [];
  #chain: OwnChain | undefined;
  readonly #counters = new JournalCounters();
  #restarts = 0;
  #droppedSeen = 0;
  #failure: string | undefined;
  #isClosing = false;
  #silentChecks = 0;
  #onClosed = () => {};
  readonly #timer: NodeJS.Timeout;

  constructor(parts: JournalSideParts) {
    const { config, settings, log } = parts;
    this.#parts = parts;
    this.#main = readerThreads(config);
    this.#cells = createJournalCells(this.#main + 1);
    this.#shared = new JournalCells(this.#cells);
    const clock = new WallClock();
    this.#outlet = new JournalOutlet(this.start(this.#main), this.#main, () => clock.nowMicros());
    this.#sink = new CheckpointSink({ nats: config.nats, node: config.nodeName, settings, log });
    this.#pace = new RestartPace(config.times.stableAfterMs);
    this.#timer = setInterval(() => this.#check(), CHECK_MS).unref();
  }

  /** Takes the folder and starts the thread. @throws {ConfigError} when the journal cannot be written */
  async open(): Promise<void> {
    const { settings } = this.#parts;
    try {
      await this.#start(await this.#take());
    } catch (cause) {
      throw new ConfigError(`JOURNAL_DIR=${settings.folder}: ${(cause as Error).message}`, { cause });
    }
    this.#sink.start();
    const post = (message: ToJournal) => this.#post(message);
    this.#parts.lines?.connect(names => this.#questions.ask(names, this.#isReady ? post : undefined));
  }

  /** @returns where to write: as before, unless another process took that. @throws {Error} when there is no place */
  async #take(): Promise<OwnChain> {
    if (this.#chain !== undefined) {
      if (!(await this.#chain.held.isLost())) return this.#chain;
      this.#chain.held.release();
    }
    this.#chain = await takeChain(this.#parts.settings.folder);
    const { folder, isTakeover } = this.#chain;
    if (isTakeover) this.#parts.log.warn({ folder }, 'another process writes the journal; writing beside it');
    this.record({ k: 'started', ...this.#program });
    return this.#chain;
  }

  get #program() {
    const { config } = this.#parts;
    return { node: config.nodeName, version: packageVersion(), threads: readerThreads(config) };
  }

  /** For a producer that starts. @param worker its number */
  start(worker: number): JournalStart {
    const { port1, port2 } = new MessageChannel();
    // It lets the process end.
    port1.unref();
    if (this.#isReady) this.#welcome(worker, port2);
    else {
      // What an earlier producer of this number posted to a journal thread that died is not written.
      const records = this.#shared.forget(worker);
      if (records > 0) this.record({ k: 'dropped', w: worker, records });
      this.#waiting.push([worker, port2]);
    }
    return { port: port1, cells: this.#cells, refuses: this.#parts.settings.fail === 'closed' };
  }

  /** A gateway thread died. */
  ended(worker: number, reason: string): void {
    const records = this.#shared.forgetCollected(worker);
    if (records > 0) this.record({ k: 'dropped', w: worker, records });
    this.record({ k: 'ended', w: worker, reason: reason.split('\n', 1)[0] ?? '' });
  }

  record(record: NewRecord): void {
    this.#outlet.record(record);
  }

  /** How good the clock is, for the heads of segments and the record of each minute. */
  clock(quality: Extract<ToJournal, { type: 'clock' }>['quality']): void {
    this.record({ k: 'clock', ...quality });
    this.#post({ type: 'clock', quality });
  }

  /** New connections are refused: what they do would not be recorded. */
  get isRefusing(): boolean {
    return this.#parts.settings.fail === 'closed' && this.#isFailing;
  }

  get #isFailing(): boolean {
    return this.#shared.isFailing || this.#shared.isDropping;
  }

  /** Its thread does not end: a clean exit could wait for it forever. */
  get isStuck(): boolean {
    return this.#isClosing && this.#thread !== undefined;
  }

  get numbers(): JournalNumbers {
    return {
      ...this.#counters.numbers,
      folder: this.#chain?.folder ?? this.#parts.settings.folder,
      isTakeover: this.#chain?.isTakeover === true,
      isRefusing: this.isRefusing,
      state: this.#isFailing ? 'failing' : 'writing',
      failure: this.#failure,
      dropped: this.#shared.dropped,
      restarts: this.#restarts,
      checkpoint: { ageSeconds: (performance.now() - this.#sink.keptAtMs) / 1000, ...this.#sink.checkpoints },
    };
  }

  /** Call it once no producer is left. Writes everything, and gives the folder back. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#timer);
    if (this.#isReady) this.record({ k: 'stopped', ...this.#program });
    this.#outlet.close();
    await this.#parts.lines?.settle();
    if (this.#isReady) {
      const closed = new Promise<void>(resolve => {
        this.#onClosed = resolve;
      });
      this.#post({ type: 'close' });
      await closed;
    }
    await this.#thread?.terminate();
    await this.#sink.close();
    this.#chain?.held.release();
  }

  #welcome(worker: number, port: MessagePort): void {
    this.#thread?.postMessage({ type: 'producer', worker, port } satisfies ToJournal, [port]);
  }

  #post(message: ToJournal): void {
    if (this.#isReady) this.#thread?.postMessage(message);
  }

  /** Resolves once the thread writes. @throws {Error} when it cannot */
  #start({ folder, isTakeover, held }: OwnChain): Promise<void> {
    const { config, settings } = this.#parts;
    const origin = `millrace/${config.nodeName}${isTakeover ? `/${TAKEOVER_FOLDER}` : ''}`;
    const data: JournalThreadData = {
      settings,
      folder,
      lock: held.lock,
      node: config.nodeName,
      origin,
      cells: this.#cells,
    };
    const thread = new Worker(JOURNAL_THREAD, { workerData: data, name: 'journal' });
    this.#thread = thread;
    return new Promise((resolve, reject) => {
      let reason = '';
      thread.on('message', (message: FromJournal) => {
        if (message.type === 'refused') reason = message.reason;
        if (message.type === 'refused') void thread.terminate();
        else if (message.type === 'ready') {
          this.#ready(message, folder);
          resolve();
        } else this.#receive(message);
      });
      thread.on('error', cause => {
        reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      });
      thread.on('exit', code => {
        if (this.#thread === thread) this.#thread = undefined;
        const why = reason || `exit code ${code}`;
        reject(new Error(why));
        this.#ended(why);
      });
    });
  }

  #ready({ publicKey, publicKeyFile, isKeyNew }: Extract<FromJournal, { type: 'ready' }>, folder: string): void {
    const { log } = this.#parts;
    const isFirst = this.#restarts === 0;
    this.#isReady = true;
    this.#silentChecks = 0;
    this.#pace.started();
    for (const [worker, port] of this.#waiting.splice(0)) this.#welcome(worker, port);
    this.#shared.setFailing(false);
    if (isFirst) log.info({ folder, publicKey, publicKeyFile }, 'journal open');
    else log.warn('journal thread is running again');
    if (isKeyNew) log.warn({ publicKeyFile }, 'signing key of checkpoints created: keep its public key elsewhere');
  }

  #receive(message: FromJournal): void {
    const { log } = this.#parts;
    switch (message.type) {
      case 'stats':
        this.#counters.take(message.stats);
        this.#heard(message.stats.failure);
        break;
      case 'checkpoint':
        this.#sink.take(message);
        break;
      case 'failing':
        this.#fail(message.reason);
        break;
      case 'recovered':
        this.#recovered();
        break;
      case 'fault':
        log.error({ what: message.what, detail: message.detail }, 'journal maintenance failed');
        break;
      case 'pseudonyms':
        this.#questions.answer(message.id, message.pseudonyms);
        break;
      case 'closed':
        if (message.note !== undefined) this.#sink.take({ note: message.note });
        if (message.unwritten > 0) log.error({ batches: message.unwritten }, 'the journal ends incomplete');
        this.#onClosed();
    }
  }

  #ended(reason: string): void {
    const wasReady = this.#isReady;
    this.#isReady = false;
    this.#onClosed();
    this.#questions.giveUp();
    if (this.#isClosing || (!wasReady && this.#restarts === 0)) return;
    this.#shared.setFailing(true);
    this.#failure = reason.split('\n', 1)[0];
    this.#counters.ended();
    this.#restarts++;
    this.#parts.log.error({ reason }, 'journal thread died and is replaced');
    if (wasReady) this.#reconnect();
    this.#startAgain();
  }

  #startAgain(): void {
    setTimeout(async () => {
      if (this.#isClosing) return;
      try {
        const chain = await this.#take();
        if (this.#isClosing) chain.held.release();
        // A thread that cannot start ends, and is replaced.
        else await this.#start(chain).catch(() => undefined);
      } catch (cause) {
        this.#fail(textOf(cause));
        this.#startAgain();
      }
    }, this.#pace.died()).unref();
  }

  /** Each producer counts what it had posted as dropped, and posts to the next thread from here on. */
  #reconnect(): void {
    for (let worker = 0; worker <= this.#main; worker++) {
      const { port1, port2 } = new MessageChannel();
      this.#waiting.push([worker, port2]);
      if (worker === this.#main) {
        port1.unref();
        this.#outlet.attach(port1);
      } else this.#parts.post(worker, { type: 'journal', port: port1 }, [port1]);
    }
  }

  #check(): void {
    const { dropped } = this.#shared;
    const more = dropped - this.#droppedSeen;
    this.#droppedSeen = dropped;
    if (more > 0) this.#parts.log.error({ records: more, total: dropped }, 'journal records dropped');
    if (!this.#isReady || ++this.#silentChecks !== SILENT_CHECKS_MAX) return;
    this.#shared.setFailing(true);
    this.#fail('its thread does not answer');
  }

  /** The thread reports. @param failure why the disk refuses; undefined: it does not */
  #heard(failure: string | undefined): void {
    const wasSilent = this.#silentChecks >= SILENT_CHECKS_MAX;
    this.#silentChecks = 0;
    if (!wasSilent || failure !== undefined) return;
    this.#shared.setFailing(false);
    this.#recovered();
  }

  #fail(reason: string): void {
    this.#failure = reason;
    this.#parts.log.error({ reason, policy: this.#parts.settings.fail }, 'the journal cannot be written');
  }

  #recovered(): void {
    this.#failure = undefined;
    this.#parts.log.warn('the journal can be written again');
  }
}
