/**
 * What a scrape of `/metrics` costs: its time, its CPU and its length, with few topics, with 10,000, and with thousands
 * of connections besides.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { symbolAt } from '../fanout/layout.js';
import { Children } from '../harness/children.js';
import { sampleCpu } from '../harness/cpu.js';
import { type Gateway, startGateway } from '../harness/gateway.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import { LoadGenerator } from '../load/load-generator.js';
import { count, fixed } from '../report/figures.js';
import type { SuiteReport } from '../report/report.js';
import { median } from '../report/statistics.js';
import type { BenchOptions, Suite, SuiteContext } from '../suite.js';

interface Load {
  readonly topics: number;
  readonly connections: number;
}

export interface ScrapeRound extends Load {
  /** Lines that are no comments, and the length of the text. */
  readonly series: number;
  readonly bytes: number;
  /** Of each scrape. */
  readonly times: readonly number[];
  /** Beyond what the gateway uses without scrapes. */
  readonly cpuMs: number;
}

const FULL = { rounds: 3, loads: [[100, 20], [10_000, 20], [10_000, 5_000]], scrapes: 100, quietMs: 2_000 } as const; // biome-ignore format: one line
const QUICK = { rounds: 1, loads: [[10, 2], [200, 4]], scrapes: 5, quietMs: 200 } as const; // biome-ignore format: one line
/** Connections that follow the topics, an equal part each; the others follow none. */
const FOLLOWERS = 20;
/** A scrape is one of many small things that a gateway does: it runs on, but slowly. */
const UPDATES_PER_SECOND = '200';
/** How often Prometheus scrapes by default. */
const SCRAPE_INTERVAL_MS = 15_000;
const P99 = 0.99;

export const scrape: Suite = {
  name: 'scrape',
  summary: 'what a scrape of /metrics costs, at 10,000 topics too (R60)',
  run: runScrape,
};

async function runScrape({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const settings = settingsOf(options);
  const rounds: ScrapeRound[] = [];
  for (let round = 1; round <= settings.rounds; round++) {
    for (const [topics, connections] of settings.loads) {
      progress(`round ${round} of ${settings.rounds}: ${topics} topics, ${connections} connections`);
      const children = new Children(signal);
      try {
        rounds.push(await runRound(children, settings, { topics, connections }));
      } finally {
        await children.endAll();
      }
    }
  }
  return report(settings, rounds);
}

type Settings = ReturnType<typeof settingsOf>;

async function runRound(children: Children, settings: Settings, load: Load): Promise<ScrapeRound> {
  const secret = newSecret();
  const gateway = await startGateway(children, {
    FEED: 'simulator',
    SYMBOLS: symbolsOf(0, load.topics).join(','),
    SIM_RATE: UPDATES_PER_SECOND,
    AUTH_JWT_SECRET: secret,
    WORKERS: settings.workers,
    ENCODERS: settings.encoders,
  });
  const generator = LoadGenerator.start(children);
  const clients = await clientsOf(load, secret);
  const plan = { host: '127.0.0.1', port: gateway.port, clients, awaitFirstFrame: false };
  await gateway.child.during(generator.connect(plan));
  return await gateway.child.during(measure(gateway, settings, load));
}

async function measure(gateway: Gateway, { scrapes, quietMs }: Settings, load: Load): Promise<ScrapeRound> {
  const url = `http://127.0.0.1:${gateway.adminPort}/metrics`;
  const { pid } = gateway.child;
  // The first ones compile.
  for (let i = 0; i < scrapes; i++) await textOf(url);
  const quiet = sampleCpu(pid);
  await sleep(quietMs);
  const before = sampleCpu(pid);
  const times: number[] = [];
  let text = '';
  for (let i = 0; i < scrapes; i++) {
    const startedMs = performance.now();
    text = await textOf(url);
    times.push(performance.now() - startedMs);
  }
  const after = sampleCpu(pid);
  const quietShare = (before.seconds - quiet.seconds) / (before.atMs - quiet.atMs);
  const cpuSeconds = after.seconds - before.seconds - quietShare * (after.atMs - before.atMs);
  const series = text.split('\n').filter(line => line !== '' && !line.startsWith('#')).length;
  return { ...load, series, bytes: Buffer.byteLength(text), times, cpuMs: (cpuSeconds * 1000) / scrapes };
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`/metrics answers ${response.status}`);
  return response.text();
}

async function clientsOf({ topics, connections }: Load, secret: string): Promise<{ path: string }[]> {
  const tokens = await mintTokens(secret, connections);
  const followers = Math.min(FOLLOWERS, connections);
  const share = Math.ceil(topics / followers);
  return tokens.map((token, client) => {
    const symbols = symbolsOf(client * share, Math.min(topics, (client + 1) * share));
    return {
      path: client < followers ? `/ws/quotes?symbols=${symbols.join(',')}&token=${token}` : `/ws?token=${token}`,
    };
  });
}

const symbolsOf = (from: number, to: number): string[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, index) => symbolAt(from + index));

function settingsOf(options: BenchOptions) {
  const { rounds, ...defaults } = options.quick ? QUICK : FULL;
  return { ...defaults, rounds: options.rounds ?? rounds, workers: options.workers, encoders: options.encoders };
}

function report(settings: Settings, rounds: readonly ScrapeRound[]): SuiteReport {
  const of = ([topics, connections]: readonly [number, number]) =>
    rounds.filter(round => round.topics === topics && round.connections === connections);
  const rows = settings.loads.map(load => {
    const own = of(load);
    const cpuMs = median(own.map(round => round.cpuMs));
    return [
      ...load.map(count),
      count(median(own.map(round => round.series))),
      fixed(median(own.map(round => round.bytes)) / 1000, 1),
      fixed(median(own.map(({ times }) => median(times))), 1),
      fixed(median(own.map(({ times }) => p99Of(times))), 1),
      fixed(cpuMs, 1),
      fixed((cpuMs / SCRAPE_INTERVAL_MS) * 100, 3),
    ];
  });
  return {
    suite: 'scrape',
    settings: { ...settings, loads: settings.loads.map(load => load.join(' topics, ')) },
    tables: [
      {
        title: `One scrape: median of ${settings.rounds} rounds of ${settings.scrapes}`,
        columns: ['topics', 'connections', 'series', 'kB', 'ms', 'p99 ms', 'CPU ms', '% of a core, each 15 s'],
        rows,
      },
    ],
    goals: [],
    metrics: settings.loads.map(load => ({
      name: `CPU of a scrape, ${load[0]} topics, ${load[1]} connections`,
      unit: 'ms',
      better: 'lower',
      samples: of(load).map(({ cpuMs }) => cpuMs),
    })),
    notes: ['one scrape follows the other: the time includes that of the reader, which shares the machine'],
    rounds,
  };
}

function p99Of(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.ceil(P99 * times.length) - 1] ?? Number.NaN;
}
