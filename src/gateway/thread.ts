/**
 * A gateway worker thread: reads the encoders' rings and serves its share of the sockets.
 *
 * A thread that ends while uWS holds an open handle aborts the whole process. So every way out leads through `finish`,
 * which closes the App first.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { createTokenVerifier } from '../auth/token.js';
import type { Config } from '../config/environment.js';
import { RingReader } from '../protocol/ring.js';
import type { FromWorker, GatewayThreadData, InterestChange, ToWorker } from '../protocol/thread-messages.js';
import { Admissions } from './admission.js';
import { CommandHandler } from './command-handler.js';
import { EventLosses } from './event-losses.js';
import { Fanout } from './fanout.js';
import { KnownSymbols } from './known-symbols.js';
import { LaneTable, type SentCell } from './lane-table.js';
import { Outbox } from './outbox.js';
import { createApp, GatewayServer } from './server.js';
import { SAMPLE_INTERVAL_MS, SlowConsumers } from './slow-consumers.js';
import { snapshotStats } from './stats.js';
import { Subscriptions } from './subscriptions.js';

/** How long sockets get to take their close frame before the App is closed under them. */
const CLOSE_GRACE_MS = 500;

const port = parentPort;
if (port === null) throw new Error('gateway/thread is a worker thread, not a program');
const data = workerData as GatewayThreadData & { readonly config: Config };
const { config, worker, rings, doorbells, connections } = data;
const post = (message: FromWorker) => port.postMessage(message);
const nowMicros = () => (performance.timeOrigin + performance.now()) * 1000;
const doorbell = new Int32Array(doorbells);
let isEnding = false;

const app = createApp(config);

function finish(exitCode: number): void {
  if (isEnding) return;
  isEnding = true;
  app.close();
  // Not at once: what was posted to the main thread is still to be sent.
  setImmediate(() => process.exit(exitCode));
}

process.on('uncaughtException', cause => {
  post({ type: 'failed', message: cause.stack ?? cause.message });
  finish(1);
});

let changes: InterestChange[] = [];
function tell(change: InterestChange): void {
  if (changes.length === 0) {
    queueMicrotask(() => {
      const due = changes;
      changes = [];
      post({ type: 'interest', changes: due });
    });
  }
  changes.push(change);
}

const sent = new Map<string, SentCell>();
function sentCell(stream: string, format: string, rateClass: string): SentCell {
  const key = `${stream}|${format}|${rateClass}`;
  let cell = sent.get(key);
  if (cell === undefined) {
    cell = { messages: 0, bytes: 0 };
    sent.set(key, cell);
  }
  return cell;
}

const fault = (what: string, cause: unknown) => {
  const detail = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  post({ type: 'fault', message: `${what}: ${detail}` });
};

const eventSymbols = new Map<number, string>();
const eventSymbol = (source: number) => eventSymbols.get(source);
const turnNumber = { current: 0 };
const table = new LaneTable(rings.length, tell, sentCell);
const outbox = new Outbox((topic, bytes, isBinary) => app.publish(topic, bytes, isBinary), nowMicros, sentCell);
const subscriptions = new Subscriptions(table, outbox, new EventLosses(outbox, eventSymbol), turnNumber);
const slow = new SlowConsumers(subscriptions, outbox, config.limits.backpressureBytesMax);
const fanout = new Fanout({
  rings: rings.map(ring => new RingReader(ring, worker)),
  table,
  subscriptions,
  outbox,
  eventSymbol,
  nowMicros,
  slow,
  turn: turnNumber,
});
const symbols = new KnownSymbols(config.symbols, post);
const { subscriptionsMax } = config.limits;
const commands = new CommandHandler({ subscriptions, symbols, outbox, subscriptionsMax, onFault: fault });
let lastSession = 0;
const admissions = new Admissions(
  await createTokenVerifier(config.auth),
  symbols,
  subscriptionsMax,
  () => ++lastSession,
);
const server = new GatewayServer(app, {
  config,
  admissions,
  commands,
  subscriptions,
  slow,
  fanout,
  table,
  connections: new Int32Array(connections),
  worker,
  onFault: fault,
});

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'symbols':
      symbols.add(message.symbols);
      break;
    case 'event_sources':
      for (const [id, symbol] of message.sources) eventSymbols.set(id, symbol);
      break;
    case 'known':
      symbols.answer(message.id, message.symbols);
      break;
    case 'stats':
      post({ type: 'stats', id: message.id, stats: snapshotStats(server, fanout, slow, outbox, table, sent) });
      break;
    case 'close':
      server.drain();
      post({ type: 'closed' });
      setTimeout(() => finish(0), CLOSE_GRACE_MS);
      break;
  }
});

const sampling = setInterval(() => slow.sample(), SAMPLE_INTERVAL_MS);
sampling.unref();

const nextLoopTurn = () => new Promise<void>(resolve => setImmediate(resolve));

/** One turn's worth of frames, institutional sockets first. */
async function turn(): Promise<void> {
  slow.settle();
  if (!fanout.read()) return;
  fanout.publish('institutional');
  if (table.count('retail') === 0) return;
  if (table.count('institutional') > 0) {
    // uWS writes what was published at the end of the loop turn: institutional sockets get theirs before retail ones.
    await nextLoopTurn();
    slow.settle();
  }
  fanout.publish('retail');
}

async function pump(): Promise<void> {
  while (!isEnding) {
    const seen = Atomics.load(doorbell, worker);
    await turn();
    if (fanout.hasMore) {
      await nextLoopTurn();
      continue;
    }
    const ring = Atomics.waitAsync(doorbell, worker, seen);
    // At once or later, but in another turn of the loop: uWS writes what was published between the two.
    await (ring.async ? ring.value : nextLoopTurn());
  }
}

const listening = await server.listen(config.host, data.port);
if (listening === undefined) {
  post({ type: 'listen_failed', port: data.port });
  finish(1);
} else {
  post({ type: 'listening', port: listening });
  await pump();
}
