/**
 * The operators' pages and upgrades, beside clients that are served: how many requests a second they take (autocannon), and
 * whether clients notice when they are asked at a steady rate. R56.
 */
import autocannon from 'autocannon';
import { millrace } from '../latency/contender.js';
import { doubtsOf } from '../latency/doubts.js';
import { type LoadResult, Session, type SessionPlan } from '../latency/session.js';
import { sessionSettings } from '../latency/session-settings.js';
import { count, fixed, spread } from '../report/figures.js';
import type { SuiteReport, Table } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import type { BenchOptions, Suite, SuiteContext } from '../suite.js';

/** Requests a second that clients must not notice: many operators' worth. */
const PAGES = { '/healthz': 100, '/metrics': 10, '/api/v1/stats': 10 } as const;
const UPGRADES = { connectsPerSecond: 100, holdMs: 100, sourceAddresses: 8 };
const CONNECTIONS = 10;
const MOST_SECONDS_MAX = 3;
const P99_RATIO_MAX = 1.1;
/** The p99 of a few hundred updates is one pause more or less. */
const FULL = { rounds: 5, clients: 500, seconds: 15, warmupSeconds: 2, rate: 100 };
const QUICK = { rounds: 1, clients: 8, seconds: 0.5, warmupSeconds: 0.2, rate: 100 };

type Traffic = 'none' | keyof typeof PAGES | 'upgrades';
const TRAFFIC: readonly Traffic[] = ['none', '/healthz', '/metrics', '/api/v1/stats', 'upgrades'];

export interface HttpRound extends LoadResult {
  readonly traffic: Traffic;
  readonly round: number;
  /** Replies, and those that were errors. */
  readonly answered: number;
  readonly failed: number;
  /** As many a second as it takes, without regard to clients; NaN for `none`. */
  readonly perSecondMax: number;
}

export const http: Suite = {
  name: 'http',
  summary: 'operators’ pages and upgrades beside served clients (R56)',
  run: runHttp,
};

async function runHttp(context: SuiteContext): Promise<SuiteReport> {
  const settings = settingsOf(context.options);
  const rounds: HttpRound[] = [];
  for (let round = 1; round <= settings.rounds; round++) {
    rounds.push(...(await runRound(settings, round, context)));
  }
  return report(settings, rounds);
}

/** One gateway with its clients, and each kind of traffic in turn beside them. */
async function runRound(settings: Settings, round: number, { progress, signal }: SuiteContext): Promise<HttpRound[]> {
  const { clients, symbols, observers } = settings;
  const layout = { clients, symbolsPerClient: symbols, universe: symbols };
  const plan: SessionPlan = { layout, shape: 'price', paddingBytes: 0, observers };
  const session = await Session.open(millrace(settings), plan, signal);
  const results: HttpRound[] = [];
  try {
    // Each is the first now and then: a gateway is slowest when it is fresh.
    for (const traffic of rotated(TRAFFIC, round)) {
      progress(`round ${round} of ${settings.rounds}: ${traffic}`);
      results.push({ traffic, round, ...(await beside(session, traffic, settings)) });
    }
    return results;
  } finally {
    await session.close();
  }
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

async function beside(session: Session, traffic: Traffic, settings: Settings) {
  const rate = { updatesPerSecond: settings.rate, burst: 1 };
  const { seconds, warmupSeconds } = settings;
  if (traffic === 'upgrades') return withUpgrades(session, rate, settings);
  if (traffic === 'none') {
    return { ...(await session.load(rate, settings)), answered: 0, failed: 0, perSecondMax: Number.NaN };
  }
  const url = `http://127.0.0.1:${session.server.adminPort}${traffic}`;
  const [result, asked] = await Promise.all([
    session.load(rate, settings),
    autocannon({ url, connections: 1, duration: seconds + warmupSeconds, overallRate: PAGES[traffic] }),
  ]);
  const most = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: Math.min(seconds, MOST_SECONDS_MAX),
  });
  const failed = asked.non2xx + asked.errors + most.non2xx + most.errors;
  return { ...result, answered: asked['2xx'], failed, perSecondMax: most.requests.average };
}

async function withUpgrades(session: Session, rate: { updatesPerSecond: number; burst: number }, settings: Settings) {
  const stop = await session.churn(UPGRADES);
  const result = await session.load(rate, settings);
  const { opened, failed } = await stop();
  return { ...result, answered: opened, failed, perSecondMax: Number.NaN };
}

type Settings = ReturnType<typeof settingsOf>;

function settingsOf(options: BenchOptions) {
  return sessionSettings(options, options.quick ? QUICK : FULL);
}

const p99 = (round: HttpRound): number => round.observers.latency.total.p99;
const p99FromServer = (round: HttpRound): number => round.observers.latency.fromServer.p99;
const roundsOf = (rounds: readonly HttpRound[], traffic: Traffic): HttpRound[] =>
  rounds.filter(round => round.traffic === traffic);

/** A figure beside the traffic as a multiple of the same without any, round by round. */
function ratiosToNone(rounds: readonly HttpRound[], traffic: Traffic, figure: (round: HttpRound) => number): number[] {
  const none = roundsOf(rounds, 'none');
  return roundsOf(rounds, traffic).map((round, at) => figure(round) / figure(none[at] ?? round));
}

function report(settings: Settings, rounds: readonly HttpRound[]): SuiteReport {
  const ratios = (traffic: Traffic): number[] => ratiosToNone(rounds, traffic, p99);
  const failed = rounds.reduce((sum, round) => sum + round.failed, 0);
  const busy = TRAFFIC.filter(traffic => traffic !== 'none');
  return {
    suite: 'http',
    settings,
    tables: [roundsTable(settings, rounds)],
    goals: [
      ...busy.map(traffic => ({
        row: 'R56',
        text: `clients' p99 beside ${traffic} at most ${P99_RATIO_MAX}x: ${spread(spreadOf(ratios(traffic)), v => fixed(v, 2))}`,
        measured: median(ratios(traffic)),
        met: median(ratios(traffic)) <= P99_RATIO_MAX,
      })),
      { row: 'R56', text: `every request answered: ${failed} failed`, measured: failed, met: failed === 0 },
    ],
    metrics: busy.map(traffic => ({
      name: `p99 ratio beside ${traffic}`,
      unit: '',
      better: 'lower',
      samples: ratios(traffic),
    })),
    notes: doubtsOf(rounds.map(round => ({ ...round, contender: round.traffic }))),
    rounds,
  };
}

/** One row for each kind of traffic. */
function roundsTable(settings: Settings, rounds: readonly HttpRound[]): Table {
  return {
    title: `${settings.clients} clients, ${settings.rate} updates/s; median of ${settings.rounds} rounds`,
    columns: [
      'beside them',
      'p50 ms',
      'p99 ms',
      'p99 of none',
      '… from published to client',
      'publisher late, p99 ms',
      'answered',
      'failed',
      'requests/s at most',
      'server cores',
    ],
    rows: TRAFFIC.map(traffic => {
      const middle = (figure: (round: HttpRound) => number): number => median(roundsOf(rounds, traffic).map(figure));
      return [
        traffic === 'none' || traffic === 'upgrades' ? traffic : `${traffic}, ${PAGES[traffic]}/s`,
        fixed(middle(r => r.observers.latency.total.p50) / 1000, 2),
        fixed(middle(p99) / 1000, 2),
        fixed(median(ratiosToNone(rounds, traffic, p99)), 2),
        fixed(median(ratiosToNone(rounds, traffic, p99FromServer)), 2),
        fixed(middle(r => r.lateness.p99) / 1000, 2),
        count(middle(r => r.answered)),
        count(middle(r => r.failed)),
        count(middle(r => r.perSecondMax)),
        fixed(
          middle(r => r.cpu.server),
          2,
        ),
      ];
    }),
  };
}
