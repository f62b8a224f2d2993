/**
 * Cold start: from the start of the process to the first message at a client, on the simulator; and the storm after one:
 * all clients subscribe within a second.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { symbolAt } from '../fanout/layout.js';
import { Children } from '../harness/children.js';
import { cpuShare, sampleCpu } from '../harness/cpu.js';
import { type Gateway, spawnGateway, startGateway } from '../harness/gateway.js';
import { processMemory } from '../harness/memory.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import type { LatencyReport } from '../load/latency-histogram.js';
import { LoadGenerator } from '../load/load-generator.js';
import { count, fixed } from '../report/figures.js';
import type { SuiteReport } from '../report/report.js';
import { median } from '../report/statistics.js';
import type { BenchOptions, Suite, SuiteContext } from '../suite.js';

export interface ColdStart {
  /** From the start of the process to a connection that was accepted, and to its first message. */
  readonly acceptedMs: number;
  readonly firstMessageMs: number;
}

export interface Storm {
  readonly clients: number;
  readonly missing: number;
  /** From the first subscribe to the last snapshot. */
  readonly allMs: number;
  readonly snapshot: LatencyReport;
  readonly residentBytes: number;
  readonly serverCpu: number;
}

const FULL = { rounds: 5, clients: 10_000 };
const QUICK = { rounds: 1, clients: 100 };
const SYMBOLS = 50;
const SYMBOLS_PER_CLIENT = 5;
const STORM_MS = 1000;
const RETRY_MS = 2;
const START_TIMEOUT_MS = 30_000;

type Settings = ReturnType<typeof settingsOf>;

export const coldStart: Suite = {
  name: 'cold-start',
  summary: 'process start to first message, and a storm of snapshots',
  run: runColdStart,
};

async function runColdStart({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const settings = settingsOf(options);
  const starts: ColdStart[] = [];
  const storms: Storm[] = [];
  for (let round = 1; round <= settings.rounds; round++) {
    progress(`round ${round} of ${settings.rounds}: cold start`);
    starts.push(await withChildren(signal, children => startOnce(children, settings)));
    progress(`round ${round} of ${settings.rounds}: ${settings.clients} clients subscribe within ${STORM_MS} ms`);
    storms.push(await withChildren(signal, children => stormOnce(children, settings)));
  }
  return report(settings, starts, storms);
}

async function startOnce(children: Children, settings: Settings): Promise<ColdStart> {
  const secret = newSecret();
  const [token = ''] = await mintTokens(secret, 1);
  const started = performance.now();
  const gateway = await spawnGateway(children, environment(settings, secret));
  const url = `ws://127.0.0.1:${gateway.port}/ws/quotes?symbols=${symbolAt(0)}&token=${token}`;
  return await gateway.child.during(firstMessage(url, started));
}

/** Tries until it is accepted and has a message. */
async function firstMessage(url: string, started: number): Promise<ColdStart> {
  for (;;) {
    const found = await new Promise<ColdStart | Error>(resolve => {
      const socket = new WebSocket(url, { perMessageDeflate: false });
      let acceptedMs = Number.NaN;
      socket.once('open', () => {
        acceptedMs = performance.now() - started;
      });
      socket.once('message', () => {
        resolve({ acceptedMs, firstMessageMs: performance.now() - started });
        socket.terminate();
      });
      socket.once('error', resolve);
      socket.once('close', code => resolve(new Error(`closed with ${code}`)));
    });
    if (!(found instanceof Error)) return found;
    if (performance.now() - started > START_TIMEOUT_MS) throw found;
    await sleep(RETRY_MS);
  }
}

async function stormOnce(children: Children, settings: Settings): Promise<Storm> {
  const secret = newSecret();
  const gateway: Gateway = await startGateway(children, environment(settings, secret));
  const tokens = await mintTokens(secret, settings.clients);
  const generator = LoadGenerator.start(children);
  const clients = tokens.map(token => ({ path: `/ws?token=${token}` }));
  await generator.connect({ host: '127.0.0.1', port: gateway.port, clients, awaitFirstFrame: false });
  const symbols = Array.from({ length: Math.min(settings.symbols, SYMBOLS_PER_CLIENT) }, (_, index) => symbolAt(index));
  const command = JSON.stringify({ action: 'subscribe', stream: 'quotes', symbols });
  const before = sampleCpu(gateway.child.pid);
  const { elapsedMs, missing, snapshot } = await gateway.child.during(generator.subscribe(command, STORM_MS));
  return {
    clients: settings.clients,
    missing,
    allMs: elapsedMs,
    snapshot,
    residentBytes: processMemory(gateway.child.pid).residentBytes,
    serverCpu: cpuShare(before, sampleCpu(gateway.child.pid)).process,
  };
}

function environment({ symbols, workers, encoders }: Settings, secret: string): Record<string, string> {
  return {
    FEED: 'simulator',
    SYMBOLS: Array.from({ length: symbols }, (_, index) => symbolAt(index)).join(','),
    AUTH_JWT_SECRET: secret,
    WORKERS: workers,
    ENCODERS: encoders,
  };
}

async function withChildren<T>(signal: AbortSignal, work: (children: Children) => Promise<T>): Promise<T> {
  const children = new Children(signal);
  try {
    return await work(children);
  } finally {
    await children.endAll();
  }
}

function settingsOf(options: BenchOptions) {
  const defaults = options.quick ? QUICK : FULL;
  return {
    rounds: options.rounds ?? defaults.rounds,
    clients: options.clients ?? defaults.clients,
    symbols: options.symbols ?? SYMBOLS,
    workers: options.workers,
    encoders: options.encoders,
  };
}

function report(settings: Settings, starts: readonly ColdStart[], storms: readonly Storm[]): SuiteReport {
  const firsts = starts.map(start => start.firstMessageMs);
  const alls = storms.map(storm => storm.allMs);
  const p99s = storms.map(storm => storm.snapshot.p99 / 1000);
  const missing = storms.reduce((sum, storm) => sum + storm.missing, 0);
  return {
    suite: 'cold-start',
    settings,
    tables: [
      {
        title: `From the start of the process, ms: median of ${settings.rounds} rounds`,
        columns: ['connection accepted', 'first message'],
        rows: [[fixed(median(starts.map(start => start.acceptedMs)), 0), fixed(median(firsts), 0)]],
      },
      {
        title: `${settings.clients} connected clients subscribe to ${Math.min(settings.symbols, SYMBOLS_PER_CLIENT)} symbols within ${STORM_MS} ms`,
        columns: [
          'all have their snapshot, ms',
          'each: p50 ms',
          'p99 ms',
          'max ms',
          'missing',
          'resident MB',
          'server cores',
        ],
        rows: [
          [
            fixed(median(alls), 0),
            fixed(median(storms.map(storm => storm.snapshot.p50)) / 1000, 2),
            fixed(median(p99s), 2),
            fixed(median(storms.map(storm => storm.snapshot.max)) / 1000, 2),
            count(missing),
            fixed(median(storms.map(storm => storm.residentBytes)) / 1e6, 1),
            fixed(median(storms.map(storm => storm.serverCpu)), 2),
          ],
        ],
      },
    ],
    goals: [
      {
        row: 'R56',
        text: `every client has its snapshot: ${missing} have none`,
        measured: missing,
        met: missing === 0,
      },
    ],
    metrics: [
      { name: 'first message after start', unit: 'ms', better: 'lower', samples: firsts },
      { name: 'snapshot storm, all', unit: 'ms', better: 'lower', samples: alls },
      { name: 'snapshot storm, p99', unit: 'ms', better: 'lower', samples: p99s },
    ],
    notes: ['the storm is over 1000 ms after it began at the earliest, as the last client subscribes then'],
    rounds: [...starts, ...storms],
  };
}
