/** Ingest: updates a second that are taken in, of many symbols for few subscribers, without loss. */
import { count, fixed, spread } from '../report/figures.js';
import type { SuiteReport, Table } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import { type BenchOptions, type Suite, type SuiteContext, UsageError } from '../suite.js';
import { type IngestRound, type IngestSettings, runIngestRound } from './round.js';

const FULL = { rounds: 5, symbols: 10_000, seconds: 8, warmupSeconds: 2 };
const QUICK = { rounds: 1, symbols: 1000, seconds: 1, warmupSeconds: 0.5 };
const WINDOW_UPDATES = 10_000;
const BATCH_UPDATES = 100;
/** With 10,000 symbols the one client wants 200. */
const SAMPLE_EVERY = 50;
const RATIO_MIN = 0.5;

export const ingest: Suite = {
  name: 'ingest',
  summary: 'updates/s taken in without loss, against a bare subscriber that parses',
  run: runIngest,
};

async function runIngest({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const settings = settingsOf(options);
  const rounds: IngestRound[] = [];
  for (let round = 1; round <= settings.rounds; round++) {
    for (const contender of ['millrace', 'bare-ingest'] as const) {
      progress(`round ${round} of ${settings.rounds}: ${contender}`);
      rounds.push(await runIngestRound(contender, round, settings, signal));
    }
  }
  return report(settings, rounds);
}

function settingsOf(options: BenchOptions): IngestSettings {
  const defaults = options.quick ? QUICK : FULL;
  const symbols = options.symbols ?? defaults.symbols;
  const batchUpdates = options.batchUpdates ?? BATCH_UPDATES;
  if (symbols % batchUpdates !== 0) {
    throw new UsageError(`--symbols ${symbols}: must be a whole number of batches (--batch ${batchUpdates})`);
  }
  return {
    rounds: options.rounds ?? defaults.rounds,
    seconds: options.seconds ?? defaults.seconds,
    warmupSeconds: options.warmupSeconds ?? defaults.warmupSeconds,
    symbols,
    sampleEvery: SAMPLE_EVERY,
    windowUpdates: Math.max(batchUpdates, options.windowUpdates ?? WINDOW_UPDATES),
    batchUpdates,
    workers: options.workers,
    encoders: options.encoders,
  };
}

const roundsOf = (rounds: readonly IngestRound[], name: IngestRound['contender']): IngestRound[] =>
  rounds.filter(({ contender }) => contender === name);

function report(settings: IngestSettings, rounds: readonly IngestRound[]): SuiteReport {
  const [subject, reference] = [roundsOf(rounds, 'millrace'), roundsOf(rounds, 'bare-ingest')];
  const ratios = subject.map((r, at) => r.updatesPerSecond / (reference[at] ?? r).updatesPerSecond);
  const losses = rounds.filter(r => r.lost !== 0 || r.skipped !== 0 || r.missing !== 0);
  return {
    suite: 'ingest',
    settings: { ...settings },
    tables: [roundsTable(settings, rounds)],
    goals: [
      {
        row: 'ingest',
        text: `at least ${RATIO_MIN} of a bare subscriber that parses each message: ${spread(spreadOf(ratios), v => fixed(v, 2))}`,
        measured: median(ratios),
        met: median(ratios) >= RATIO_MIN,
      },
      {
        row: 'ingest',
        text: `no loss: ${losses.length} rounds with any`,
        measured: losses.length,
        met: losses.length === 0,
      },
    ],
    metrics: [
      { name: 'millrace ingest', unit: '1/s', better: 'higher', samples: subject.map(r => r.updatesPerSecond) },
      { name: 'ratio millrace/bare-ingest', unit: '', better: 'higher', samples: ratios },
    ],
    notes: [
      `a closed loop: at most ${settings.windowUpdates} updates ahead of what was received; the bare subscriber reports every message, Millrace's client every ${settings.sampleEvery}th symbol's`,
    ],
    rounds,
  };
}

/** One row for each contender. */
function roundsTable(settings: IngestSettings, rounds: readonly IngestRound[]): Table {
  return {
    title: `Ingest: ${settings.symbols} symbols, median (min–max) of ${settings.rounds} rounds of ${settings.seconds} s`,
    columns: [
      'contender',
      'updates/s',
      'lost',
      'skipped',
      'server cores',
      'its busiest thread',
      '… and its demand',
      'nats-server',
      'publisher',
    ],
    rows: (['millrace', 'bare-ingest'] as const).map(name => {
      const own = roundsOf(rounds, name);
      const sum = (figure: (r: IngestRound) => number): string => count(own.reduce((all, r) => all + figure(r), 0));
      const middle = (figure: (r: IngestRound) => number): string => fixed(median(own.map(figure)), 2);
      return [
        name,
        spread(spreadOf(own.map(r => r.updatesPerSecond)), count),
        sum(r => r.lost + r.missing),
        sum(r => r.skipped),
        middle(r => r.cpu.server),
        middle(r => r.busiestServerThread),
        middle(r => r.busiestServerThreadDemand),
        middle(r => r.cpu.nats),
        middle(r => r.cpu.publisher),
      ];
    }),
  };
}
