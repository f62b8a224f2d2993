import type { ReplayConfig } from '../config/environment.js';
import { textOf } from '../feed-contract/error-text.js';
import type { Clock, Feed, FeedSink } from '../feed-contract/feed.js';
import { DONE, type FeedOutcome, failed, NOT_RUNNING } from '../feed-contract/feed-outcome.js';
import { LineReader } from './lines.js';
import { LocalFeed } from './local-feed.js';
import { headerFault, parseMessageLine, RECORDING_LINE_BYTES_MAX } from './recording.js';

/** Most messages delivered before other work of the event loop runs. */
const SLICE_MESSAGES = 512;
/** How often to check a recording for more. */
const FOLLOW_POLL_MS = 200;
/** Longest single wait; Node's timers fire at once for more than 2^31 − 1 ms. */
const SLEEP_MS_MAX = 60_000;

export interface ReplayFeedOptions {
  readonly config: ReplayConfig;
  readonly clock: Clock;
  /** Called for each skipped line with its number, from 1, and what is wrong with it. */
  readonly onMalformed?: (lineNumber: number, reason: string) => void;
}

/**
 * Replays a recording (see recording.ts) at `speed` times its pace; 0 is as fast as possible. Never early, and late by
 * at most about a timer's granularity (1 ms). At the end it reports `stale`; with `follow` it waits for more.
 */
export class ReplayFeed extends LocalFeed implements Feed {
  readonly name = 'replay';
  readonly #options: ReplayFeedOptions;
  #stopped = false;
  #malformedLines = 0;
  #messages = 0;
  #finished: Promise<void> = Promise.resolve();
  #endSleep: (() => void) | undefined;

  constructor(options: ReplayFeedOptions) {
    super();
    this.#options = options;
  }

  /** Lines skipped so far. */
  get malformedLines(): number {
    return this.#malformedLines;
  }

  async start(sink: FeedSink): Promise<FeedOutcome> {
    const { file, speed } = this.#options.config;
    let reader: LineReader | undefined;
    try {
      reader = await LineReader.open(file, RECORDING_LINE_BYTES_MAX);
      let header = reader.take();
      while (header === undefined && (await reader.fill())) header = reader.take();
      if (header === undefined) throw new Error('it is empty');
      const fault = header === 'too long' ? 'the first line is too long' : headerFault(header);
      if (fault !== undefined) throw new Error(`line 1: ${fault}`);
    } catch (error) {
      await reader?.close().catch(() => undefined);
      return failed('misconfigured', `REPLAY_FILE: cannot replay ${file}: ${textOf(error)}`);
    }
    if (this.#stopped) {
      await reader.close().catch(() => undefined);
      return NOT_RUNNING;
    }
    sink.status('live', `replay of ${file} ${speed === 0 ? 'as fast as possible' : `at speed ${speed}`}`);
    this.#finished = this.#run(reader, sink);
    return DONE;
  }

  /** Replays the whole recording, whatever is followed. */
  follow(): FeedOutcome {
    return DONE;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#endSleep?.();
    await this.#finished;
  }

  async #run(reader: LineReader, sink: FeedSink): Promise<void> {
    let end = 'end of recording';
    try {
      await this.#deliver(reader, sink);
      if (this.#messages === 0) end += ': it holds no messages; REPLAY_FOLLOW=on waits for more';
    } catch (error) {
      end = `replay of ${this.#options.config.file} failed after line ${reader.lineNumber}: ${textOf(error)}`;
    }
    await reader.close().catch(() => undefined);
    if (!this.#stopped) sink.status('stale', end);
  }

  async #deliver(reader: LineReader, sink: FeedSink): Promise<void> {
    const { clock, config } = this.#options;
    const startMicros = clock.monotonicMicros();
    let slice = 0;
    do {
      for (let line = reader.take(); line !== undefined; line = reader.take()) {
        const entry = line === 'too long' ? line : parseMessageLine(line);
        if (typeof entry === 'string') {
          if (line.length > 0) this.#skip(reader.lineNumber, entry);
          continue;
        }
        const dueMicros = config.speed === 0 ? 0 : startMicros + entry.tMicros / config.speed;
        while (!this.#stopped && dueMicros > clock.monotonicMicros())
          await this.#sleep(dueMicros - clock.monotonicMicros());
        if (++slice % SLICE_MESSAGES === 0) await new Promise(resolve => setImmediate(resolve));
        if (this.#stopped) return;
        this.#messages++;
        sink.observed?.(entry.message);
        sink.message(entry.message);
      }
    } while (!this.#stopped && (await this.#hasMore(reader)));
  }

  async #hasMore(reader: LineReader): Promise<boolean> {
    if (!this.#options.config.follow) return reader.fill();
    while (!this.#stopped && !(await reader.fill(true))) await this.#sleep(FOLLOW_POLL_MS * 1000);
    return !this.#stopped;
  }

  #skip(lineNumber: number, reason: string): void {
    this.#malformedLines++;
    this.#options.onMalformed?.(lineNumber, reason);
  }

  #sleep(micros: number): Promise<void> {
    return new Promise(resolve => {
      // Rounded up: timers count whole milliseconds, and a message must not come early.
      const timer = this.#options.clock.setTimeout(resolve, Math.min(SLEEP_MS_MAX, Math.ceil(micros / 1000)));
      this.#endSleep = () => {
        this.#options.clock.clearTimeout(timer);
        resolve();
      };
    });
  }
}
