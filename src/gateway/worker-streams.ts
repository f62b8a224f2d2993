/** What is wired to what between the rings and the sockets of a gateway thread. */
import type { Config } from '../config/environment.js';
import { CloseCode } from '../protocol/close-code.js';
import { monotonicMicros } from '../protocol/wall-clock.js';
import { RingReader } from '../threads/ring.js';
import { TraceReportWriter } from '../threads/trace-reports.js';
import { Fanout } from './delivery/fanout.js';
import { Gaps } from './events/gaps.js';
import { DeliveryJournal } from './journal/delivery-journal.js';
import { SessionJournal } from './journal/session-journal.js';
import { RankCells } from './limits/rank.js';
import { WorkBudgets } from './limits/work-budgets.js';
import type { Session } from './model/session.js';
import { Outbox, type Publish } from './sending/outbox.js';
import { Receipts } from './sending/receipts.js';
import { Ages } from './slow-consumers/ages.js';
import { BufferedTotal } from './slow-consumers/buffered-total.js';
import { burstBytesOf, Ladder, marksOf, SAMPLE_INTERVAL_MS } from './slow-consumers/ladder.js';
import { SlowStart } from './slow-consumers/slow-start.js';
import { Subscriptions } from './subscriptions/subscriptions.js';
import { clientOf } from './supervision/client-log.js';
import type { ThreadLife } from './thread-life.js';
import { interestTeller } from './views/interest-batch.js';
import { type SentCell, sentCellsIn, Views } from './views/views.js';

/** Share of the backpressure limit: missed messages are sent while no more than this is buffered for the socket. */
const REPLAY_SHARE = 0.25;

/** Ends sessions for the rooms below the edge, which do not know the server. */
export interface Ending {
  readonly end: (session: Session, code: CloseCode, reason: string) => void;
  readonly cut: (session: Session, code: CloseCode) => void;
}

export function newStreams(life: ThreadLife, sessions: ReadonlySet<Session>, ending: Ending) {
  const { data, apps, log, clock, post } = life;
  const { config, worker, rings } = data;
  const doorbell = new Int32Array(data.doorbells);
  /** Makes the pump take a turn even if the rings are empty. */
  const wake = () => {
    Atomics.add(doorbell, worker, 1);
    Atomics.notify(doorbell, worker);
  };
  const eventSymbols = new Map<number, string>();
  const turn = { current: 0 };
  const sent = new Map<string, SentCell>();
  const sentCell = sentCellsIn(sent);
  const { delivery, records } = newJournals(life, turn, eventSymbols);
  const views = new Views(
    rings.length,
    interestTeller(changes => post({ type: 'interest', changes })),
    sentCell,
    undefined,
    delivery,
  );
  const publish: Publish = (topic, bytes, isBinary, compress) => apps.publish(topic, bytes, isBinary, compress);
  const outbox = new Outbox(
    publish,
    () => clock.nowMicros(),
    sentCell,
    config.compression,
    config.limits.snapshotFrameBytesMax,
    delivery,
  );
  const gaps = new Gaps(outbox, source => eventSymbols.get(source));
  const budgets = new WorkBudgets({
    unitsPerSecond: config.limits.workUnitsPerSecond,
    debts: data.debts.table,
    seed: data.debts.seed,
    nowMicros: monotonicMicros,
  });
  const nowMs = () => performance.now();
  const { receipts, ages, slowStart } = newAges(config, outbox, sessions, nowMs, records);
  const subscriptions = new Subscriptions({
    views,
    outbox,
    gaps,
    turn,
    wake,
    bufferedBytesMax: config.limits.backpressureBytesMax * REPLAY_SHARE,
    charge: (session, units) => budgets.charge(session, units),
    reserve: (session, units) => budgets.reserve(session, units),
    tradesSymbols: () => eventSymbols.size,
    room: receipts,
    nowMs,
  });
  const bufferedTotal = new BufferedTotal({
    cells: new RankCells(data.waiting, worker),
    bytesMax: config.limits.bufferedBytesMax,
    sessions,
    buffered: outbox.buffered,
    cut: session => ending.cut(session, CloseCode.slowConsumer),
    onClosed: (sockets, bytes) => post({ type: 'shed', sockets, bytes }),
  });
  const ladder = new Ladder({
    subscriptions,
    outbox,
    receipts,
    ages,
    slowStart,
    maxAgeMs: config.times.maxAgeMs,
    backpressureBytesMax: config.limits.backpressureBytesMax,
    burstBytes: burstBytesOf(config.limits.unsentBytesMax),
    circuit: config.circuit,
    nowMs,
    close: session => ending.end(session, CloseCode.slowConsumer, 'slow consumer'),
    onStep: (session, isSlower) => {
      const { level } = session.conflation;
      session.events.record(isSlower ? 'stepped_down' : 'restored', level);
      log[isSlower ? 'steppedDown' : 'restored'](clientOf(session), level);
    },
    total: bufferedTotal,
  });
  const fanout = new Fanout({
    rings: rings.map(ring => new RingReader(ring, worker)),
    views,
    subscriptions,
    outbox,
    gaps,
    nowMicros: monotonicMicros,
    timeOfDayMicros: () => clock.nowMicros(),
    ladder,
    turn,
    traces: data.traces === undefined ? undefined : new TraceReportWriter(data.traces),
  });
  return {
    doorbell,
    wake,
    eventSymbols,
    sent,
    views,
    outbox,
    budgets,
    receipts,
    subscriptions,
    bufferedTotal,
    ladder,
    fanout,
    records,
  };
}
export type Streams = ReturnType<typeof newStreams>;

/** What is recorded of deliveries and of sessions; undefined without a journal. */
function newJournals(
  { data, journal: outlet, log, clock }: ThreadLife,
  turn: { readonly current: number },
  eventSymbols: ReadonlyMap<number, string>,
): { readonly delivery?: DeliveryJournal; readonly records?: SessionJournal } {
  if (outlet === undefined) return {};
  const { worker } = data;
  const idOf = (connection: number) => log.ids.text(connection);
  const delivery = new DeliveryJournal({
    outlet,
    worker,
    turn,
    connectionOf: ({ id }) => idOf(id),
    symbolOf: source => eventSymbols.get(source),
  });
  const times = { nowMicros: () => clock.nowMicros(), nowMs: () => performance.now() };
  return { delivery, records: new SessionJournal({ delivery, worker, idOf, ...times }) };
}

/** How far clients have received what they were sent, and how old what they hold is. */
function newAges(
  { times: { maxAgeMs }, limits }: Config,
  outbox: Outbox,
  sessions: ReadonlySet<Session>,
  nowMs: () => number,
  records: SessionJournal | undefined,
) {
  const { lowWaterBytes, suspendBytes } = marksOf(limits.backpressureBytesMax);
  const receipts: Receipts = new Receipts({
    nowMs,
    maxAgeMs,
    lowWaterBytes,
    probedBytesMax: suspendBytes,
    ping: (session, payload) => session.socket?.ping(payload),
    handOver: () => records?.handOver() ?? 0,
    onReceived: (session, ageMs, atMicros) => {
      ages.observe(session.tier, ageMs);
      records?.confirmed(session, atMicros);
    },
    onBegin: session => slowStart.begin(session),
  });
  const slowStart = new SlowStart({ receipts, maxAgeMs, nowMs });
  const ages = new Ages({
    receipts,
    outbox,
    sessions,
    maxAgeMs,
    checkIntervalMs: SAMPLE_INTERVAL_MS,
    toldBytesMax: suspendBytes,
    nowMs,
    nowMicros: monotonicMicros,
  });
  return { receipts, ages, slowStart };
}
