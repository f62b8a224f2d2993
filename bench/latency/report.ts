/** The latency rounds as tables: percentiles per contender and load, the stages, and the ratios of the goals. */
import type { LatencyReport } from '../load/latency-histogram.js';
import { barChart } from '../report/bar-chart.js';
import { count, fixed, spread } from '../report/figures.js';
import type { Goal, Metric, Plot, SuiteReport, Table } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import { doubtsOf } from './doubts.js';
import { IDLE_UPDATES_PER_SECOND } from './idle.js';
import { GOAL_LOAD, type IdleRound, type LatencyRound, type LatencySettings, type Load } from './results.js';

const SUBJECT = 'millrace';
const REFERENCE = 'bare-relay';
const RATIO_TO_RELAY_MAX = 1.3;
const RATIO_TO_PEERS_MAX = 0.5;
const RATIO_TO_SUBSCRIBER_MAX = 3;
const P99_MICROS_MAX = 10_000;
const GC_ROLES = ['hub', 'encoder', 'worker'] as const;
/** In place of figures. */
const NOT_ASKED = 'did not keep up with less';
const PERCENTILES = ['p50', 'p90', 'p99', 'p999', 'max'] as const;

interface LatencyResults {
  readonly loads: readonly Load[];
  readonly rounds: readonly LatencyRound[];
  readonly idle: readonly IdleRound[];
  /** `name: why`, of contenders that this machine cannot run. */
  readonly skipped: readonly string[];
}

export function reportLatency(
  settings: LatencySettings,
  { loads, rounds, idle, skipped }: LatencyResults,
): SuiteReport {
  return {
    suite: 'latency',
    settings: { ...settings, loads },
    tables: [
      ...loads.map(load => loadTable(settings, load, rounds)),
      stageTable(loads, rounds),
      gcTable(loads, rounds),
      generatorTable(settings, loads, rounds),
      ...(idle.length === 0 ? [] : [idleTable(idle)]),
    ],
    plots: (['p50', 'p99'] as const).map(figure => plotOf(settings, loads, rounds, figure)),
    goals: [...goalsOf(settings, rounds), ...idleGoals(idle)],
    metrics: metricsOf(settings, loads, rounds, idle),
    notes: [
      "latencies count from the intended time of publishing, at observing clients in a process of their own; the publisher's lateness is part of them",
      'clocks: performance.timeOrigin + performance.now() of each process, that is CLOCK_MONOTONIC anchored to CLOCK_REALTIME at its start; the offsets are in the rounds',
      ...skipped.map(each => `SKIPPED ${each}`),
      ...doubtsOf(rounds),
    ],
    rounds: [...rounds, ...idle.map(round => ({ load: 'idle', ...round }))],
  };
}

function loadTable(settings: LatencySettings, load: Load, rounds: readonly LatencyRound[]): Table {
  const { clients, symbolsPerClient, rounds: total } = settings;
  return {
    title: `Load ${load.name}: ${count(load.updatesPerSecond)} updates/s to ${clients} clients × ${symbolsPerClient} symbols; ms, median of ${total} rounds`,
    columns: ['contender', 'deliveries/s', ...PERCENTILES, 'server cores', 'missing'],
    rows: settings.contenders.map(contender => {
      const of = roundsOf(rounds, contender, load.name);
      if (of.length === 0) return [contender, NOT_ASKED, ...PERCENTILES.map(() => ''), '', ''];
      const totals = of.map(round => round.observers.latency.total);
      return [
        contender,
        count(median(of.map(r => r.deliveriesPerSecond))),
        ...PERCENTILES.map(name => millis(median(totals.map(total => total[name])))),
        fixed(median(of.map(r => r.cpu.server)), 2),
        count(of.reduce((sum, r) => sum + r.missing, 0)),
      ];
    }),
  };
}

/** Of contenders that kept up in every round: the others' latencies are those of their queues. */
function plotOf(
  { contenders }: LatencySettings,
  loads: readonly Load[],
  rounds: readonly LatencyRound[],
  figure: 'p50' | 'p99',
): Plot {
  const rows = loads.flatMap(({ name, updatesPerSecond }) =>
    contenders.flatMap(label => {
      const of = roundsOf(rounds, label, name);
      if (of.length === 0 || of.some(({ keptUp }) => !keptUp)) return [];
      const samples = of.map(round => round.observers.latency.total[figure] / 1000);
      const group = `${name}: ${count(updatesPerSecond)} updates/s`;
      return [{ label, group, isSubject: label === SUBJECT, ...spreadOf(samples) }];
    }),
  );
  const title = `Latency ${figure}, of servers that kept up`;
  return { name: figure, title, svg: barChart({ title, unit: 'ms', rows, isLog: true, show: ms => fixed(ms, 1) }) };
}

/** Where the time goes in Millrace. */
function stageTable(loads: readonly Load[], rounds: readonly LatencyRound[]): Table {
  const rows = loads.flatMap(({ name }) => {
    const of = roundsOf(rounds, SUBJECT, name);
    if (of.length === 0) return [];
    const line = (stage: string, pick: (round: LatencyRound) => Partial<LatencyReport> | undefined): string[] => [
      name,
      stage,
      ...(['mean', 'p50', 'p90', 'p99', 'max'] as const).map(figure =>
        millis(median(of.map(round => pick(round)?.[figure] ?? Number.NaN))),
      ),
    ];
    return [
      line('publisher late', round => round.lateness),
      line('publisher → hub', toHub),
      line('hub → published', round => round.stages?.hubToPublish),
      line('  of it encoding, a batch', round => ({ mean: round.stages?.encodeMeanOfBatch ?? Number.NaN })),
      line('publisher → published', round => round.observers.latency.toServer),
      line('published → client', round => round.observers.latency.fromServer),
      line('all', round => round.observers.latency.total),
    ];
  });
  return {
    title: 'Stages of Millrace, ms (hub → published: percentiles from the buckets of a histogram)',
    columns: ['load', 'stage', 'mean', 'p50', 'p90', 'p99', 'max'],
    rows,
  };
}

/** Beside the p99, which they must not be felt in. */
function gcTable(loads: readonly Load[], rounds: readonly LatencyRound[]): Table {
  const rows = loads.flatMap(({ name }) => {
    const of = roundsOf(rounds, SUBJECT, name);
    return GC_ROLES.flatMap(role => {
      const threads = of.map(({ gc = [], seconds }) => ({ seconds, each: gc.filter(thread => thread.role === role) }));
      if (threads.every(({ each }) => each.length === 0)) return [];
      const middle = (figure: (round: (typeof threads)[number]) => number): number => median(threads.map(figure));
      const perSecond = middle(({ each, seconds }) => each.reduce((sum, { pauses }) => sum + pauses, 0) / seconds);
      const share = middle(({ each }) => Math.max(0, ...each.map(thread => thread.share)));
      const longest = threads.map(({ each }) => Math.max(0, ...each.map(thread => thread.maxMs)));
      const allocated = middle(({ each }) => each.reduce((sum, thread) => sum + thread.allocatedBytesPerSecond, 0));
      const updates = median(of.map(round => round.publishedPerSecond));
      return [
        [
          ...[name, role, fixed(perSecond, 1), `${fixed(share * 100, 2)} %`],
          ...[fixed(median(longest), 2), fixed(Math.max(...longest), 2)],
          millis(median(of.map(round => round.observers.latency.total.p99))),
          ...[fixed(allocated / 1024, 0), fixed(allocated / updates, 0)],
        ],
      ];
    });
  });
  return {
    title: "Pauses of Millrace's garbage collectors, ms, and what is allocated on V8's heaps",
    columns: [
      ...['load', 'threads', 'pauses/s', 'of the time', 'longest, median', 'longest', 'p99 of the latency'],
      ...['kB/s', 'B an update'],
    ],
    rows,
  };
}

/** Only as a mean: what is left of the way to the publish without the hub's part. */
function toHub({ observers, stages }: LatencyRound): Partial<LatencyReport> {
  return { mean: observers.latency.toServer.mean - (stages?.hubToPublish.mean ?? Number.NaN) };
}

function generatorTable(settings: LatencySettings, loads: readonly Load[], rounds: readonly LatencyRound[]): Table {
  const rows = loads.flatMap(({ name }) =>
    settings.contenders.flatMap(contender => {
      const of = roundsOf(rounds, contender, name);
      if (of.length === 0) return [];
      const middle = (figure: (round: LatencyRound) => number): number => median(of.map(figure));
      const row = [
        name,
        contender,
        fixed(
          middle(r => r.observers.loopUtilisation),
          2,
        ),
        millis(middle(r => r.observers.latency.readDelay.p99)),
        millis(middle(r => r.observers.latency.turn.p99)),
        fixed(
          middle(r => r.bulk.loopUtilisation),
          2,
        ),
        millis(middle(r => r.bulk.latency.readDelay.p99)),
        millis(middle(r => r.bulk.latency.total.p99)),
        fixed(
          middle(r => r.otherLoad),
          2,
        ),
      ];
      return [row];
    }),
  );
  return {
    title: "The generators' own part (ms): the observers' figures are the ones reported",
    columns: [
      'load',
      'contender',
      'observers’ loop',
      'read delay p99',
      'turn p99',
      'bulk’s loop',
      'its read delay p99',
      'p99 as it saw it',
      'all else, cores',
    ],
    rows,
  };
}

function idleTable(idle: readonly IdleRound[]): Table {
  const row = (name: string, pick: (round: IdleRound) => LatencyReport): string[] => [
    name,
    ...PERCENTILES.map(percentile => millis(median(idle.map(round => pick(round)[percentile])))),
  ];
  return {
    title: `One client, idle system: ${IDLE_UPDATES_PER_SECOND} updates/s, ms`,
    columns: ['', ...PERCENTILES],
    rows: [row(SUBJECT, round => round.millrace), row('bare NATS subscriber', round => round.bareSubscriber)],
  };
}

function goalsOf({ contenders }: LatencySettings, rounds: readonly LatencyRound[]): Goal[] {
  const subject = roundsOf(rounds, SUBJECT, GOAL_LOAD);
  if (subject.length === 0) return [];
  const goals: Goal[] = [];
  const rate = count(median(subject.map(r => r.deliveriesPerSecond)));
  for (const peer of contenders.filter(name => name !== SUBJECT)) {
    const most = peer === REFERENCE ? RATIO_TO_RELAY_MAX : RATIO_TO_PEERS_MAX;
    for (const figure of ['p50', 'p99'] as const) {
      const ratios = spreadOf(ratiosOf(rounds, peer, GOAL_LOAD, figure));
      const text = `${figure} at ${rate} deliveries/s at most ${most}x of ${peer}: ${spread(ratios, v => fixed(v, 2))}`;
      goals.push({ row: 'R52', text, measured: ratios.median, met: ratios.median <= most });
    }
  }
  const p99 = median(subject.map(r => r.observers.latency.total.p99));
  const text = `p99 at ${rate} deliveries/s under ${P99_MICROS_MAX / 1000} ms: ${millis(p99)} ms`;
  return [...goals, { row: 'R52', text, measured: p99, met: p99 < P99_MICROS_MAX }];
}

function idleGoals(idle: readonly IdleRound[]): Goal[] {
  if (idle.length === 0) return [];
  const ratios = spreadOf(idle.map(round => round.millrace.p50 / round.bareSubscriber.p50));
  const text = `one idle client: p50 at most ${RATIO_TO_SUBSCRIBER_MAX}x of a bare NATS subscriber: ${spread(ratios, v => fixed(v, 2))}`;
  return [{ row: 'R52', text, measured: ratios.median, met: ratios.median <= RATIO_TO_SUBSCRIBER_MAX }];
}

function metricsOf(
  { contenders }: LatencySettings,
  loads: readonly Load[],
  rounds: readonly LatencyRound[],
  idle: readonly IdleRound[],
): Metric[] {
  const absolute = loads.flatMap(load =>
    contenders.flatMap(contender =>
      (['p50', 'p99'] as const).map((figure): Metric => {
        const of = roundsOf(rounds, contender, load.name);
        const samples = of.map(r => r.observers.latency.total[figure] / 1000);
        return { name: `${contender} ${figure} at ${load.name}`, unit: 'ms', better: 'lower', samples };
      }),
    ),
  );
  const ratios = loads.flatMap(load =>
    contenders
      .filter(name => name !== SUBJECT && contenders.includes(SUBJECT))
      .flatMap(peer =>
        (['p50', 'p99'] as const).map((figure): Metric => {
          const samples = ratiosOf(rounds, peer, load.name, figure);
          return { name: `ratio ${SUBJECT}/${peer} ${figure} at ${load.name}`, unit: '', better: 'lower', samples };
        }),
      ),
  );
  const idleRatio: Metric = {
    name: `ratio ${SUBJECT}/bare subscriber p50, idle`,
    unit: '',
    better: 'lower',
    samples: idle.map(round => round.millrace.p50 / round.bareSubscriber.p50),
  };
  return [...absolute, ...ratios, ...(idle.length === 0 ? [] : [idleRatio])];
}

/** Millrace against a peer in the same round, round by round. */
function ratiosOf(rounds: readonly LatencyRound[], peer: string, load: string, figure: 'p50' | 'p99'): number[] {
  return roundsOf(rounds, SUBJECT, load).flatMap(subject => {
    const other = roundsOf(rounds, peer, load).find(({ round }) => round === subject.round);
    if (other === undefined) return [];
    return [subject.observers.latency.total[figure] / other.observers.latency.total[figure]];
  });
}

function roundsOf(rounds: readonly LatencyRound[], contender: string, load: string): LatencyRound[] {
  return rounds.filter(round => round.contender === contender && round.load === load);
}

function millis(micros: number): string {
  return fixed(micros / 1000, micros < 10_000 ? 2 : 1);
}
