import { type FileHandle, open, stat } from 'node:fs/promises';
import { textOf } from './error-text.js';
import type { Clock, FeedMessage, FeedSink } from './feed.js';
import { headerLine, messageLine } from './recording.js';

/** Characters waiting for a slow disk. A live feed cannot be held back, so a message that finds the queue full is dropped. */
export const RECORDER_QUEUE_CHARACTERS_MAX = 64 * 1024 * 1024;

export interface RecorderOptions {
  /** Created; an existing recording is not overwritten. */
  readonly file: string;
  readonly clock: Clock;
  /**
   * Told once when writing fails (nothing is recorded after that), and at the beginning of each time that the disk is
   * too slow and messages are dropped.
   */
  readonly onError: (error: Error) => void;
  /** Left out: `RECORDER_QUEUE_CHARACTERS_MAX`. */
  readonly queueCharactersMax?: number;
}

/**
 * Writes what a feed delivers to a recording, as a sink: `await feed.start(await Recorder.open(…))`. While one write
 * is on its way to the disk, messages gather for the next one.
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
  /** Up to the end of the last line that was written whole. */
  #bytesWritten = 0;
  #tellFailed = (): void => {};
  /** Resolves when writing fails for good: nothing is recorded any more. */
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
   * Creates the file and begins the recording: its time counts from here.
   * @throws {Error} with `cause` when the file cannot be created or already holds something.
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

  /** Messages that the file holds, as far as the operating system said so. */
  get messagesWritten(): number {
    return this.#messagesWritten;
  }

  /** Messages that the disk was too slow for, or that came after writing had failed. */
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

  /** A recording holds messages only: in a replay, an outage is a time without them. */
  status(): void {}

  /** Writes what is queued, to the disk itself, and closes the file. Never rejects: failures went to `onError`. */
  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  async #finish(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    try {
      // A pipe or a terminal has no disk to wait for.
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
    // One turn of the event loop's messages make one write.
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
    // A replay would stumble over half a line; a pipe cannot be cut.
    await this.#handle.truncate(this.#bytesWritten).catch(() => undefined);
    this.#report('the recording ends here', error);
    this.#tellFailed();
  }

  #report(consequence: string, error: unknown): void {
    this.#options.onError(new Error(`${this.#options.file}: ${textOf(error)}; ${consequence}`, { cause: error }));
  }
}
