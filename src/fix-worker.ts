/** What is wired to what in the FIX thread, which reads the encoders' rings like a gateway thread. */
import { REVOCATIONS_EXPIRE_MS } from './auth/revocations.js';
import type { FixConfig } from './config/environment.js';
import { FixCommandCounts } from './fix/command-counts.js';
import { Departures } from './fix/departures.js';
import { FixLatency } from './fix/latency.js';
import { FixViews } from './fix/market/views.js';
import { NumberRequests } from './fix/number-requests.js';
import { FixServer, SAVE_MS, TICK_MS } from './fix/server.js';
import { fixThreadStats } from './fix/stats.js';
import { fixLogOf, recordsOf, SharedAccess } from './fix-access.js';
import { FixOperators } from './fix-operators.js';
import { FixUse } from './fix-use.js';
import { clientAddressOf } from './gateway/edge/client-address.js';
import { ConnectionIds } from './gateway/model/connection-ids.js';
import type { Access } from './gateway/sessions/access.js';
import { ClientLog } from './gateway/supervision/client-log.js';
import { notingListener } from './gateway/supervision/listening-socket.js';
import { BEAT_INTERVAL_MS, beat, turnRow } from './gateway/supervision/watchdog.js';
import type { WorkerThreadData } from './gateway/thread-life.js';
import { interestTeller } from './gateway/views/interest-batch.js';
import { monotonicMicros, WallClock } from './protocol/wall-clock.js';
import type { FromFix, ToFix } from './threads/fix-messages.js';
import { JournalOutlet } from './threads/journal-outlet.js';
import { RingReader } from './threads/ring.js';
import type { FromWorker, ToWorker } from './threads/thread-messages.js';
import type { WorkerStats } from './threads/worker-stats.js';

/** Maximum bytes of frames handled in one turn of a ring, so that clients get their turns under load. */
const TURN_BYTES_MAX = 64 * 1024;
/** A frame this old indicates a queue. */
const LAGGING_MICROS = 20_000;
/** How long clients have to read their Logout before the thread ends. */
const CLOSE_GRACE_MS = 300;
/** How often to try a port that another process is about to leave. */
const PORT_RETRY_MS = 100;

/** Why clients are logged out, and when they may come back. */
const DRAINS = 'the gateway drains; log on again at another gateway, or here once it has restarted';
const STOPS = 'the gateway stops; log on again at another gateway, or here once it has restarted';

const nextLoopTurn = () => new Promise<void>(resolve => setImmediate(resolve));

export class FixWorker {
  readonly #data: WorkerThreadData;
  readonly #post: (message: FromWorker | FromFix) => void;
  readonly #access: Access;
  readonly #shared: SharedAccess;
  readonly #log: ClientLog;
  readonly #numbers: NumberRequests;
  readonly #views: FixViews;
  readonly #server: FixServer;
  readonly #operators: FixOperators;
  readonly #use: FixUse;
  readonly #rings: readonly RingReader[];
  /** Undefined: there is no journal. */
  readonly #journal: JournalOutlet | undefined;
  readonly #latency = new FixLatency();
  readonly #counters = { turns: 0, overruns: 0 };
  #departures: Departures | undefined;
  #isEnding = false;
  /** The thread has its initial state, and listens whenever it should. */
  #isOpen = false;
  #isAccepting = true;
  #isLeaving = false;
  /** Another process has the port, and leaves it soon. */
  #waitsForPort = false;
  #isRetired = false;
  #port: number;
  #feed = 'live';

  constructor(data: WorkerThreadData, access: Access, post: (message: FromWorker | FromFix) => void) {
    this.#data = data;
    this.#post = post;
    this.#access = access;
    this.#port = data.port;
    const clock = new WallClock();
    this.#journal = data.journal && new JournalOutlet(data.journal, data.worker, () => clock.nowMicros());
    this.#shared = new SharedAccess(data, access, post);
    const ids = new ConnectionIds();
    const nowMs = () => performance.now();
    this.#log = new ClientLog({ ids, settings: data.config, post, nowMs });
    this.#numbers = new NumberRequests(post);
    this.#rings = data.rings.map(ring => new RingReader(ring, data.worker));
    const tell = interestTeller(changes => post({ type: 'interest', changes }));
    const records = this.#journal && recordsOf(this.#journal, data.worker, ids, () => clock.nowMicros());
    this.#views = new FixViews({ shards: data.rings.length, tell, nowMs, journal: records?.views });
    this.#server = new FixServer({
      config: data.config,
      fix: data.config.fix as FixConfig,
      access: this.#shared,
      log: fixLogOf(this.#log),
      records,
      counts: this.#newCounts(ids, clock),
      views: this.#views,
      journal: this.#journal,
      numbers: this.#numbers,
      nextId: () => ids.next(),
      addressOf: clientAddressOf,
      nowMs,
      wallMicros: () => clock.nowMicros(),
      onFault: (what, cause) => this.fault(what, cause),
    });
    this.#use = new FixUse({ counts: this.#shared.uses, connections: this.#server.connections, nowMs, post });
    this.#operators = new FixOperators({
      worker: data.worker,
      server: this.#server,
      views: this.#views,
      latency: this.#latency,
      ids,
      log: this.#log,
      nowMs,
    });
    access.watch(this.#shared.credentials, removedKeys => this.#server.recheck(removedKeys));
  }

  get stats(): WorkerStats {
    const { limits, credentials, budgets } = this.#shared;
    return fixThreadStats({
      server: this.#server,
      views: this.#views,
      latency: this.#latency,
      counters: this.#counters,
      limited: Object.entries(limits.refused),
      tokensRefused: [...credentials.tokensRefused],
      work: { ...budgets.counters, overflow: budgets.overflow },
    });
  }

  /** Undefined: there is no surveillance. */
  #newCounts(ids: ConnectionIds, clock: WallClock): FixCommandCounts | undefined {
    if (this.#data.config.surveillance === undefined) return undefined;
    return new FixCommandCounts({
      connectionOf: id => ids.text(id),
      post: this.#post,
      nowMicros: () => clock.nowMicros(),
    });
  }

  /** Something unexpected happened; the thread keeps running. */
  fault(what: string, cause: unknown): void {
    const detail = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    this.#post({ type: 'fault', message: `${what}: ${detail}` });
  }

  /** Listens, and serves until the thread must end. @param posted returns the next message posted since the start */
  async run(posted: () => ToWorker | ToFix | undefined): Promise<void> {
    for (let message = posted(); message !== undefined; message = posted()) this.receive(message);
    this.#isOpen = true;
    this.#startTimers();
    if (!(await this.#listen())) {
      this.#post({ type: 'listen_failed', port: this.#port });
      this.finish(1);
      return;
    }
    this.#post({ type: 'listening', port: this.#port });
    await this.#pump();
  }

  receive(message: ToWorker | ToFix): void {
    switch (message.type) {
      case 'symbols':
        this.#shared.symbols.add(message.symbols);
        break;
      case 'forgotten':
        this.#shared.symbols.forget(message.symbols);
        break;
      case 'known':
        this.#shared.symbols.answer(message.id, message.symbols);
        this.#server.flush();
        break;
      case 'refused':
        this.#refused(message);
        break;
      case 'fix_opened':
        this.#numbers.opened(message);
        break;
      case 'fix_takeover':
        this.#waitsForPort = true;
        break;
      case 'fix_lost':
        this.#server.lost(message.key);
        break;
      case 'status':
        this.#shared.isShedding = message.load === 'shedding';
        this.#feedStatus(message.feed, message.since);
        break;
      case 'stats':
        this.#post({ type: 'stats', id: message.id, stats: this.stats });
        break;
      case 'admin':
        this.#post({ type: 'admin', id: message.id, answer: this.#operators.answer(message) });
        break;
      case 'revoke':
        this.#shared.revoke(message.revocations);
        this.#server.recheck();
        this.#post({ type: 'revoked' });
        break;
      case 'keys':
        this.#access.remoteKeys.take(message.keys);
        break;
      case 'reload':
        void this.#reload(message.id, message.settings);
        break;
      case 'oldest':
        this.#use.tellOldest(message);
        break;
      case 'replace_oldest':
        this.#use.replaceOldest(message.user);
        break;
      default:
        this.#receiveForThread(message);
    }
  }

  finish(exitCode: number): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.handOver();
    // Not at once: messages posted to the main thread still have to go out.
    setImmediate(() => process.exit(exitCode));
  }

  /** Hands over what is left for the log and the journal. The thread ends. */
  handOver(): void {
    this.#log.flush();
    this.#journal?.close();
  }

  #receiveForThread(message: ToWorker | ToFix): void {
    switch (message.type) {
      case 'journal':
        this.#journal?.attach(message.port);
        break;
      case 'accept':
        this.#isAccepting = message.isAccepting;
        void this.#accept();
        break;
      case 'drain':
        this.#drain();
        break;
      case 'retire':
        this.#isLeaving = true;
        this.#isRetired = true;
        this.#server.stopListening();
        this.#drain();
        break;
      case 'close':
        this.#isLeaving = true;
        this.#server.stopListening();
        for (const connection of [...this.#server.connections]) {
          connection.end('regular', STOPS, true);
        }
        setTimeout(() => this.finish(0), CLOSE_GRACE_MS);
    }
  }

  #refused({ request, owner, isUnavailable = false }: Extract<ToWorker, { type: 'refused' }>): void {
    const full = owner === undefined ? 'too many topics' : 'too many topics of yours';
    this.#views.refused(request, isUnavailable ? 'not available at the feed' : full);
    this.#server.flush();
  }

  async #listen(): Promise<boolean> {
    if (!this.#isAccepting || this.#isLeaving) return true;
    const row = turnRow(this.#data.turns, this.#data.worker);
    const port = await notingListener(row, () => this.#server.listen(this.#port));
    if (port !== undefined) this.#port = port;
    if (port === undefined && this.#waitsForPort) setTimeout(() => void this.#accept(), PORT_RETRY_MS);
    return port !== undefined || this.#waitsForPort;
  }

  async #accept(): Promise<void> {
    if (!this.#isOpen) return;
    if (!this.#isAccepting) this.#server.stopListening();
    else if (!this.#server.isListening && !(await this.#listen())) {
      this.fault('cannot resume listening', `port ${this.#port} is unavailable`);
      this.finish(1);
    }
  }

  async #reload(id: number, settings: Extract<ToWorker, { type: 'reload' }>['settings']): Promise<void> {
    this.#log.settings = settings;
    this.#post({ type: 'reloaded', id, reloaded: await this.#access.reload(settings) });
  }

  #feedStatus(feed: string, since: string): void {
    if (feed === this.#feed) return;
    this.#feed = feed;
    const text = feed === 'stale' ? `no market data since ${since}; prices may be old` : `market data is ${feed}`;
    this.#server.news(`FEED ${feed.toUpperCase()}`, text);
  }

  #drain(): void {
    this.#server.refuseLogons(DRAINS);
    const { drainTimeoutMs } = this.#data.config.times;
    this.#departures ??= new Departures(this.#server.connections, drainTimeoutMs, performance.now());
  }

  #startTimers(): void {
    const row = turnRow(this.#data.turns, this.#data.worker);
    setInterval(() => beat(row), BEAT_INTERVAL_MS).unref();
    setInterval(() => this.#tick(), TICK_MS).unref();
    setInterval(() => {
      this.#server.save();
      this.#views.expire();
    }, SAVE_MS).unref();
    setInterval(() => this.#shared.revocations.expire(), REVOCATIONS_EXPIRE_MS).unref();
  }

  #tick(): void {
    this.#departures?.due(performance.now(), DRAINS);
    this.#server.tick();
    if (!this.#isRetired || this.#server.connections.size > 0) return;
    this.#isRetired = false;
    this.#post({ type: 'empty' });
  }

  async #pump(): Promise<void> {
    const { worker } = this.#data;
    const doorbell = new Int32Array(this.#data.doorbells);
    const lagging = new Int32Array(this.#data.lagging);
    while (!this.#isEnding) {
      const seen = Atomics.load(doorbell, worker);
      this.#turn();
      const hasMore = this.#rings.some(ring => ring.hasMore);
      Atomics.store(lagging, worker, hasMore && this.#latency.lastMicros > LAGGING_MICROS ? 1 : 0);
      const ring = hasMore ? undefined : Atomics.waitAsync(doorbell, worker, seen);
      await (ring?.async === true ? ring.value : nextLoopTurn());
    }
  }

  #turn(): void {
    this.#counters.turns++;
    for (const [at, ring] of this.#rings.entries()) {
      const result = ring.read(TURN_BYTES_MAX);
      if (result === 'overrun') {
        this.#counters.overruns++;
        this.#views.repair(at);
      }
      if (result !== 'frames') continue;
      const nowMicros = monotonicMicros();
      while (ring.next()) {
        this.#latency.observe(ring, nowMicros);
        this.#views.frame(ring, at);
      }
    }
    this.#server.flush();
  }
}
