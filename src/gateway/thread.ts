/**
 * A gateway worker thread: reads the encoders' rings and serves its share of the sockets.
 *
 * A thread that ends while uWS holds an open handle aborts the whole process. So every exit path goes through
 * `finish`, which closes the App first.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { livesOf, REVOCATIONS_SWEEP_MS, RevocationList } from '../auth/revocations.js';
import type { Config } from '../config/environment.js';
import { CloseCode } from '../protocol/close-code.js';
import { monotonicMicros, WallClock } from '../protocol/wall-clock.js';
import { RingReader } from '../threads/ring.js';
import type { FromWorker, GatewayThreadData, ToWorker, WorkerStats } from '../threads/thread-messages.js';
import { CommandHandler } from './commands/command-handler.js';
import { MessageGate } from './commands/message-gate.js';
import { RoomPublishing } from './commands/room-publishing.js';
import { SymbolLookup } from './commands/symbol-lookup.js';
import { TopicCommands } from './commands/topic-commands.js';
import { Fanout } from './delivery/fanout.js';
import { pump } from './delivery/ring-reader.js';
import { Admissions } from './edge/admission.js';
import { Corking } from './edge/corking.js';
import { Apps } from './edge/listener.js';
import { GatewayServer } from './edge/server.js';
import { Gaps } from './events/gaps.js';
import { ConnectionLimits } from './limits/connection-limits.js';
import { CONTROL_FRAMES_PER_SECOND, MessageRate } from './limits/message-rate.js';
import { Owners } from './limits/owner.js';
import { pendingSocketsOf } from './limits/pending-sockets.js';
import { PublishedBytes } from './limits/published-bytes.js';
import { RankCells } from './limits/rank.js';
import { WorkBudgets } from './limits/work-budgets.js';
import type { Session } from './model/session.js';
import { Orders } from './orders.js';
import { Outbox, type Publish } from './sending/outbox.js';
import { Access } from './sessions/access.js';
import { Keepalive } from './sessions/keepalive.js';
import { Reauthentication } from './sessions/reauthentication.js';
import { Rechecks } from './sessions/rechecks.js';
import { Replies } from './sessions/replies.js';
import { BufferedTotal } from './slow-consumers/buffered-total.js';
import { Ladder, SAMPLE_INTERVAL_MS } from './slow-consumers/ladder.js';
import { LOOK_INTERVAL_MS, Overload } from './slow-consumers/overload.js';
import { Heartbeats } from './subscriptions/heartbeats.js';
import { Subscriptions } from './subscriptions/subscriptions.js';
import { TierChanges } from './subscriptions/tier-changes.js';
import { ABANDON_EVENT } from './supervision/hung-thread.js';
import { INTERRUPT_EVENT } from './supervision/interruption.js';
import { notingListener } from './supervision/listening-socket.js';
import { longWorkOf, ServedTurns } from './supervision/served-turns.js';
import { BEAT_INTERVAL_MS, beat, turnRow } from './supervision/watchdog.js';
import { interestTeller } from './views/interest-batch.js';
import { type SentCell, sentCellsIn, Views } from './views/views.js';
import { snapshotStats } from './worker-stats.js';

/** How often to check Apps with old certificates for remaining connections. */
const APPS_SWEEP_MS = 1_000;

/** Share of the backpressure limit: missed messages are sent while no more than this is buffered for the socket. */
const REPLAY_SHARE = 0.25;

const port = parentPort;
if (port === null) throw new Error('gateway/thread is a worker thread, not a program');
const data = workerData as GatewayThreadData & { readonly config: Config };
const { config, worker, rings, doorbells } = data;
const post = (message: FromWorker) => port.postMessage(message);
const wallClock = new WallClock();
const doorbell = new Int32Array(doorbells);
let isEnding = false;
/** Set once there is something to count. */
let countersNow: (() => WorkerStats) | undefined;

const pending = pendingSocketsOf(data, config);
const apps = new Apps(config.tls, pending);
const corking = new Corking();

function finish(exitCode: number): void {
  if (isEnding) return;
  isEnding = true;
  apps.close();
  corking.close();
  // Not at once: messages posted to the main thread still have to go out.
  setImmediate(() => process.exit(exitCode));
}

process.on('uncaughtException', cause => {
  post({ type: 'failed', message: cause.stack ?? cause.message, stats: countersNow?.() });
  finish(1);
});

// From the supervisor. It interrupts whatever this thread hangs in, which ends when this handler returns.
process.on(ABANDON_EVENT, () => {
  if (isEnding) return;
  isEnding = true;
  post({ type: 'abandoned', stats: countersNow?.() });
  apps.close();
  corking.close();
});

const tell = interestTeller(changes => post({ type: 'interest', changes }));

const sent = new Map<string, SentCell>();
const sentCell = sentCellsIn(sent);

const fault = (what: string, cause: unknown) => {
  const detail = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  post({ type: 'fault', message: `${what}: ${detail}` });
};

const eventSymbols = new Map<number, string>();
const turnNumber = { current: 0 };
const table = new Views(rings.length, tell, sentCell);
const publish: Publish = (topic, bytes, isBinary, compress) => apps.publish(topic, bytes, isBinary, compress);
const outbox = new Outbox(publish, () => wallClock.nowMicros(), sentCell, config.compression);
const losses = new Gaps(outbox, source => eventSymbols.get(source));
/** Makes the pump take a turn even if the rings are empty. */
const wake = () => {
  Atomics.add(doorbell, worker, 1);
  Atomics.notify(doorbell, worker);
};
const budgets = new WorkBudgets({
  unitsPerSecond: config.limits.workUnitsPerSecond,
  debts: data.debts.table,
  seed: data.debts.seed,
  nowMicros: monotonicMicros,
});
const subscriptions = new Subscriptions({
  table,
  outbox,
  losses,
  turn: turnNumber,
  wake,
  bufferedBytesMax: config.limits.backpressureBytesMax * REPLAY_SHARE,
  charge: (session, units) => budgets.charge(session, units),
  reserve: (session, units) => budgets.reserve(session, units),
  tradesSymbols: () => eventSymbols.size,
});
const sessions = new Set<Session>();
const bufferedTotal = new BufferedTotal({
  cells: new RankCells(data.waiting, worker),
  bytesMax: config.limits.bufferedBytesMax,
  sessions,
  buffered: outbox.buffered,
  cut: session => server.cut(session, CloseCode.slowConsumer),
  onClosed: (sockets, bytes) => post({ type: 'shed', sockets, bytes }),
});
const slow = new Ladder({
  subscriptions,
  outbox,
  backpressureBytesMax: config.limits.backpressureBytesMax,
  circuit: config.circuit,
  nowMs: () => performance.now(),
  close: session => server.end(session, CloseCode.slowConsumer, 'slow consumer'),
  total: bufferedTotal,
});
const fanout = new Fanout({
  rings: rings.map(ring => new RingReader(ring, worker)),
  table,
  subscriptions,
  outbox,
  losses,
  nowMicros: monotonicMicros,
  slow,
  turn: turnNumber,
});
const symbols = new SymbolLookup(config.symbols, post);
const { subscriptionsMax, messagesPerSecondMax } = config.limits;
const limits = new ConnectionLimits(config.limits, data);
const revocations = new RevocationList({ lives: livesOf(config) });
for (const revocation of data.revocations) revocations.take(revocation);
const access = await Access.open({
  config,
  keys: data.keys,
  askForKeys: () => post({ type: 'keys_wanted' }),
  guard: limits,
  revocations,
  onFault: fault,
});
const { credentials } = access;
const keepalive = new Keepalive<Session>({
  ...config.times,
  clockToleranceMs: config.auth.clockToleranceMs,
  nowMs: () => performance.now(),
  unixMs: () => Date.now(),
  sessions,
  ping: session => session.socket?.ping(),
  close: (session, code) => server.end(session, code, code === CloseCode.idle ? 'idle' : 'token expired'),
  terminate: session => session.socket?.close(),
  warnExpiring: session => {
    const expiresAt = new Date(session.keepalive.expiresAtMs).toISOString();
    const message = 'credential expires soon; send "auth" to renew it';
    outbox.send(session, { type: 'warning', code: 'token_expiring', message, expires_at: expiresAt });
  },
});
const row = turnRow(data.turns, worker);
const turns = new ServedTurns(row, turn => {
  post({ type: 'long_work', work: longWorkOf(turn) });
  server.endLong(turn);
});
// From the supervisor, in the middle of work that takes too long.
process.on(INTERRUPT_EVENT, () => turns.interrupt());
const messageRate = new MessageRate(messagesPerSecondMax);
const controlRate = new MessageRate(CONTROL_FRAMES_PER_SECOND);
const answers = new Replies(outbox);
const rooms = new RoomPublishing({
  answers,
  post,
  messageBytesMax: config.limits.roomMessageBytesMax,
  published: new PublishedBytes(data.published, worker, config.limits.roomBytesPerSecondMax),
});
const tierChanges = new TierChanges({ table, subscriptions, nowMs: () => performance.now(), wake });
const topics = new TopicCommands({ subscriptions, symbols, answers, subscriptionsMax });
const reauthentication = new Reauthentication({
  credentials,
  subscriptions,
  tierChanges,
  limits,
  answers,
  onRenewed: session => keepalive.renewed(session, session.credential.expiresAtMs),
});
const commands = new CommandHandler({
  topics,
  rooms,
  renewals: reauthentication,
  answers,
  turns,
  budgets,
  namesMax: subscriptionsMax,
  onFault: fault,
});
let lastSession = 0;
const admissions = new Admissions({
  credentials,
  isAnonymousAllowed: config.anonymous,
  owners: new Owners(data.ownerSeed),
  symbols,
  subscriptionsMax,
  nextId: () => ++lastSession,
  newKeepalive: expiresAtMs => keepalive.open(expiresAtMs),
  newMessageTokens: () => messageRate.fill(performance.now()),
  newControlTokens: () => controlRate.fill(performance.now()),
  newAccount: address => budgets.open(address),
});
const server = new GatewayServer(apps, {
  config,
  admissions,
  commands,
  subscriptions,
  slow,
  fanout,
  table,
  outbox,
  limits,
  pending,
  corking,
  gate: new MessageGate({
    messageRate,
    messagesPerSecondMax,
    roomMessageBytesMax: config.limits.roomMessageBytesMax,
    budgets,
    answers,
    idOf: (...message) => commands.idOf(...message),
  }),
  budgets,
  controlRate,
  keepalive,
  turns,
  sessions,
  onFault: fault,
});
const listen = (on: number) => notingListener(row, () => apps.listen(config.host, on));
const orders = new Orders({
  apps,
  listen,
  config,
  port: data.port,
  server,
  sessions,
  symbols,
  eventSymbols,
  table,
  subscriptions,
  rooms,
  topics,
  access,
  post,
  countersNow: () => countersNow?.(),
  onFault: fault,
  finish,
});

const end = (session: Session, code: CloseCode, reason: string) => server.end(session, code, reason);
const rechecks = new Rechecks({ sessions, reauthentication, end, onFault: fault });
access.watch(removedKeys => rechecks.run(removedKeys));

port.on('message', (message: ToWorker) => orders.receive(message));

setInterval(() => {
  slow.sample();
  table.look(performance.now());
  if (tierChanges.hasPending) wake();
}, SAMPLE_INTERVAL_MS).unref();
setInterval(() => beat(row), BEAT_INTERVAL_MS).unref();
setInterval(() => keepalive.sweep(), keepalive.sweepIntervalMs).unref();
setInterval(() => apps.sweep(), APPS_SWEEP_MS).unref();
setInterval(() => revocations.sweep(), REVOCATIONS_SWEEP_MS).unref();
const overload = new Overload({
  ...config.overload,
  nowMs: () => performance.now(),
  onLevel: level => post({ type: 'load', level }),
});
countersNow = () => ({
  ...snapshotStats(
    server,
    fanout,
    slow,
    outbox,
    table,
    sent,
    limits,
    keepalive.counters.pings,
    subscriptions.recoveries,
  ),
  loopDelayMs: overload.loopDelayMs,
  frameAgeMs: overload.frameAgeMs,
  tokensRefused: [...credentials.tokensRefused],
  commandsShed: topics.shed,
  publishedOverRate: rooms.counters.overRate,
  pending: pending.size,
  pendingRefused: pending.refused,
  closedForTotal: Object.entries(bufferedTotal.closed),
  work: { ...budgets.counters, overflow: budgets.overflow },
});
setInterval(() => overload.look(fanout.counters), LOOK_INTERVAL_MS).unref();
const heartbeats = new Heartbeats(table, outbox, config.times.heartbeatIntervalMs, monotonicMicros);
setInterval(() => heartbeats.sweep(), heartbeats.sweepIntervalMs).unref();

const listening = await orders.open(() => receiveMessageOnPort(port)?.message as ToWorker | undefined);
if (listening === undefined) {
  post({ type: 'listen_failed', port: data.port });
  finish(1);
} else {
  post({ type: 'listening', port: listening });
  const behind = new Int32Array(data.behind);
  const { deliveries } = subscriptions;
  await pump({ fanout, slow, tierChanges, deliveries, table, doorbell, behind, worker, isEnding: () => isEnding });
}
