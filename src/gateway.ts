/**
 * The process: what is wired to what, and in which order it starts and stops.
 *
 *     feed ──message──▶ hub ──batch──▶ encoder threads ──ring──▶ gateway worker threads ──▶ sockets
 *                        ▲                                              │
 *                        └──────────── interest, snapshot requests ─────┘
 */
import { type Admin, createAdmin } from './admin/create-admin.js';
import type { MainParts } from './admin/main-stats.js';
import { configAfter, Reload } from './admin/reload.js';
import { LiveTokens } from './auth/live-token.js';
import { ConfigError } from './config/config-error.js';
import type { Config } from './config/environment.js';
import { reachableHost } from './config/reachable-host.js';
import { readerThreads } from './config/reader-threads.js';
import { feedOfHub } from './feed/feed-of-hub.js';
import { FixSide } from './fix-side.js';
import { type CertificateFiles, certificateFilesOf } from './gateway/supervision/certificate-files.js';
import { KeySetPosts } from './gateway/supervision/key-set-posts.js';
import type { WorkerSupervisor } from './gateway/supervision/supervisor.js';
import type { GatewayHost, Predecessor } from './gateway-host.js';
import { newWorkers, type Workers } from './gateway-workers.js';
import { createHub } from './hub/create-hub.js';
import { feedSink } from './hub/feed-sink.js';
import type { Hub } from './hub/hub.js';
import { ServiceStatus } from './hub/service-status.js';
import { Loads } from './hub/shards/loads.js';
import { type LoadedParts, loadParts } from './loaded-parts.js';
import { endInTurn, inTime } from './observe/deadline.js';
import { DescriptorWatch } from './observe/descriptors.js';
import { type Logger, LogSampler } from './observe/log.js';
import { SampledNotes } from './observe/sampled-notes.js';
import { Readiness } from './readiness.js';
import { ControlOrders } from './revocation/control-orders.js';
import { RevocationKeeper } from './revocation/keeper.js';
import { createDoorbells, createRings } from './threads/ring.js';

const SAMPLE_LOG_MS = 1000;
/** Added to DRAIN_TIMEOUT for connections accepted just before the gateway left the port. */
const DRAIN_BEYOND_MS = 5_000;
/** How long the old process may take to release its admin port. */
const ADMIN_PORT_FREE_MS = 10_000;

export class Gateway {
  /** As at the start, with what was reloaded since. */
  #config: Config;
  readonly #log: Logger;
  readonly #host: GatewayHost;
  readonly #sampler = new LogSampler(SAMPLE_LOG_MS);
  readonly #notes: SampledNotes;
  readonly #loaded: LoadedParts;
  readonly #hub: Hub;
  readonly #workers: WorkerSupervisor;
  readonly #admin: Admin;
  readonly #descriptors = new DescriptorWatch(isShort => {
    this.#notes.descriptors(isShort);
    this.#workers.postAll({ type: 'accept', isAccepting: !isShort });
  });
  #adminPort = 0;
  readonly #liveSecret = LiveTokens.newSecret();
  readonly #status = new ServiceStatus(status => this.#workers.postAll(status));
  readonly #loads = new Loads(level => this.#loadChanged(level));
  readonly #revocations: RevocationKeeper;
  readonly #orders: ControlOrders;
  readonly #keySet: KeySetPosts;
  readonly #fix: FixSide;
  #isDraining = false;
  #isFeedStarted = false;
  #draining: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #certificate: CertificateFiles | undefined;
  readonly #reload: Reload;
  readonly #readiness: Readiness;

  /** A gateway that has not started. */
  static async create(config: Config, log: Logger, host: GatewayHost): Promise<Gateway> {
    return new Gateway(config, log, host, await loadParts(config, log, host));
  }

  private constructor(config: Config, log: Logger, host: GatewayHost, loaded: LoadedParts) {
    const { journal, feed, tracing } = loaded;
    this.#host = host;
    this.#config = config;
    this.#log = log;
    this.#notes = new SampledNotes(log, this.#sampler);
    this.#loaded = loaded;
    this.#revocations = new RevocationKeeper({
      config,
      log,
      onRevoked: revocations => this.#workers.revoke(revocations),
      onOrder: (payload, atMs) => this.#orders.kept(payload, atMs),
    });
    this.#orders = new ControlOrders({
      nodeName: config.nodeName,
      log,
      revocations: this.#revocations,
      record: order => journal.record(order),
      onDrain: () => this.#redirectClients(),
    });
    this.#keySet = new KeySetPosts(config.auth.jwksUrl, log, () => this.#workers);
    this.#fix = new FixSide(config, log, message => this.#workers.post(config.workers, message));
    this.#readiness = this.#newReadiness();
    const rings = createRings(config.encoders);
    const doorbells = createDoorbells(readerThreads(config));
    const { supervisor, questions } = this.#newWorkers(rings, doorbells);
    this.#workers = supervisor;
    this.#hub = createHub({
      config,
      log,
      sampler: this.#sampler,
      feed: feedOfHub(feed, message => this.#hub.message(message)),
      isFeedStale: () => this.#status.current.feed === 'stale',
      deadLetter: (subject, payload, reason) => feed.deadLetter(subject, payload, reason),
      workers: this.#workers,
      rings,
      doorbells,
      tracing,
      onFault: (what, detail) => this.#notes.fault(what, detail),
    });
    this.#certificate = certificateFilesOf(config, log, () => this.#workers.postAll({ type: 'certificate' }));
    this.#reload = new Reload({
      log,
      record: order => journal.record(order),
      reread: () => host.reread(),
      take: fresh => {
        this.#config = configAfter(this.#config, fresh, log);
        return this.#config;
      },
      certificate: this.#certificate,
      keySet: this.#keySet,
      workers: this.#workers,
    });
    this.#admin = createAdmin({
      config: () => this.#config,
      settings: () => host.settings(),
      log,
      notes: this.#notes,
      readiness: this.#readiness,
      isDraining: () => this.#isDraining,
      drain: () => this.#redirectClients(),
      parts: () => this.#parts(),
      revocations: this.#revocations,
      questions,
      keys: this.#keySet,
      live: new LiveTokens(this.#liveSecret),
    });
  }

  #newReadiness(): Readiness {
    return new Readiness(() => ({
      config: this.#config,
      workers: this.#workers,
      hub: this.#hub,
      isClosing: this.#closing !== undefined,
      isDraining: this.#isDraining,
      isFeedStarted: this.#isFeedStarted,
      isFeedStale: this.#status.current.feed === 'stale',
      areDescriptorsShort: this.#descriptors.isShort,
      areRevocationsReadable: this.#revocations.isReadable,
      areKeysMissing: this.#keySet.isMissing,
      isJournalRefusing: this.#loaded.journal.isRefusing,
    }));
  }

  #newWorkers(rings: readonly SharedArrayBuffer[], doorbells: SharedArrayBuffer): Workers {
    return newWorkers({
      config: () => this.#config,
      log: this.#log,
      notes: this.#notes,
      loads: this.#loads,
      status: this.#status,
      descriptors: this.#descriptors,
      keySet: this.#keySet,
      fix: this.#fix,
      surveillance: this.#loaded.surveillance,
      journal: this.#loaded.journal,
      later: () => ({ hub: this.#hub, reload: this.#reload }),
      isDrainOrdered: () => this.#isDraining && this.#draining === undefined,
      onFatal: reason => this.#host.onFatal(reason),
      shared: {
        common: { readiness: this.#readiness.cells, liveSecret: this.#liveSecret },
        rings,
        doorbells,
        traces: this.#loaded.tracing?.workers,
        revocations: () => this.#revocations.all,
      },
    });
  }

  /** Where FIX clients connect; undefined without FIX. */
  get fixAddress(): string | undefined {
    const { fixPort } = this.#workers;
    return fixPort === undefined ? undefined : `${reachableHost(this.#config.host)}:${fixPort}`;
  }

  get url(): string {
    const scheme = this.#config.tls === undefined ? 'ws' : 'wss';
    return `${scheme}://${reachableHost(this.#config.host)}:${this.#workers.port}`;
  }

  /** A thread is stuck in native code or in a call to the system: a clean exit would wait for it, possibly forever. */
  get mustBeKilled(): boolean {
    if (this.#workers.stuck > 0 || this.#loaded.journal.isStuck) return true;
    return this.#hub.shards.some(shard => shard.watch.isStuck);
  }

  get adminUrl(): string {
    return `http://${reachableHost(this.#config.adminHost)}:${this.#adminPort}`;
  }

  /**
   * Resolves once the gateway accepts connections and its feed is up.
   * @param predecessor the process that serves these ports now. It hands over its revocations before this gateway
   *   listens; once this gateway serves clients, it is told to drain, which frees the admin port.
   * @throws {Error} if a port, the feed, a key or the revocations are unavailable; everything already started is closed.
   */
  async start(predecessor: Predecessor | undefined): Promise<void> {
    try {
      await this.#start(predecessor);
    } catch (cause) {
      // Why it did not start says more than what could not be closed.
      await this.close().catch((failure: unknown) =>
        this.#log.warn({ err: failure }, 'closing after a failed start failed'),
      );
      throw cause;
    }
  }

  /** Why `/readyz` fails; empty when the gateway is ready. */
  get notReady(): readonly string[] {
    return this.#readiness.missing;
  }

  async #start(predecessor: Predecessor | undefined): Promise<void> {
    if (predecessor === undefined) this.#adminPort = await this.#admin.server.listen();
    const { feed, journal, surveillance } = this.#loaded;
    const { name } = feed;
    const sink = feedSink({ hub: this.#hub, orders: this.#orders, status: this.#status, log: this.#log, name });
    const observed = await surveillance.open(sink);
    const [outcome] = await Promise.all([feed.start(observed), this.#keySet.open(), this.#hub.delays.open()]);
    if (!outcome.ok) throw new ConfigError(outcome.detail);
    await Promise.all([this.#revocations.open(), this.#fix.open(predecessor !== undefined), journal.open()]);
    this.#isFeedStarted = true;
    if (this.#closing !== undefined) throw new Error('closed during the start');
    // After the feed starts: from then on this process hears of new revocations itself.
    for (const revocation of (await predecessor?.revocations()) ?? []) this.#revocations.take(revocation);
    // Last, because a client accepted before the symbols are known would be told that there are none.
    await this.#workers.start();
    this.#descriptors.start();
    this.#certificate?.watch();
    this.#readiness.start();
    this.#admin.start();
    if (predecessor !== undefined) {
      predecessor.sendAway();
      this.#adminPort = await this.#admin.server.listen(ADMIN_PORT_FREE_MS);
    }
    this.#log.info({ url: this.url, fix: this.fixAddress, admin: this.adminUrl, feed: name }, 'ready');
  }

  /**
   * Reports not ready; after DRAIN_DELAY, stops listening and redirects the clients, spread over DRAIN_TIMEOUT. Clients
   * still connected are served as before. Resolves once all have left; you can call `close` at any time.
   * @param isReplaced another process takes over: it needs the admin port, and there is nothing to wait for
   */
  drain(isReplaced: boolean): Promise<void> {
    this.#draining ??= this.#drain(isReplaced);
    return this.#draining;
  }

  async #drain(isReplaced: boolean): Promise<void> {
    this.#isDraining = true;
    this.#readiness.report();
    const { drainDelayMs, drainTimeoutMs } = this.#config.times;
    if (isReplaced) await this.#admin.server.close();
    else await new Promise(resolve => setTimeout(resolve, drainDelayMs));
    if (this.#closing !== undefined) return;
    await inTime(this.#workers.retire(), drainTimeoutMs + DRAIN_BEYOND_MS, 'clients did not disconnect in time');
  }

  /** An operator orders it. The process keeps running: a signal ends it. */
  #redirectClients(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#readiness.report();
    this.#workers.postAll({ type: 'drain' });
  }

  /** Disconnects the remaining clients at once and stops everything. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * Closes every part, even if another one fails. Clients close first; otherwise the parts behind them would report an
   * outage. The time limits together stay below the limit for the whole process.
   * @throws {AggregateError} with everything that failed
   */
  async #close(): Promise<void> {
    const { feed, journal, surveillance, tracing } = this.#loaded;
    this.#descriptors.stop();
    this.#readiness.stop();
    this.#admin.stop();
    this.#keySet.close();
    this.#certificate?.unwatch();
    const workers = this.#workers.close();
    const failures = await endInTurn([
      { name: 'workers', maxMs: 2_000, end: () => workers },
      { name: 'feed', maxMs: 1_000, end: () => Promise.all([feed.stop(), this.#revocations.close()]) },
      { name: 'hub', maxMs: 700, end: () => Promise.all([this.#hub.close(), this.#fix.close()]) },
      { name: 'admin', maxMs: 300, end: () => Promise.all([this.#admin.server.close(), surveillance.close()]) },
      { name: 'journal', maxMs: 900, end: () => journal.close() },
      { name: 'tracing', maxMs: 300, end: async () => tracing?.close() },
    ]);
    // A process whose threads hold sockets cannot exit cleanly.
    await workers;
    if (failures.length > 0) throw new AggregateError(failures, 'some parts could not be closed');
  }

  /** Reloads keys, certificates and the settings that may change. Never rejects. @param reason what asked for it */
  reload(reason: string): Promise<void> {
    return this.#reload.run(reason);
  }

  /** Retail clients first: they are sent less often, then refused. Institutional clients keep their latency. */
  #loadChanged(level: number): void {
    this.#log.warn({ loadLevel: level, load: this.#loads.load }, 'load');
    this.#hub.stretchRetail(level);
    this.#status.setLoad(this.#loads.load);
  }

  #parts(): MainParts {
    return {
      hub: this.#hub,
      workers: this.#workers,
      feed: this.#loaded.feed,
      status: this.#status,
      loads: this.#loads,
      descriptors: this.#descriptors,
      revocations: this.#revocations.stats,
      keySet: this.#keySet.stats,
      surveillance: this.#loaded.surveillance.stats,
      tracing: this.#loaded.tracing?.stats,
      certificate: this.#certificate,
      clock: this.#host.clock(),
      journal: this.#loaded.journal,
      logLinesLost: this.#host.logLinesLost(),
    };
  }
}
