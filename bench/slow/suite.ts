/**
 * Stalled clients: a tenth of the clients reads nothing any more. What the others notice, and what it costs in memory. R55.
 */
import type { Layout } from '../fanout/layout.js';
import { processMemory } from '../harness/memory.js';
import { millrace } from '../latency/contender.js';
import { doubtsOf } from '../latency/doubts.js';
import { type LoadResult, Session, type SessionPlan } from '../latency/session.js';
import { sessionSettings } from '../latency/session-settings.js';
import { count, fixed, spread } from '../report/figures.js';
import type { SuiteReport, Table } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import type { BenchOptions, Suite, SuiteContext } from '../suite.js';

/** `stalled` of one round: the same load, with and without them. */
export interface SlowRound extends LoadResult {
  readonly contender: 'none stalled' | 'stalled';
  readonly round: number;
  readonly stalledClients: number;
  /** Sockets that the gateway suspended, so that nothing more is queued for them. */
  readonly suspended: number;
  /** How long the load before the measurement lasted: as long in both. */
  readonly settleSeconds: number;
  /** Bytes that waited in the gateway for the stalled clients' sockets. */
  readonly bufferedBytes: number;
  readonly growthBytes: number;
}

const FULL = { rounds: 5, clients: 500, seconds: 8, warmupSeconds: 3, rate: 100, paddingBytes: 4000 };
const QUICK = { rounds: 1, clients: 12, seconds: 1, warmupSeconds: 0.3, rate: 200, paddingBytes: 12_000 };
const STALLED_ONE_IN = 10;
/** The kernel's buffers hold some 4 MiB a socket before the gateway sees anything. */
const SUSPENDED_WITHIN_SECONDS = 60;
const P99_RATIO_MAX = 1.2;
/** Millrace's default (`WS_MAX_BACKPRESSURE`), here set so that the bound is known. */
const BACKPRESSURE_BYTES_MAX = 1024 * 1024;
/** Heaps of two processes under the same load differ by so much without any stall. */
const HEAP_SCATTER_BYTES = 32e6;

type Settings = ReturnType<typeof settingsOf>;

export const slow: Suite = {
  name: 'slow',
  summary: 'a tenth of the clients stalled (R55)',
  run: runSlow,
};

async function runSlow({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const settings = settingsOf(options);
  const rounds: SlowRound[] = [];
  for (let round = 1; round <= settings.rounds; round++) {
    const of = (contender: SlowRound['contender']): string => `round ${round} of ${settings.rounds}: ${contender}`;
    progress(of('stalled'));
    const stalled = await runRound(settings, { isStalled: true, settleSeconds: SUSPENDED_WITHIN_SECONDS }, signal);
    progress(of('none stalled'));
    // Under load for as long: a heap grows with the time that it is used.
    const { settleSeconds } = stalled;
    const none = await runRound(settings, { isStalled: false, settleSeconds }, signal);
    rounds.push({ contender: 'none stalled', round, ...none }, { contender: 'stalled', round, ...stalled });
  }
  return report(settings, rounds);
}

interface Settling {
  readonly isStalled: boolean;
  /** With stalled clients: at most. */
  readonly settleSeconds: number;
}

async function runRound(settings: Settings, { isStalled, settleSeconds }: Settling, signal: AbortSignal) {
  const { clients, symbols, observers, rate: updatesPerSecond, paddingBytes } = settings;
  const layout: Layout = { clients, symbolsPerClient: symbols, universe: symbols };
  const plan: SessionPlan = { layout, shape: 'price', paddingBytes, observers };
  const env = { WS_MAX_BACKPRESSURE: String(BACKPRESSURE_BYTES_MAX) };
  const session = await Session.open(millrace(settings, env), plan, signal);
  try {
    const rate = { updatesPerSecond, burst: 1 };
    const { pid } = session.server.child;
    // Once under load without any stall, so that the growth of a fresh heap is not taken for theirs.
    await session.load(rate, { warmupSeconds: 0, seconds: settings.warmupSeconds });
    const before = processMemory(pid).residentBytes;
    const stalledClients = isStalled ? await session.stall(STALLED_ONE_IN) : 0;
    // Asked without stalled clients too: scraping is work, and the main thread's heap grows with it.
    const areSuspended = async (): Promise<boolean> => {
      const suspended = await metricOf(session, 'millrace_stalls_total');
      return isStalled && suspended >= stalledClients;
    };
    const settledSeconds = await session.loadUntil(rate, areSuspended, settleSeconds);
    const result = await session.load(rate, settings);
    return {
      ...result,
      stalledClients,
      suspended: await metricOf(session, 'millrace_stalls_total'),
      settleSeconds: settledSeconds,
      bufferedBytes: await metricOf(session, 'millrace_buffered_bytes'),
      growthBytes: processMemory(pid).residentBytes - before,
    };
  } finally {
    await session.close();
  }
}

async function metricOf(session: Session, name: string): Promise<number> {
  return (await session.metrics())?.get(name) ?? 0;
}

function settingsOf(options: BenchOptions) {
  const defaults = options.quick ? QUICK : FULL;
  return { ...sessionSettings(options, defaults), paddingBytes: defaults.paddingBytes };
}

const roundsOf = (rounds: readonly SlowRound[], contender: SlowRound['contender']): SlowRound[] =>
  rounds.filter(r => r.contender === contender);

function report(settings: Settings, rounds: readonly SlowRound[]): SuiteReport {
  const [none, stalled] = [roundsOf(rounds, 'none stalled'), roundsOf(rounds, 'stalled')];
  const p99 = (r: SlowRound): number => r.observers.latency.total.p99;
  const ratios = stalled.map((r, at) => p99(r) / p99(none[at] ?? r));
  const extra = stalled.map((r, at) => r.growthBytes - (none[at]?.growthBytes ?? 0));
  const boundBytes = (stalled[0]?.stalledClients ?? 0) * BACKPRESSURE_BYTES_MAX + HEAP_SCATTER_BYTES;
  const worst = Math.max(...extra);
  const notSuspended = stalled.filter(r => r.suspended < r.stalledClients);
  return {
    suite: 'slow',
    settings,
    tables: [roundsTable(settings, rounds)],
    goals: [
      {
        row: 'R55',
        text: `with 10 % stalled the others' p99 at most ${P99_RATIO_MAX}x: ${spread(spreadOf(ratios), v => fixed(v, 2))}`,
        measured: median(ratios),
        met: median(ratios) <= P99_RATIO_MAX,
      },
      {
        row: 'R55',
        text: `memory bounded: they cost at most ${fixed(boundBytes / 1e6, 0)} MB (WS_MAX_BACKPRESSURE each, and the scatter of heaps): ${fixed(worst / 1e6, 1)} MB`,
        measured: worst,
        met: worst <= boundBytes,
      },
    ],
    metrics: [
      { name: 'ratio of p99 with stalled clients', unit: '', better: 'lower', samples: ratios },
      { name: 'memory for stalled clients', unit: 'MB', better: 'lower', samples: extra.map(bytes => bytes / 1e6) },
    ],
    notes: [
      ...(notSuspended.length === 0 ? [] : ['not all stalled clients were suspended before the measurement began']),
      // What is owed to stalled clients never comes, on purpose.
      ...doubtsOf(rounds.map(r => (r.contender === 'stalled' ? { ...r, missing: 0, lostConnections: 0 } : r))),
    ],
    rounds,
  };
}

/** The clients that are not stalled: one row without stalled ones, one beside them. */
function roundsTable(settings: Settings, rounds: readonly SlowRound[]): Table {
  return {
    title: `${settings.clients} clients, ${settings.rate} updates/s of ${settings.paddingBytes} B and more: the others, ms, median of ${settings.rounds} rounds`,
    columns: [
      '',
      'deliveries/s',
      'p50',
      'p99',
      'max',
      'stalled',
      'suspended',
      'waiting MB',
      'growth MB',
      'server cores',
    ],
    rows: (['none stalled', 'stalled'] as const).map(name => {
      const middle = (figure: (r: SlowRound) => number): number => median(roundsOf(rounds, name).map(figure));
      const shown = (digits: number, figure: (r: SlowRound) => number): string => fixed(middle(figure), digits);
      const total = (figure: 'p50' | 'p99' | 'max') => shown(2, r => r.observers.latency.total[figure] / 1000);
      return [
        name,
        count(middle(r => r.deliveriesPerSecond)),
        ...[total('p50'), total('p99'), total('max')],
        ...[shown(0, r => r.stalledClients), shown(0, r => r.suspended)],
        ...[shown(1, r => r.bufferedBytes / 1e6), shown(1, r => r.growthBytes / 1e6)],
        shown(2, r => r.cpu.server),
      ];
    }),
  };
}
