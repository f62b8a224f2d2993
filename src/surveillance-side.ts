/** The main thread's side of surveillance: starts its thread, hands messages to it, and tells of what it finds. */
import { Worker } from 'node:worker_threads';
import { shownUser } from './admin/api.js';
import type { Config } from './config/environment.js';
import { WatchedFiles } from './config/watched-files.js';
import { type FeedMessage, type FeedSink, type FeedStatus, newFeedMessage } from './feed-contract/feed.js';
import type { Journalling } from './journalling.js';
import { type Logger, LogSampler } from './observe/log.js';
import { SURVEILLANCE_THREAD } from './programs.js';
import type { AlertRow } from './protocol/admin-rows.js';
import { isWatched } from './surveillance/intake.js';
import { CHANNEL_SUBJECT, channelMessage } from './surveillance/published-alert.js';
import type { Thresholds } from './surveillance/thresholds.js';
import { readThresholds } from './surveillance/thresholds-file.js';
import type { WatchStart } from './surveillance/watch-start.js';
import {
  type ClientReport,
  type FromWatch,
  QUEUE_MAX,
  type SurveillanceStats,
  type ToWatch,
  type WatchCounters,
  type WatchState,
} from './threads/surveillance-messages.js';

/** Alerts kept for operators. */
const ALERTS_MAX = 100;
/** Messages of the feed are handed over together: at the latest after this time. */
const HAND_OVER_MS = 50;
const HAND_OVER_MAX = 1_024;
const RESTART_MS_MIN = 1_000;
const RESTART_MS_MAX = 60_000;
/** The thread reports each second: one that is silent for this long hangs. */
const SILENT_MS_MAX = 15_000;
const CLOSE_MS_MAX = 250;
const SAMPLE_LOG_MS = 10_000;

type Handed = Extract<ToWatch, { type: 'messages' }>['messages'][number];

interface SurveillanceSideParts {
  readonly config: Config;
  readonly log: Logger;
  readonly journal: Pick<Journalling, 'record'>;
}

export class SurveillanceSide {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #journal: SurveillanceSideParts['journal'];
  readonly #sampler = new LogSampler(SAMPLE_LOG_MS);
  /** In JavaScript, so that the feed's messages are copied once. */
  #collected: Handed[] = [];
  #handing: NodeJS.Timeout | undefined;
  /** Messages handed over that the thread has not taken yet. */
  #inFlight = 0;
  #dropped = 0;
  #restarts = 0;
  #restartMs = RESTART_MS_MIN;
  #restarting: NodeJS.Timeout | undefined;
  #worker: Worker | undefined;
  /** Runs out unless the thread reports. */
  #silence: NodeJS.Timeout | undefined;
  #start: WatchStart | undefined;
  #sink: FeedSink | undefined;
  #isClosing = false;
  #isOnBackup = false;
  #stopWatching = () => {};
  #closed: () => void = () => {};
  #state: WatchState = 'connecting';
  #detail = '';
  #counters: WatchCounters | undefined;
  #counted: WatchCounters | undefined;
  readonly #alerts: AlertRow[] = [];

  constructor({ config, log, journal }: SurveillanceSideParts) {
    this.#config = config;
    this.#log = log;
    this.#journal = journal;
  }

  /** Undefined: there is no surveillance. */
  get stats(): SurveillanceStats | undefined {
    if (this.#config.surveillance === undefined) return undefined;
    const [state, detail, counters] = [this.#state, this.#detail, sumOf(this.#counted, this.#counters)];
    return { state, detail, counters, dropped: this.#dropped, restarts: this.#restarts, alerts: this.#alerts };
  }

  /**
   * @param sink of the feed; it also takes alerts for the clients' channel, if the feed is inside this process
   * @returns the sink that the feed needs
   * @throws {ConfigError} if the thresholds cannot be used
   */
  async open(sink: FeedSink): Promise<FeedSink> {
    const { surveillance, feed, nats, nodeName } = this.#config;
    if (surveillance === undefined) return sink;
    const { thresholdsFile, leaseBucket, channel } = surveillance;
    const file = new WatchedFiles(thresholdsFile === undefined ? [] : [thresholdsFile]);
    const read = () => file.read(() => readThresholds(thresholdsFile, 'SURVEILLANCE_THRESHOLDS'));
    const thresholds = await read();
    if (thresholdsFile !== undefined) this.#stopWatching = file.watch(() => this.#reread(read));
    this.#start = { node: nodeName, nats: feed === 'nats' ? nats : undefined, leaseBucket, thresholds, channel };
    this.#sink = sink;
    this.#startThread();
    if (feed !== 'nats') return { ...sink, observed: message => this.#observed(message) };
    const follow = (status: FeedStatus) => this.#follow(status);
    return {
      ...sink,
      status(status, detail) {
        follow(status);
        sink.status(status, detail);
      },
    };
  }

  /** The file has changed. */
  async #reread(read: () => Promise<Thresholds>): Promise<void> {
    try {
      const thresholds = await read();
      if (this.#start !== undefined) this.#start = { ...this.#start, thresholds };
      this.#worker?.postMessage({ type: 'thresholds', thresholds } satisfies ToWatch);
      this.#log.info('surveillance thresholds read again');
    } catch (cause) {
      this.#log.error({ err: cause }, 'surveillance thresholds cannot be used; keeping those in force');
    }
  }

  /** Watches the servers that the feed reads. */
  #follow(status: FeedStatus): void {
    if (status === 'stale' || (status === 'failover') === this.#isOnBackup) return;
    this.#isOnBackup = !this.#isOnBackup;
    this.#tellUpstream();
  }

  #tellUpstream(): void {
    this.#worker?.postMessage({ type: 'upstream', isBackup: this.#isOnBackup } satisfies ToWatch);
  }

  /** What the feed inside this process publishes, whether or not a client follows it. Copies the payload. */
  #observed({ subject, payload, tsEventMicros }: FeedMessage): void {
    if (this.#worker === undefined || !isWatched(subject)) return;
    if (this.#inFlight + this.#collected.length >= QUEUE_MAX) {
      this.#dropped++;
      this.#noteDropped();
      return;
    }
    this.#collected.push({ subject, payload: new Uint8Array(payload), tsEventMicros });
    if (this.#collected.length >= HAND_OVER_MAX) this.#handOver();
    else this.#handing ??= setTimeout(() => this.#handOver(), HAND_OVER_MS);
  }

  /** What clients did within a second, as a gateway thread counted it. */
  behaviour(report: ClientReport): void {
    this.#worker?.postMessage(report);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#stopWatching();
    clearTimeout(this.#handing);
    clearTimeout(this.#restarting);
    clearTimeout(this.#silence);
    const worker = this.#worker;
    if (worker === undefined) return;
    const closed = new Promise<void>(resolve => {
      this.#closed = resolve;
    });
    worker.postMessage({ type: 'close' } satisfies ToWatch);
    const late = setTimeout(() => this.#closed(), CLOSE_MS_MAX);
    await closed;
    clearTimeout(late);
    await worker.terminate();
  }

  #startThread(): void {
    const worker = new Worker(SURVEILLANCE_THREAD, { workerData: this.#start, name: 'surveillance' });
    this.#worker = worker;
    worker.on('message', (message: FromWatch) => this.#receive(message));
    worker.on('error', cause => this.#log.error({ err: cause }, 'surveillance thread failed'));
    worker.once('exit', () => this.#ended(worker));
    this.#awaitReport(worker);
    if (this.#isOnBackup) this.#tellUpstream();
  }

  #awaitReport(worker: Worker): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#log.error({ delayMs: SILENT_MS_MAX }, 'surveillance thread hangs and is terminated');
      void worker.terminate();
    }, SILENT_MS_MAX).unref();
  }

  /** Starts another one, which knows nothing of what the one before it saw. */
  #ended(worker: Worker): void {
    this.#closed();
    if (this.#worker !== worker || this.#isClosing) return;
    clearTimeout(this.#silence);
    this.#worker = undefined;
    this.#inFlight = 0;
    this.#counted = sumOf(this.#counted, this.#counters);
    this.#counters = undefined;
    this.#state = 'unavailable';
    this.#detail = 'its thread has ended';
    this.#restarts++;
    this.#log.error({ delayMs: this.#restartMs }, 'surveillance thread has ended; starting another');
    this.#restarting = setTimeout(() => this.#startThread(), this.#restartMs);
    this.#restartMs = Math.min(RESTART_MS_MAX, this.#restartMs * 2);
  }

  #handOver(): void {
    clearTimeout(this.#handing);
    this.#handing = undefined;
    const messages = this.#collected;
    this.#collected = [];
    if (this.#worker === undefined) return;
    this.#inFlight += messages.length;
    this.#worker.postMessage({ type: 'messages', messages } satisfies ToWatch);
  }

  #receive(message: FromWatch): void {
    if (this.#isClosing && message.type !== 'closed') return;
    if (message.type === 'taken') this.#inFlight = Math.max(0, this.#inFlight - message.messages);
    else if (message.type === 'alert') this.#alert(message.alert, message.isOwn);
    else if (message.type === 'watch') this.#report(message);
    else this.#closed();
  }

  #report({ state, detail, counters }: Extract<FromWatch, { type: 'watch' }>): void {
    if (state !== this.#state || detail !== this.#detail) {
      const level = state === 'unavailable' ? 'error' : 'info';
      this.#log[level]({ state, detail }, 'surveillance');
    }
    if (counters.dropped > (this.#counters?.dropped ?? 0)) this.#noteDropped();
    this.#state = state;
    this.#detail = detail;
    this.#counters = counters;
    if (this.#worker !== undefined) this.#awaitReport(this.#worker);
    if (state === 'watching') this.#restartMs = RESTART_MS_MIN;
  }

  #noteDropped(): void {
    const suppressed = this.#sampler.pass('dropped');
    if (suppressed !== undefined) {
      this.#log.error({ suppressed }, 'surveillance does not keep up: messages dropped');
    }
  }

  #alert(alert: AlertRow, isOwn: boolean): void {
    this.#alerts.unshift(alert);
    if (this.#alerts.length > ALERTS_MAX) this.#alerts.pop();
    if (!isOwn) return;
    this.#journal.record({ k: 'alert', alert: { ...alert } });
    this.#logAlert(alert);
    if (this.#start === undefined || this.#start.nats !== undefined) return;
    const shown = channelMessage(alert, this.#start.channel);
    if (shown === undefined) return;
    const payload = new TextEncoder().encode(JSON.stringify(shown));
    this.#sink?.message({ ...newFeedMessage(), subject: CHANNEL_SUBJECT, payload });
  }

  #logAlert({ id, detector, symbol, users, summary }: AlertRow): void {
    const shown = users.map(user => [user, shownUser(this.#config, user)] as const);
    // The sentence names them, too.
    const detail = shown.reduce((text, [user, name]) => text.replaceAll(user, name), summary);
    this.#log.warn({ id, detector, symbol, users: shown.map(([, name]) => name), detail }, 'surveillance alert');
  }
}

/** What threads that have ended counted, and what the present one does. */
function sumOf(before: WatchCounters | undefined, now: WatchCounters | undefined): WatchCounters | undefined {
  if (before === undefined || now === undefined) return now ?? before;
  const alerts = Object.entries(now.alerts).map(([name, count]) => [name, count + (before.alerts[name] ?? 0)]);
  return {
    events: before.events + now.events,
    unreadable: before.unreadable + now.unreadable,
    dropped: before.dropped + now.dropped,
    unpublished: before.unpublished + now.unpublished,
    alerts: Object.fromEntries(alerts),
    lagMs: now.lagMs,
  };
}
