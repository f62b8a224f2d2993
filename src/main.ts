/**
 * The composition root: feed → hub → encoder pool → gateway workers → sockets.
 *
 *     feed ──message──▶ hub ──batch──▶ encoder threads ──ring──▶ gateway worker threads ──▶ sockets
 *                        ▲                                              │
 *                        └──────────── interest, snapshot requests ─────┘
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { AdminServer } from './admin/server.js';
import { mintToken } from './auth/token.js';
import { type Config, readConfig } from './config/environment.js';
import { type Feed, type FeedSink, systemClock } from './feed/feed.js';
import { JetStreamFeed } from './feed/jetstream.js';
import { NatsFeed } from './feed/nats.js';
import { ReplayFeed } from './feed/replay.js';
import { SimulatorFeed } from './feed/simulator/simulator.js';
import { WorkerSupervisor } from './gateway/supervisor.js';
import { startEncoderThread } from './hub/encoder-thread.js';
import { Hub } from './hub/hub.js';
import { createLogger, type Logger, LogSampler } from './observe/log.js';
import { Metrics } from './observe/metrics.js';
import { createDoorbells, createRing } from './protocol/ring.js';

/** Frames of one encoder that its readers may be behind: several hundred milliseconds at full speed. */
const RING_BYTES = 8 * 1024 * 1024;
/** All is to be closed in this time after a SIGTERM; what is not is given up. */
const SHUTDOWN_MAX_MS = 4500;
const PARENT_POLL_MS = 250;
const SAMPLE_LOG_MS = 1000;
const DEMO_TOKEN_TTL_MS = 24 * 3_600_000;

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
  const parts = new GatewayParts(config, log);
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
  #feedLive = false;
  #feedStarted = false;
  #closing: Promise<void> | undefined;

  constructor(config: Config, log: Logger) {
    this.#config = config;
    this.#log = log;
    this.#feed = createFeed(config, log);
    const rings = Array.from({ length: config.encoders }, () => createRing(RING_BYTES));
    const doorbells = createDoorbells(config.workers);
    this.#hub = this.#createHub(rings, doorbells);
    this.#workers = new WorkerSupervisor({
      config,
      threadFile: new URL('./gateway/thread.js', import.meta.url),
      rings,
      doorbells,
      onMessage: (worker, message) => this.#hub.fromWorker(worker, message),
      onUp: worker => this.#hub.welcome(worker),
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

  async #close(): Promise<void> {
    await this.#feed.stop();
    await this.#workers.close();
    await this.#hub.close();
    await this.#admin.close();
  }

  #createHub(rings: readonly SharedArrayBuffer[], doorbells: SharedArrayBuffer): Hub {
    const config = this.#config;
    const taskFile = fileURLToPath(new URL('./encoder/task.js', import.meta.url));
    return new Hub({
      encoders: config.encoders,
      workers: config.workers,
      startEncoder: shard => startEncoderThread(taskFile, { ring: rings[shard] as SharedArrayBuffer, doorbells }),
      symbols: config.symbols,
      epoch: randomBytes(4).toString('hex'),
      nowMicros: systemClock.nowMicros,
      toWorker: (worker, message) => this.#workers.post(worker, message),
      onInterest: (subject, wanted) => this.#feed.interest(subject, wanted),
      onRejected: (subject, payload, reason) => {
        this.#feed.deadLetter(subject, payload, reason);
        const suppressed = this.#sampler.pass(`rejected ${reason}`);
        if (suppressed !== undefined) this.#log.warn({ subject, reason, suppressed }, 'invalid message dead-lettered');
      },
      onFault: (what, detail) => this.#fault(what, detail),
    });
  }

  #sink(): FeedSink {
    return {
      message: message => this.#hub.message(message),
      status: (status, detail) => {
        this.#feedLive = status === 'live';
        if (status === 'stale') this.#hub.feedLost();
        this.#log[status === 'live' ? 'info' : 'warn']({ feed: this.#feed.name, status, detail }, 'feed status');
      },
    };
  }

  #fault(what: string, detail: string): void {
    const suppressed = this.#sampler.pass(`fault ${what}`);
    if (suppressed !== undefined) this.#log.error({ what, detail, suppressed }, 'fault');
  }

  #notReady(): string[] {
    const missing: string[] = [];
    if (this.#closing !== undefined) missing.push('closing');
    if (!this.#feedStarted) missing.push('feed');
    if (this.#workers.listening < this.#config.workers) missing.push('workers');
    return missing;
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
      feedLive: this.#feedLive,
    };
  }
}

function createFeed(config: Config, log: Logger): Feed {
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
      return nats.jetstream
        ? new JetStreamFeed({ config: nats, nodeName, clock })
        : new NatsFeed({ config: nats, nodeName });
  }
}

/** An address that a client on this machine can use. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

/**
 * The program: reads the environment, starts, prints how to connect, ends on SIGTERM or SIGINT with exit code 0.
 * @throws {ConfigError} when a setting cannot be used.
 */
export async function runGateway(env: NodeJS.ProcessEnv): Promise<void> {
  const configured = readConfig(env);
  const auth = configured.auth;
  const hasKey = auth.secret !== undefined || auth.jwksFile !== undefined || auth.jwksUrl !== undefined;
  // Without a key nobody could connect: one that ends with this process lets a newcomer in and nobody else.
  const secret = hasKey ? auth.secret : randomBytes(32).toString('hex');
  const port = configured.port === 0 ? await freePort(configured.host) : configured.port;
  const config: Config = { ...configured, port, auth: { ...auth, secret } };
  const log = createLogger(config.logLevel, config.nodeName);
  const gateway = await startGateway(config, log);
  endOnSignals(gateway, log);
  process.stdout.write(await welcome(gateway, config, hasKey ? undefined : secret));
}

/**
 * A port that is free now. The workers share one port through SO_REUSEPORT, which uWS asks for only with a port that is
 * named, so "any free one" has to become a number first.
 */
function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', cause => reject(new Error(`no port can be had on HOST ${host}`, { cause })));
    probe.listen(0, host, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function endOnSignals(gateway: Gateway, log: Logger): void {
  const end = (reason: string, exitCode: number) => {
    log.info({ reason }, 'closing');
    const late = setTimeout(() => {
      log.error('closing took too long');
      // Threads that still hold sockets would abort an orderly exit.
      process.kill(process.pid, 'SIGKILL');
    }, SHUTDOWN_MAX_MS);
    gateway.close().then(
      () => {
        clearTimeout(late);
        log.info('closed');
        process.exit(exitCode);
      },
      (cause: unknown) => log.error({ err: cause }, 'closing failed'),
    );
  };
  process.once('SIGTERM', () => end('SIGTERM', 0));
  process.once('SIGINT', () => end('SIGINT', 0));
  if (process.env.npm_lifecycle_event !== undefined) endWithParent(() => end('npm ended', 0));
  process.on('uncaughtException', cause => {
    log.fatal({ err: cause }, 'defect on the main thread');
    end('defect', 1);
  });
}

/** npm does not hand a SIGTERM on: it ends, and its shell, and what they ran would go on alone. */
function endWithParent(end: () => void): void {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    end();
  }, PARENT_POLL_MS);
  watch.unref();
}

async function welcome(gateway: Gateway, config: Config, secret: string | undefined): Promise<string> {
  const feed = `feed ${config.feed}${config.nats.jetstream ? ' (JetStream)' : ''}`;
  const threads = `${config.workers} gateway worker(s), ${config.encoders} encoder(s)`;
  const lines = ['', `  Millrace is ready: ${feed}, ${threads}`, `  admin   ${gateway.adminUrl}/metrics`];
  if (secret === undefined) {
    lines.push(
      `  clients ${gateway.url}/ws/quotes?symbols=…&token=…`,
      '  token   npm run token -- --sub you --ttl 1h',
      '',
    );
    return `${lines.join('\n')}\n`;
  }
  const { issuer, audience } = config.auth;
  const ttlMs = DEMO_TOKEN_TTL_MS;
  const token = await mintToken({ secret, sub: 'demo', tier: 'institutional', ttlMs, issuer, audience });
  const symbols = config.feed === 'simulator' ? (config.symbols.find(s => !s.includes('*')) ?? 'AAPL') : 'AAPL';
  lines.push(
    `  clients ${gateway.url}/ws/quotes?symbols=${symbols}&token=${token}`,
    '',
    '  The key that signs tokens was made for this run. To watch from another terminal:',
    '',
    `    export MILLRACE_TOKEN=${token}`,
    `    npx millrace tail quotes:${symbols} orderbook:${symbols} --url ${gateway.url}`,
    '',
  );
  return `${lines.join('\n')}\n`;
}
