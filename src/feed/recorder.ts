import { type FileHandle, open, stat } from 'node:fs/promises';
import { textOf } from '../feed-contract/error-text.js';
import type { Clock, FeedMessage, FeedSink } from '../feed-contract/feed.js';
import { headerLine, messageLine } from './recording.js';

/**
 * Most characters that wait for a slow disk. A live feed cannot pause, so messages that find the queue full are
 * dropped.
 */
const RECORDER_QUEUE_CHARACTERS_MAX = 64 * 1024 * 1024;

interface RecorderOptions {
  /** Must not exist yet or be empty: recordings are not overwritten. */
  readonly file: string;
  readonly clock: Clock;
  /**
   * Called once if writing fails (nothing is recorded after that), and whenever the disk becomes too slow and messages
   * are dropped.
   */
  readonly onError: (error: Error) => void;
  /** Default: `RECORDER_QUEUE_CHARACTERS_MAX`. */
  readonly queueCharactersMax?: number;
}

/**
 * A sink that writes a feed's messages to a recording: `await feed.start(await Recorder.open(…))`. During one write,
 * messages accumulate for the next.
 */
export class Recorder implements FeedSink {
  readonly #handle: FileHandle;
  readonly #options: RecorderOptions;
  readonly #queueCharactersMax: number;
  readonly #startMicros: number;
  #queue = '';
  #queuedMessages = 0;
  #writing: Promise<void> | undefined;
  #failed = false;
  #dropping = false;
  #messagesWritten = 0;
  #messagesDropped = 0;
  #closed: Promise<void> | undefined;
  /** Bytes up to the end of the last complete line. */
  #bytesWritten = 0;
  #tellFailed = (): void => {};
  /** Resolves when writing fails for good: nothing is recorded after that. */
  readonly failed = new Promise<void>(resolve => {
    this.#tellFailed = resolve;
  });

  /** Use `Recorder.open`. */
  private constructor(handle: FileHandle, options: RecorderOptions) {
    this.#handle = handle;
    this.#options = options;
    this.#queueCharactersMax = options.queueCharactersMax ?? RECORDER_QUEUE_CHARACTERS_MAX;
    this.#startMicros = options.clock.monotonicMicros();
    this.#queue = headerLine(options.clock.nowMicros());
    this.#write();
  }

  /**
   * Creates the file and starts the recording's clock.
   * @throws {Error} with `cause` if the file cannot be created or is not empty.
   */
  static async open(options: RecorderOptions): Promise<Recorder> {
    try {
      const existing = await stat(options.file).catch(() => undefined);
      if (existing?.isFile() === true && existing.size > 0) throw new Error('it exists and is not empty');
      return new Recorder(await open(options.file, 'w'), options);
    } catch (error) {
      throw new Error(`cannot record to ${options.file}: ${textOf(error)}`, { cause: error });
    }
  }

  /** Messages written to the file, as confirmed by the operating system. */
  get messagesWritten(): number {
    return this.#messagesWritten;
  }

  /** Messages dropped because the disk was too slow or writing had failed. */
  get messagesDropped(): number {
    return this.#messagesDropped;
  }

  message(message: FeedMessage): void {
    if (this.#closed !== undefined) return;
    if (this.#failed) {
      this.#messagesDropped++;
      return;
    }
    if (this.#queue.length > this.#queueCharactersMax) {
      this.#drop();
      return;
    }
    this.#dropping = false;
    const tMicros = Math.round(this.#options.clock.monotonicMicros() - this.#startMicros);
    this.#queue += messageLine(message, tMicros);
    this.#queuedMessages++;
    this.#write();
  }

  /** A recording holds messages only: in a replay, an outage is a time without messages. */
  status(): void {}

  /** Writes what is queued, syncs it to disk, and closes the file. Never rejects: failures go to `onError`. */
  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  async #finish(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    try {
      // A pipe or a terminal has no disk to sync.
      if (!this.#failed && (await this.#handle.stat()).isFile()) await this.#handle.sync();
      await this.#handle.close();
    } catch (error) {
      this.#report('the recording may be incomplete', error);
    }
  }

  #drop(): void {
    this.#messagesDropped++;
    if (this.#dropping) return;
    this.#dropping = true;
    this.#report('the recording has a hole', new Error('the disk is too slow, messages are being dropped'));
  }

  #write(): void {
    if (this.#writing !== undefined) return;
    this.#writing = this.#writeQueue().finally(() => {
      this.#writing = undefined;
      if (this.#queue !== '') this.#write();
    });
  }

  async #writeQueue(): Promise<void> {
    // All messages of one turn of the event loop go into one write.
    await new Promise(resolve => setImmediate(resolve));
    while (this.#queue !== '') {
      const text = this.#queue;
      const messages = this.#queuedMessages;
      this.#queue = '';
      this.#queuedMessages = 0;
      try {
        const bytes = Buffer.from(text);
        await this.#handle.appendFile(bytes);
        this.#bytesWritten += bytes.length;
        this.#messagesWritten += messages;
      } catch (error) {
        await this.#fail(messages, error);
        return;
      }
    }
  }

  async #fail(messages: number, error: unknown): Promise<void> {
    this.#failed = true;
    this.#messagesDropped += messages + this.#queuedMessages;
    this.#queue = '';
    this.#queuedMessages = 0;
    // A partial line would break a replay; a pipe cannot be truncated.
    await this.#handle.truncate(this.#bytesWritten).catch(() => undefined);
    this.#report('the recording ends here', error);
    this.#tellFailed();
  }

  #report(consequence: string, error: unknown): void {
    this.#options.onError(new Error(`${this.#options.file}: ${textOf(error)}; ${consequence}`, { cause: error }));
  }
}
