/**
 * Regions: how long a message takes from a publisher in one region to clients in each, with a way of 40 ms between any two,
 * over core NATS and over JetStream. R68.
 */
import { Children } from '../harness/children.js';
import { count, fixed, spread } from '../report/figures.js';
import type { Goal, Metric, SuiteReport, Table } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import type { BenchOptions, Suite, SuiteContext } from '../suite.js';
import { type RegionsRound, type RegionsSettings, runRegionsRound, WAYS, type Way, waysTo } from './round.js';
import { SITES, type Site, World } from './world.js';

const FULL = { rounds: 3, seconds: 20, symbols: 20, tradesPerSecond: 200 };
const QUICK = { rounds: 1, seconds: 2, symbols: 5, tradesPerSecond: 50 };
/** One way, about that between London and New York. */
const DELAY_MS = 40;

export const regions: Suite = {
  name: 'regions',
  summary: 'from a publisher to clients in three regions and at an edge, 40 ms apart (R68)',
  run: runRegions,
};

async function runRegions({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const settings = settingsOf(options);
  const children = new Children(signal);
  const rounds: RegionsRound[] = [];
  progress('starting three regions and an edge');
  let world: World | undefined;
  try {
    world = await World.start(children, settings.delayMs);
    for (let round = 1; round <= settings.rounds; round++) {
      for (const way of WAYS) {
        progress(`round ${round} of ${settings.rounds}: ${way.name}`);
        rounds.push(await runRegionsRound(world, way, round, settings, signal));
      }
    }
  } finally {
    await children.endAll();
    world?.remove();
  }
  return report(settings, rounds);
}

function settingsOf(options: BenchOptions): RegionsSettings {
  const defaults = options.quick ? QUICK : FULL;
  return {
    rounds: options.rounds ?? defaults.rounds,
    seconds: options.seconds ?? defaults.seconds,
    symbols: options.symbols ?? defaults.symbols,
    tradesPerSecond: options.rate ?? defaults.tradesPerSecond,
    delayMs: DELAY_MS,
    workers: options.workers,
    encoders: options.encoders,
  };
}

function readersAt(rounds: readonly RegionsRound[], way: Way, site: Site) {
  const at = SITES.indexOf(site);
  return rounds.filter(round => round.way === way.name).flatMap(({ readers }) => readers[at] ?? []);
}

function wayTable(settings: RegionsSettings, rounds: readonly RegionsRound[], way: Way): Table {
  const { rounds: all, seconds, delayMs } = settings;
  return {
    title: `${way.name}, publisher in ${way.publisherIn}: ms to a client, median of ${all} rounds of ${seconds} s`,
    columns: ['client in', 'way', 'p50', 'p99', 'max', 'p50 beyond the way', 'trades', 'missing', 'out of order'],
    rows: SITES.map(site => {
      const readers = readersAt(rounds, way, site);
      const wayMs = waysTo(site, way) * delayMs;
      const p50 = median(readers.map(({ latency }) => latency.p50 / 1000));
      return [
        site,
        String(wayMs),
        fixed(p50, 1),
        fixed(median(readers.map(({ latency }) => latency.p99 / 1000)), 1),
        fixed(median(readers.map(({ latency }) => latency.max / 1000)), 1),
        fixed(p50 - wayMs, 1),
        count(sum(readers.map(({ latency }) => latency.count))),
        count(sum(readers.map(({ missing }) => missing))),
        count(sum(readers.map(({ outOfOrder }) => outOfOrder))),
      ];
    }),
  };
}

function report(settings: RegionsSettings, rounds: readonly RegionsRound[]): SuiteReport {
  return {
    suite: 'regions',
    settings: { ...settings },
    tables: WAYS.map(way => wayTable(settings, rounds, way)),
    goals: goalsOf(settings, rounds),
    metrics: WAYS.flatMap(way =>
      SITES.map((site): Metric => {
        const samples = readersAt(rounds, way, site).map(({ latency }) => latency.p50 / 1000);
        return { name: `${way.name}, client in ${site}: p50`, unit: 'ms', better: 'lower', samples };
      }),
    ),
    notes: [
      `${settings.delayMs} ms is the delay of one direction, put on every connection between regions and to the edge by a relay; round trips take twice that`,
      'a region is one nats-server, with TLS and the rights of ops/nats/region.conf; the stream is in eu, with one replica',
      'the way: from the publisher to the stream, if there is one, and on to the client',
    ],
    rounds,
  };
}

function goalsOf({ delayMs }: RegionsSettings, rounds: readonly RegionsRound[]): Goal[] {
  const readers = rounds.flatMap(round => round.readers);
  const lost = sum(readers.map(({ missing, brokenChains, closed }) => missing + brokenChains + (closed ? 1 : 0)));
  const disordered = sum(readers.map(({ outOfOrder }) => outOfOrder));
  const near = WAYS.flatMap(way =>
    SITES.filter(site => waysTo(site, way) === 0).flatMap(site =>
      readersAt(rounds, way, site).map(({ latency }) => latency.p50 / 1000),
    ),
  );
  return [
    { row: 'R68', text: `every client has every trade: ${count(lost)} lost`, measured: lost, met: lost === 0 },
    { row: 'R68', text: `in order: ${count(disordered)} are not`, measured: disordered, met: disordered === 0 },
    {
      row: 'R68',
      text: `clients beside publisher and stream do not wait for other regions: p50 ${spread(spreadOf(near), v => fixed(v, 1))} ms`,
      measured: median(near),
      met: median(near) < delayMs,
    },
  ];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
