/**
 * The composition root: feed → hub → encoder pool → gateway workers → sockets.
 *
 *     feed ──message──▶ hub ──batch──▶ encoder threads ──ring──▶ gateway worker threads ──▶ sockets
 *                        ▲                                              │
 *                        └──────────── interest, snapshot requests ─────┘
 */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { AdminServer } from './admin/server.js';
import { statsOf } from './admin/stats.js';
import { RevocationList } from './auth/revocations.js';
import type { Config } from './config/environment.js';
import { type Feed, type FeedSink, type FeedStatus, newFeedMessage, systemClock } from './feed/feed.js';
import { ReplayFeed } from './feed/replay.js';
import { SimulatorFeed } from './feed/simulator/simulator.js';
import { WorkerSupervisor } from './gateway/supervisor.js';
import { startEncoderThread } from './hub/encoder-thread.js';
import { Hub } from './hub/hub.js';
import type { HubFeed } from './hub/hub-options.js';
import { type Logger, LogSampler } from './observe/log.js';
import { Metrics } from './observe/metrics.js';
import { createDoorbells, createRing } from './protocol/ring.js';
import type { ToWorker } from './protocol/thread-messages.js';

/** Frames of one encoder that its readers may be behind: several hundred milliseconds at full speed. */
const RING_BYTES = 8 * 1024 * 1024;
const SAMPLE_LOG_MS = 1000;

/** Everything that runs, to be closed again. */
export interface Gateway {
  readonly url: string;
  readonly adminUrl: string;
  close(): Promise<void>;
}

/**
 * Starts a gateway. Resolves once it accepts connections and its feed is up.
 * @throws {Error} when a port, the feed or a key cannot be had; nothing is left running then.
 */
export async function startGateway(config: Config, log: Logger): Promise<Gateway> {
  const parts = new GatewayParts(config, log, await createFeed(config, log));
  try {
    await parts.start();
  } catch (cause) {
    await parts.close();
    throw cause;
  }
  return parts;
}

class GatewayParts implements Gateway {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #sampler = new LogSampler(SAMPLE_LOG_MS);
  readonly #feed: Feed;
  readonly #hub: Hub;
  readonly #workers: WorkerSupervisor;
  readonly #admin: AdminServer;
  #adminPort = 0;
  #feedState: Extract<ToWorker, { type: 'status' }> = {
    type: 'status',
    feed: 'stale',
    since: new Date().toISOString(),
  };
  readonly #revocations = new RevocationList();
  #isDraining = false;
  #feedStarted = false;
  #closing: Promise<void> | undefined;

  constructor(config: Config, log: Logger, feed: Feed) {
    this.#config = config;
    this.#log = log;
    this.#feed = feed;
    const rings = Array.from({ length: config.encoders }, () => createRing(RING_BYTES));
    const doorbells = createDoorbells(config.workers);
    this.#hub = this.#createHub(rings, doorbells);
    this.#workers = new WorkerSupervisor({
      config,
      threadFile: new URL('./gateway/thread.js', import.meta.url),
      rings,
      doorbells,
      onMessage: (worker, message) => this.#hub.fromWorker(worker, message),
      onUp: worker => this.#welcome(worker),
      onDown: (worker, reason) => {
        log.error({ worker, reason }, 'gateway worker died and is replaced');
        this.#hub.forgetWorker(worker);
      },
      onFault: (worker, message) => this.#fault(`gateway worker ${worker}`, message),
    });
    const metrics = new Metrics({ main: () => this.#mainStats(), workers: () => this.#workers.stats() });
    this.#admin = new AdminServer({
      host: config.adminHost,
      port: config.adminPort,
      token: config.adminToken,
      notReady: () => this.#notReady(),
      metrics: async () => ({ contentType: metrics.contentType, text: await metrics.scrape() }),
      stats: () => this.#stats(),
      onFault: (what, cause) => this.#fault(what, String(cause)),
    });
  }

  get url(): string {
    const scheme = this.#config.tls === undefined ? 'ws' : 'wss';
    return `${scheme}://${reachableHost(this.#config.host)}:${this.#workers.port}`;
  }

  get adminUrl(): string {
    return `http://${reachableHost(this.#config.adminHost)}:${this.#adminPort}`;
  }

  async start(): Promise<void> {
    this.#adminPort = await this.#admin.listen();
    await this.#feed.start(this.#sink());
    this.#feedStarted = true;
    // Last: a client that is let in before the symbols are known would be told that there are none.
    await this.#workers.start();
    this.#log.info({ url: this.url, admin: this.adminUrl, feed: this.#feed.name }, 'ready');
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Every part is closed, whatever another one says. @throws {AggregateError} of what went wrong */
  async #close(): Promise<void> {
    const failures: unknown[] = [];
    for (const part of [() => this.#feed.stop(), this.#workers, this.#hub, this.#admin]) {
      try {
        await (typeof part === 'function' ? part() : part.close());
      } catch (cause) {
        failures.push(cause);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed');
  }

  #createHub(rings: readonly SharedArrayBuffer[], doorbells: SharedArrayBuffer): Hub {
    const config = this.#config;
    const taskFile = fileURLToPath(new URL('./encoder/task.js', import.meta.url));
    return new Hub({
      encoders: config.encoders,
      workers: config.workers,
      startEncoder: shard => {
        const ring = rings[shard] as SharedArrayBuffer;
        return startEncoderThread(taskFile, { ring, doorbells, batchMax: config.batchMax });
      },
      symbols: config.symbols,
      epoch: randomBytes(4).toString('hex'),
      nowMicros: systemClock.nowMicros,
      toWorker: (worker, message) => this.#workers.post(worker, message),
      feed: this.#hubFeed(),
      historyBytes: config.historyBytes,
      batchIntervalMs: config.times.batchIntervalMs,
      onRejected: (subject, payload, reason) => {
        this.#feed.deadLetter(subject, payload, reason);
        const suppressed = this.#sampler.pass(`rejected ${reason}`);
        if (suppressed !== undefined) this.#log.warn({ subject, reason, suppressed }, 'invalid message dead-lettered');
      },
      onFault: (what, detail) => this.#fault(what, detail),
    });
  }

  /** The feed as the hub sees it. One without other gateways gives back at once what clients publish. */
  #hubFeed(): HubFeed {
    const feed = this.#feed;
    const loopback = async (subject: string, payload: Uint8Array, publication: string): Promise<undefined> => {
      this.#hub.message({ ...newFeedMessage(), subject, payload, publication });
    };
    return {
      follow: (subject, wanted) => feed.interest(subject, wanted),
      publish: (subject, payload, id, key) => (feed.publish?.bind(feed) ?? loopback)(subject, payload, id, key),
      position: subject => feed.position?.(subject),
      stored: async (subject, afterSeq, toSeq, max) => feed.stored?.(subject, afterSeq, toSeq, max),
    };
  }

  #sink(): FeedSink {
    return {
      message: message => this.#hub.message(message),
      status: (status, detail) => this.#feedStatus(status, detail),
      control: (subject, payload) => this.#control(subject, payload),
      notice: (what, detail) => this.#log.warn({ what, detail }, 'feed notice'),
    };
  }

  #feedStatus(status: FeedStatus, detail: string): void {
    const hasChanged = this.#feedState.feed !== status;
    if (status === 'stale') this.#hub.feedLost();
    this.#log[status === 'live' ? 'info' : 'warn']({ feed: this.#feed.name, status, detail }, 'feed status');
    if (!hasChanged) return;
    this.#feedState = { type: 'status', feed: status, since: new Date().toISOString() };
    this.#workers.postAll(this.#feedState);
  }

  /** An order over NATS: to all gateways (`control.revoke`), or to the one that is named (`control.drain`). */
  #control(subject: string, payload: Uint8Array): void {
    const order = jsonObject(payload);
    if (order === undefined) {
      this.#log.warn({ subject }, 'order ignored: not a JSON object');
    } else if (subject === 'control.revoke') {
      this.#revoke(order);
    } else if (order.node === this.#config.nodeName) {
      this.#log.warn({ subject }, 'draining');
      this.#isDraining = true;
      this.#workers.postAll({ type: 'drain' });
    }
  }

  #revoke(order: Readonly<Record<string, unknown>>): void {
    const atMs = Date.now();
    const revocation = this.#revocations.add(order, atMs);
    if (revocation === undefined) {
      this.#log.warn('revocation ignored: it names neither sub, jti nor api_key, or several');
      return;
    }
    this.#log.warn({ by: revocation.by }, 'credential revoked');
    this.#workers.postAll({ type: 'revoke', revocation: { [revocation.by]: revocation.value }, atMs });
  }

  /** What a worker that starts must know. */
  #welcome(worker: number): void {
    this.#hub.welcome(worker);
    this.#workers.post(worker, this.#feedState);
    for (const { by, value, atMs } of this.#revocations) {
      this.#workers.post(worker, { type: 'revoke', revocation: { [by]: value }, atMs });
    }
    if (this.#isDraining) this.#workers.post(worker, { type: 'drain' });
  }

  #fault(what: string, detail: string): void {
    const suppressed = this.#sampler.pass(`fault ${what}`);
    if (suppressed !== undefined) this.#log.error({ what, detail, suppressed }, 'fault');
  }

  #notReady(): string[] {
    const missing: string[] = [];
    if (this.#closing !== undefined) missing.push('closing');
    if (this.#isDraining) missing.push('draining');
    if (!this.#feedStarted) missing.push('feed');
    if (this.#workers.listening < this.#config.workers) missing.push('workers');
    return missing;
  }

  async #stats(): Promise<object> {
    const { nodeName, encoders } = this.#config;
    const { feed: status, since } = this.#feedState;
    const workers = await this.#workers.stats();
    return statsOf({
      node: nodeName,
      feed: { name: this.#feed.name, status, since },
      encoders,
      workers,
      ...this.#mainStats(),
    });
  }

  #mainStats() {
    const { shards, counters, sources } = this.#hub;
    const sum = (pick: (shard: (typeof shards)[number]) => number) => shards.reduce((total, s) => total + pick(s), 0);
    return {
      ...counters,
      sources,
      queuedBytes: sum(s => s.queuedBytes),
      eventsDropped: sum(s => s.eventsDropped),
      statesSkipped: sum(s => s.statesSkipped),
      batchRecords: sum(s => s.encodedRecords),
      batchBytes: sum(s => s.encodedBytes),
      encoderRestarts: sum(s => s.restarts),
      workerRestarts: this.#workers.restarts,
      workersListening: this.#workers.listening,
      feedLive: this.#feedState.feed === 'live',
      replaysRecovered: this.#hub.replays.recovered,
      replaysUnrecovered: this.#hub.replays.unrecovered,
    };
  }
}

/** Who needs no NATS does not load it. */
async function createFeed(config: Config, log: Logger): Promise<Feed> {
  const { nodeName, nats, simulator, replay, symbols } = config;
  const clock = systemClock;
  switch (config.feed) {
    case 'simulator':
      return new SimulatorFeed({ config: simulator, symbols, clock });
    case 'replay': {
      const onMalformed = (line: number, reason: string) => log.warn({ line, reason }, 'line of the recording skipped');
      return new ReplayFeed({ config: replay, clock, onMalformed });
    }
    case 'nats':
      if (nats.jetstream) {
        const { JetStreamFeed } = await import('./feed/jetstream.js');
        return new JetStreamFeed({ config: nats, nodeName, clock });
      } else {
        const { NatsFeed } = await import('./feed/nats.js');
        return new NatsFeed({ config: nats, nodeName });
      }
  }
}

function jsonObject(payload: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // The caller says that it is none.
    return undefined;
  }
}

/** An address that a client on this machine can use. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
