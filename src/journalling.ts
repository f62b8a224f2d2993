/** The journal, if there is one, and the watch over the clock that its times come from. */
import type { TransferListItem } from 'node:worker_threads';
import type { Config } from './config/environment.js';
import { readableSecret } from './config/secret-files.js';
import type { GatewayHost } from './gateway-host.js';
import type { JournalSide } from './journal-side.js';
import type { ClockReading } from './observe/clock-offset.js';
import type { JournalNumbers } from './observe/journal-numbers.js';
import type { Logger } from './observe/log.js';
import type { JournalStart, NewRecord } from './threads/journal-records.js';
import type { ToWorker } from './threads/thread-messages.js';

/** chrony has answered by then. */
const FIRST_CHECK_MS = 5_000;
const CHECK_MS = 60_000;
const MICROS_PER_SECOND = 1_000_000;

type PostToWorker = (worker: number, message: ToWorker, transfer: readonly TransferListItem[]) => void;
type ClockAlarm = 'diverges' | 'unknown';

/** What the journal needs of the program. */
type JournallingHost = Pick<GatewayHost, 'clock' | 'privateLines'>;

export class Journalling {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #clock: () => ClockReading | undefined;
  readonly #side: JournalSide | undefined;
  #post: PostToWorker = () => {};
  #clockAlarm: ClockAlarm | undefined;
  #timer: NodeJS.Timeout | undefined;

  static async create(config: Config, log: Logger, host: JournallingHost): Promise<Journalling> {
    // Without a journal nothing of it is loaded.
    const { JournalSide: Side } = config.journal === undefined ? {} : await import('./journal-side.js');
    return new Journalling(config, log, host, Side);
  }

  private constructor(
    config: Config,
    log: Logger,
    { clock, privateLines: lines }: JournallingHost,
    Side: typeof JournalSide | undefined,
  ) {
    this.#config = config;
    this.#log = log;
    this.#clock = clock;
    const { journal: settings } = config;
    const post: PostToWorker = (...message) => this.#post(...message);
    this.#side = Side && settings && new Side({ config, settings, log, lines, post });
  }

  /** @param post to a gateway thread */
  connect(post: PostToWorker): void {
    this.#post = post;
  }

  /** Call it before the first client is served. @throws {ConfigError} when the journal cannot be written */
  async open(): Promise<void> {
    await this.#side?.open();
    this.#warnOfMasterKey();
    this.#timer = setTimeout(() => this.#checkClock(), FIRST_CHECK_MS).unref();
  }

  /** For a gateway thread that starts; undefined: there is no journal. */
  start(worker: number): JournalStart | undefined {
    return this.#side?.start(worker);
  }

  /** A gateway thread died. */
  ended(worker: number, reason: string): void {
    this.#side?.ended(worker, reason);
  }

  record(record: NewRecord): void {
    this.#side?.record(record);
  }

  /** New connections are refused: what they do would not be recorded. */
  get isRefusing(): boolean {
    return this.#side?.isRefusing === true;
  }

  /** A thread is stuck in a call that does not return: the process cannot exit by itself. */
  get isStuck(): boolean {
    return this.#side?.isStuck === true;
  }

  /** Undefined: there is no journal. */
  get numbers(): JournalNumbers | undefined {
    return this.#side?.numbers;
  }

  /** The clock is worse than CLOCK_DIVERGENCE_MAX, or unknown and that is an alarm. */
  get isClockAlarming(): boolean {
    return this.#clockAlarm !== undefined;
  }

  /** Call it once no thread is left that records. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#side?.close();
  }

  /** A key that others can read, or copy together with the journal, protects no names. */
  #warnOfMasterKey(): void {
    const { journal, secretReaders } = this.#config;
    if (journal === undefined) return;
    const { masterKeyFile: keyFile, hasOwnMasterKey } = journal;
    if (hasOwnMasterKey)
      this.#log.warn({ keyFile }, 'the master key lies beside the journal: whoever copies both can name its users');
    if (readableSecret(keyFile, secretReaders) !== undefined)
      this.#log.warn({ keyFile }, 'every user of this machine may read the master key');
  }

  #checkClock(): void {
    this.#timer = setTimeout(() => this.#checkClock(), CHECK_MS).unref();
    const reading = this.#clock();
    this.#side?.clock(
      reading === undefined
        ? { source: 'unknown', offset_us: null, error_us: null }
        : {
            source: 'chrony',
            offset_us: Math.round(reading.offsetSeconds * MICROS_PER_SECOND),
            error_us: Math.round(reading.errorSeconds * MICROS_PER_SECOND),
          },
    );
    const before = this.#clockAlarm;
    this.#clockAlarm = this.#alarmOf(reading);
    const errorMs = reading === undefined ? undefined : reading.errorSeconds * 1000;
    const fields = { errorMs, maxMs: this.#config.clock.divergenceMsMax };
    if (this.#clockAlarm === 'diverges') this.#log.error(fields, 'the clock is off by more than CLOCK_DIVERGENCE_MAX');
    else if (this.#clockAlarm === 'unknown') this.#log.error(fields, 'the error of the clock is unknown');
    else if (before !== undefined) this.#log.warn(fields, 'the clock is accurate again');
  }

  #alarmOf(reading: ClockReading | undefined): ClockAlarm | undefined {
    const { divergenceMsMax, alarmsWhenUnknown } = this.#config.clock;
    if (reading === undefined) return alarmsWhenUnknown ? 'unknown' : undefined;
    return divergenceMsMax !== undefined && reading.errorSeconds * 1000 > divergenceMsMax ? 'diverges' : undefined;
  }
}
