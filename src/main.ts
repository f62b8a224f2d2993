/**
 * The composition root: feed → hub → encoder pool → gateway workers → sockets.
 *
 *     feed ──message──▶ hub ──batch──▶ encoder threads ──ring──▶ gateway worker threads ──▶ sockets
 *                        ▲                                              │
 *                        └──────────── interest, snapshot requests ─────┘
 */
import { AdminServer } from './admin/server.js';
import { statsOf } from './admin/stats.js';
import { TokenGuard } from './admin/token-guard.js';
import { CLOSE_PART_MAX_MS, inTime } from './closing.js';
import type { Config } from './config/environment.js';
import { reachableHost } from './config/reachable-host.js';
import { ControlOrders, revokeMessage } from './control-orders.js';
import { createHub } from './create-hub.js';
import { createFeed } from './feed/create-feed.js';
import type { Feed, FeedSink, FeedStatus } from './feed/feed.js';
import { CertificateFiles } from './gateway/certificate-files.js';
import { WorkerSupervisor } from './gateway/supervisor.js';
import type { Hub } from './hub/hub.js';
import { Loads } from './hub/loads.js';
import { type MainParts, mainStatsOf } from './main-stats.js';
import { DescriptorWatch } from './observe/descriptors.js';
import { type Logger, LogSampler } from './observe/log.js';
import { Metrics } from './observe/metrics.js';
import { createDoorbells, createRing } from './protocol/ring.js';
import type { ToWorker } from './protocol/thread-messages.js';
import type { Gateway, GatewayHost } from './running-gateway.js';

/** Frames of one encoder that its readers may be behind: several hundred milliseconds at full speed. */
const RING_BYTES = 8 * 1024 * 1024;
const SAMPLE_LOG_MS = 1000;
/** Beyond DRAIN_TIMEOUT: for connections that were let in just before the port was left. */
const DRAIN_BEYOND_MS = 5_000;
/** How long the process that is replaced may take to let go of its admin port. */
const ADMIN_PORT_FREE_MS = 10_000;

/**
 * Starts a gateway. Resolves once it accepts connections and its feed is up.
 * @param sendPredecessorAway where another process serves these ports: has it drain, and let go of the admin port. Called when
 *   this one serves clients.
 * @throws {Error} when a port, the feed or a key cannot be had; nothing is left running then.
 */
export async function startGateway(
  config: Config,
  log: Logger,
  host: GatewayHost,
  sendPredecessorAway?: () => void,
): Promise<Gateway> {
  const parts = new GatewayParts(config, log, host, await createFeed(config, log));
  try {
    await parts.start(sendPredecessorAway);
  } catch (cause) {
    await parts.close();
    throw cause;
  }
  return parts;
}

class GatewayParts implements Gateway {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #host: GatewayHost;
  readonly #sampler = new LogSampler(SAMPLE_LOG_MS);
  readonly #feed: Feed;
  readonly #hub: Hub;
  readonly #workers: WorkerSupervisor;
  readonly #admin: AdminServer;
  readonly #descriptors = new DescriptorWatch(isShort => {
    if (isShort) this.#log.error('file descriptors are short: nobody is let in until connections close');
    else this.#log.warn('there are file descriptors again: clients are let in');
    this.#workers.postAll({ type: 'accept', isAccepting: !isShort });
  });
  #adminPort = 0;
  #feedState: Extract<ToWorker, { type: 'status' }> = {
    type: 'status',
    feed: 'stale',
    since: new Date().toISOString(),
  };
  readonly #loads = new Loads(level => this.#loadChanged(level));
  readonly #orders: ControlOrders;
  #isDraining = false;
  #feedStarted = false;
  #draining: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #certificate: CertificateFiles | undefined;

  constructor(config: Config, log: Logger, host: GatewayHost, feed: Feed) {
    this.#host = host;
    this.#config = config;
    this.#log = log;
    this.#feed = feed;
    this.#orders = new ControlOrders({
      nodeName: config.nodeName,
      log,
      onDrain: () => {
        this.#isDraining = true;
        this.#workers.postAll({ type: 'drain' });
      },
      onRevoked: revocation => this.#workers.postAll(revokeMessage(revocation)),
    });
    const rings = Array.from({ length: config.encoders }, () => createRing(RING_BYTES));
    const doorbells = createDoorbells(config.workers);
    this.#workers = new WorkerSupervisor({
      config,
      threadFile: new URL('./gateway/thread.js', import.meta.url),
      rings,
      doorbells,
      onMessage: (worker, message) =>
        message.type === 'load' ? this.#loads.set(worker, message.level) : this.#hub.fromWorker(worker, message),
      onUp: worker => this.#welcome(worker),
      onDown: (worker, reason) => {
        log.error({ worker, reason }, 'gateway worker died and is replaced');
        this.#hub.forgetWorker(worker);
        this.#loads.forgetWorker(worker);
      },
      onFault: (worker, message) => this.#fault(`gateway worker ${worker}`, message),
      onStuck: (worker, reason) => {
        log.fatal({ worker, reason }, 'a gateway worker cannot be ended: the process has to be');
        host.onFatal();
      },
    });
    this.#hub = createHub({
      config,
      log,
      sampler: this.#sampler,
      feed,
      workers: this.#workers,
      rings,
      doorbells,
      onFault: (what, detail) => this.#fault(what, detail),
    });
    this.#certificate =
      config.tls === undefined
        ? undefined
        : new CertificateFiles(config.tls, config.secretReaders, log, () =>
            this.#workers.postAll({ type: 'certificate' }),
          );
    const metrics = new Metrics({ main: () => mainStatsOf(this.#mainParts()), workers: () => this.#workerStats() });
    this.#admin = new AdminServer({
      host: config.adminHost,
      port: config.adminPort,
      allowedHosts: config.allowedHosts,
      guard: this.#adminGuard(),
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

  async start(sendPredecessorAway: (() => void) | undefined): Promise<void> {
    if (sendPredecessorAway === undefined) this.#adminPort = await this.#admin.listen();
    await this.#feed.start(this.#sink());
    this.#feedStarted = true;
    // Last: a client that is let in before the symbols are known would be told that there are none.
    await this.#workers.start();
    this.#descriptors.start();
    this.#certificate?.watch();
    if (sendPredecessorAway !== undefined) {
      sendPredecessorAway();
      this.#adminPort = await this.#admin.listen(ADMIN_PORT_FREE_MS);
    }
    this.#log.info({ url: this.url, admin: this.adminUrl, feed: this.#feed.name }, 'ready');
  }

  drain(isReplaced: boolean): Promise<void> {
    this.#draining ??= this.#drain(isReplaced);
    return this.#draining;
  }

  async #drain(isReplaced: boolean): Promise<void> {
    this.#isDraining = true;
    if (isReplaced) await this.#admin.close();
    const { drainTimeoutMs } = this.#config.times;
    await inTime(this.#workers.retire(), drainTimeoutMs + DRAIN_BEYOND_MS, 'the clients are not gone in time');
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * Every part is closed, whatever another one does: clients first, as what is behind them would tell them that it is gone.
   * @throws {AggregateError} of what went wrong
   */
  async #close(): Promise<void> {
    this.#descriptors.stop();
    const failures: unknown[] = [];
    const part = async (name: keyof typeof CLOSE_PART_MAX_MS, end: () => Promise<void>) => {
      try {
        await inTime(end(), CLOSE_PART_MAX_MS[name], `${name}: did not close in time`);
      } catch (cause) {
        failures.push(cause);
      }
    };
    this.#certificate?.unwatch();
    const workers = this.#workers.close();
    await part('workers', () => workers);
    await part('feed', async () => this.#feed.stop());
    await part('hub', () => this.#hub.close());
    await part('admin', () => this.#admin.close());
    // A process whose threads hold sockets cannot end in order.
    await workers;
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed');
  }

  renewCertificate(): void {
    void this.#certificate?.check('asked to');
  }

  #sink(): FeedSink {
    return {
      message: message => this.#hub.message(message),
      status: (status, detail) => this.#feedStatus(status, detail),
      control: (subject, payload) => this.#orders.receive(subject, payload),
      notice: (what, detail) => this.#log.warn({ what, detail }, 'feed notice'),
    };
  }

  #feedStatus(status: FeedStatus, detail: string): void {
    const hasChanged = this.#feedState.feed !== status;
    // To the backup or back from it is as good as an outage for what neither of the two numbers.
    if (status !== 'live' || this.#feedState.feed === 'failover') this.#hub.feedLost();
    this.#log[status === 'live' ? 'info' : 'warn']({ feed: this.#feed.name, status, detail }, 'feed status');
    if (!hasChanged) return;
    this.#feedState = { ...this.#feedState, feed: status, since: new Date().toISOString() };
    this.#workers.postAll(this.#feedState);
  }

  /** Retail first: it is sent less often, then takes nobody more; institutional clients keep their latency. */
  #loadChanged(level: number): void {
    const { load } = this.#loads;
    this.#log.warn({ level, load }, 'load');
    this.#hub.stretchRetail(level);
    if ((this.#feedState.load ?? 'normal') === load) return;
    this.#feedState = { ...this.#feedState, load };
    this.#workers.postAll(this.#feedState);
  }

  /** What a worker that starts must know. */
  #welcome(worker: number): void {
    this.#hub.welcome(worker);
    this.#workers.post(worker, this.#feedState);
    for (const revocation of this.#orders.revocations) this.#workers.post(worker, revokeMessage(revocation));
    if (this.#isDraining && this.#draining === undefined) this.#workers.post(worker, { type: 'drain' });
    if (this.#descriptors.isShort) this.#workers.post(worker, { type: 'accept', isAccepting: false });
  }

  #adminGuard(): TokenGuard | undefined {
    const { adminToken: token } = this.#config;
    if (token === undefined) return undefined;
    return new TokenGuard({
      token,
      nowMs: () => performance.now(),
      onWrong: address => {
        const suppressed = this.#sampler.pass('admin token');
        if (suppressed !== undefined) this.#log.warn({ address, suppressed }, 'a wrong ADMIN_TOKEN was refused');
      },
    });
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
    if (this.#descriptors.isShort) missing.push('descriptors');
    if (this.#workers.crashLoops > 0) missing.push('workers_stable');
    if (this.#hub.crashLoops > 0) missing.push('encoders_stable');
    return missing;
  }

  async #stats(): Promise<object> {
    const { nodeName, encoders } = this.#config;
    const { feed: status, since } = this.#feedState;
    return statsOf({
      node: nodeName,
      port: this.#workers.port,
      feed: { name: this.#feed.name, source: this.#feed.stats?.active, status, since },
      encoders,
      workers: await this.#workerStats(),
      ...mainStatsOf(this.#mainParts()),
    });
  }

  /** Once they are there, the hub too knows what has been encoded. */
  #workerStats() {
    for (const shard of this.#hub.shards) shard.look();
    return this.#workers.stats();
  }

  #mainParts(): MainParts {
    return {
      hub: this.#hub,
      workers: this.#workers,
      feed: this.#feed,
      feedState: this.#feedState.feed,
      loads: this.#loads,
      descriptors: this.#descriptors,
      host: this.#host,
    };
  }
}
