/** What is wired to what in a gateway thread, which reads the encoders' rings and serves its share of the sockets. */
import { REVOCATIONS_EXPIRE_MS } from '../auth/revocations.js';
import { monotonicMicros } from '../protocol/wall-clock.js';
import { SharedReadiness } from '../threads/shared-readiness.js';
import type { ToWorker } from '../threads/thread-messages.js';
import { MessageGate } from './commands/message-gate.js';
import { pump } from './delivery/pump.js';
import { Admissions } from './edge/admission.js';
import { DemoPage } from './edge/demo-page.js';
import { GatewayServer } from './edge/server.js';
import { CONFIRMED_INTERVAL_MS } from './journal/session-journal.js';
import { CONTROL_FRAMES_PER_SECOND, MessageRate } from './limits/message-rate.js';
import { Owners } from './limits/owner.js';
import { MainMessages, type MainMessagesParts } from './main-messages.js';
import type { Session } from './model/session.js';
import { OperatorAnswers } from './operators/answers.js';
import { Reloading } from './reloading.js';
import type { Access } from './sessions/access.js';
import { ChangedRights } from './sessions/changed-rights.js';
import { GLANCE_INTERVAL_MS, marksOf, SAMPLE_INTERVAL_MS } from './slow-consumers/ladder.js';
import { CHECK_INTERVAL_MS, Overload } from './slow-consumers/overload.js';
import { Heartbeats } from './subscriptions/heartbeats.js';
import { notingListener } from './supervision/listening-socket.js';
import { longWorkOf, ServedTurns } from './supervision/served-turns.js';
import { BEAT_INTERVAL_MS, beat, turnRow } from './supervision/watchdog.js';
import type { ThreadLife } from './thread-life.js';
import { type Clients, newClients } from './worker-clients.js';
import { workerStats } from './worker-stats.js';
import { type Ending, newStreams, type Streams } from './worker-streams.js';

/** Where the build writes the browser pages, from the thread's file in this folder (esbuild.config.mjs). */
const PAGES = new URL('../dashboard/', import.meta.url);
/** How often to check Apps with old certificates for remaining connections. */
const APPS_CHECK_MS = 1_000;

export class GatewayWorker {
  readonly #life: ThreadLife;
  readonly #sessions: ReadonlySet<Session>;
  readonly #streams: Streams;
  readonly #clients: Clients;
  readonly #turns: ServedTurns;
  readonly #server: GatewayServer;
  readonly #overload: Overload;
  readonly #mainMessages: MainMessages;

  constructor(life: ThreadLife, access: Access) {
    this.#life = life;
    const { data, post } = life;
    const sessions = new Set<Session>();
    const ending: Ending = {
      end: (session, code, reason) => this.#server.end(session, code, reason),
      cut: (session, code) => this.#server.cut(session, code),
    };
    this.#turns = new ServedTurns({
      row: turnRow(data.turns, data.worker),
      isIndebted: session => this.#streams.budgets.isIndebted(session),
      onLong: turn => {
        post({ type: 'long_work', work: longWorkOf(turn, life.log) });
        this.#server.endLong(turn);
      },
    });
    this.#sessions = sessions;
    this.#streams = newStreams(life, sessions, ending);
    this.#clients = newClients(life, this.#streams, access.authentication, sessions, this.#turns, ending);
    this.#server = newServer(life, this.#streams, this.#clients, sessions, this.#turns);
    this.#overload = new Overload({
      ...data.config.overload,
      nowMs: () => performance.now(),
      onLevel: level => post({ type: 'load', level }),
    });
    const { credentials, reauthentication } = this.#clients;
    const changedRights = new ChangedRights({ sessions, reauthentication, end: ending.end, onFault: life.fault });
    access.watch(credentials, removedKeys => changedRights.run(removedKeys));
    const reloading = new Reloading({ access, log: life.log, post });
    const operators = newOperators(life, this.#streams, sessions, this.#server, this.#overload);
    this.#mainMessages = newMainMessages(life, this.#streams, this.#clients, sessions, this.#server, {
      access,
      reloading,
      operators,
    });
  }

  /** The work in progress takes too long. */
  interrupt(): void {
    this.#turns.interrupt();
  }

  receive(message: ToWorker): void {
    this.#mainMessages.receive(message);
  }

  /**
   * Listens, and publishes until the thread must end.
   * @param posted returns the next message that was posted since the thread started
   */
  async run(posted: () => ToWorker | undefined): Promise<void> {
    const { post, data } = this.#life;
    this.#startTimers();
    const listening = await this.#mainMessages.open(posted);
    if (listening === undefined) {
      post({ type: 'listen_failed', port: data.port });
      this.#life.finish(1);
      return;
    }
    post({ type: 'listening', port: listening });
    const { fanout, ladder, subscriptions, views, doorbell } = this.#streams;
    await pump({
      fanout,
      ladder,
      tierChanges: this.#clients.tierChanges,
      deliveries: subscriptions.deliveries,
      views,
      doorbell,
      lagging: new Int32Array(data.lagging),
      worker: data.worker,
      isEnding: () => this.#life.isEnding,
    });
  }

  #startTimers(): void {
    const { data, apps } = this.#life;
    const { config, worker } = data;
    const { ladder, views, outbox, fanout, wake } = this.#streams;
    const { tierChanges, keepalive, revocations } = this.#clients;
    const row = turnRow(data.turns, worker);
    setInterval(() => {
      ladder.sample();
      views.expire(performance.now());
      if (tierChanges.hasPending) wake();
    }, SAMPLE_INTERVAL_MS).unref();
    setInterval(() => ladder.glance(), GLANCE_INTERVAL_MS).unref();
    setInterval(() => beat(row), BEAT_INTERVAL_MS).unref();
    setInterval(() => keepalive.check(), keepalive.checkIntervalMs).unref();
    setInterval(() => apps.closeUnused(), APPS_CHECK_MS).unref();
    setInterval(() => revocations.expire(), REVOCATIONS_EXPIRE_MS).unref();
    const { records } = this.#streams;
    if (records !== undefined) setInterval(() => records.flush(), CONFIRMED_INTERVAL_MS).unref();
    const overload = this.#overload;
    setInterval(() => overload.check(fanout.counters), CHECK_INTERVAL_MS).unref();
    const heartbeats = new Heartbeats(views, outbox, config.times, monotonicMicros);
    setInterval(() => heartbeats.sweep(), heartbeats.sweepIntervalMs).unref();
    const parts = { sessions: this.#sessions, server: this.#server, pending: this.#life.pending, overload };
    this.#life.stats = () => workerStats({ ...this.#streams, ...this.#clients, ...parts });
  }
}

/** From the listening socket to the sessions. */
function newServer(
  { data, apps, pending, proxies, corking, log, live, journal, fault }: ThreadLife,
  { views, outbox, budgets, subscriptions, ladder, fanout, records }: Streams,
  { symbols, limits, credentials, keepalive, userSlots, use, replies, commands }: Clients,
  sessions: Set<Session>,
  turns: ServedTurns,
): GatewayServer {
  const { config } = data;
  const { subscriptionsMax, messagesPerSecondMax, roomMessageBytesMax } = config.limits;
  const messageRate = new MessageRate(messagesPerSecondMax);
  const controlRate = new MessageRate(CONTROL_FRAMES_PER_SECOND);
  const admissions = new Admissions({
    credentials,
    isAnonymousAllowed: config.anonymous,
    owners: new Owners(data.ownerSeed),
    symbols,
    subscriptionsMax,
    newKeepalive: expiresAtMs => keepalive.open(expiresAtMs),
    newMessageTokens: () => messageRate.fill(performance.now()),
    newControlTokens: () => controlRate.fill(performance.now()),
    newAccount: address => budgets.open(address),
  });
  const gate = new MessageGate({
    messageRate,
    messagesPerSecondMax,
    roomMessageBytesMax,
    budgets,
    replies,
    idOf: (...message) => commands.idOf(...message),
  });
  return new GatewayServer(apps, {
    config,
    admissions,
    commands,
    subscriptions,
    ladder,
    fanout,
    views,
    outbox,
    limits,
    pending,
    proxies,
    corking,
    gate,
    budgets,
    controlRate,
    keepalive,
    turns,
    userSlots,
    use,
    log,
    live,
    readiness: new SharedReadiness(data.readiness),
    journal,
    records,
    demo: DemoPage.of(config, PAGES),
    sessions,
    onFault: fault,
  });
}

/** From the main thread to all of these. */
function newMainMessages(
  life: ThreadLife,
  { views, subscriptions, eventSymbols }: Streams,
  { symbols, rooms, topics, credentials, userSlots, use }: Clients,
  sessions: ReadonlySet<Session>,
  server: GatewayServer,
  orders: Pick<MainMessagesParts, 'access' | 'reloading' | 'operators'>,
): MainMessages {
  const { data, apps, post, fault } = life;
  const row = turnRow(data.turns, data.worker);
  return new MainMessages({
    apps,
    listen: port => notingListener(row, () => apps.listen(data.config.host, port)),
    config: data.config,
    port: data.port,
    server,
    sessions,
    symbols,
    eventSymbols,
    views,
    subscriptions,
    rooms,
    topics,
    ...orders,
    credentials,
    userSlots,
    use,
    journal: life.journal,
    post,
    countersNow: () => life.stats?.(),
    onFault: fault,
    finish: exitCode => life.finish(exitCode),
  });
}

function newOperators(
  { data, log, post, fault }: ThreadLife,
  streams: Streams,
  sessions: ReadonlySet<Session>,
  server: GatewayServer,
  overload: Overload,
): OperatorAnswers {
  return new OperatorAnswers({
    ...streams,
    worker: data.worker,
    sessions,
    ids: log.ids,
    log,
    refused: server.counters.refused,
    overload,
    end: (session, code, reason) => server.end(session, code, reason),
    noticeBytesMax: marksOf(data.config.limits.backpressureBytesMax).suspendBytes,
    post,
    nowMs: () => performance.now(),
    onFault: fault,
  });
}
