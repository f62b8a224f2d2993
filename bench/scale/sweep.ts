/** How a gateway's memory grows with connections, subscriptions and symbols: points, and lines fitted to them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { symbolAt } from '../fanout/layout.js';
import { quoteAt } from '../fanout/ticks.js';
import { Children } from '../harness/children.js';
import { type Gateway, startGateway } from '../harness/gateway.js';
import { kernelMemory, processMemory } from '../harness/memory.js';
import { startNatsServer } from '../harness/nats-server.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import { LoadGenerator } from '../load/load-generator.js';
import { WireConnection, withoutHeader } from '../open-loop/nats-wire.js';
import { fixed } from '../report/figures.js';
import { lineChart } from '../report/line-chart.js';
import type { Plot, SuiteReport } from '../report/report.js';
import type { BenchOptions, Suite, SuiteContext } from '../suite.js';
import { fitLine, type Line } from './fit.js';

/** One gateway, freshly started: so many of each. */
interface Size {
  readonly connections: number;
  readonly symbolsPerConnection: number;
  readonly symbols: number;
}

interface SweepPoint extends Size {
  readonly residentBytes: number;
  readonly privateBytes: number;
  /** Grown since before the clients connected; both ends of the connections. */
  readonly kernelBytes: number;
}

/** One thing varied, the others held. */
export interface Sweep {
  readonly name: 'connections' | 'subscriptions' | 'symbols';
  /** `x`: how many there are of what is varied. */
  readonly points: readonly (SweepPoint & { readonly x: number })[];
  /** Bytes of resident memory by one more. */
  readonly line: Line;
  /** Bytes in the kernel by one more. */
  readonly kernelLine: Line;
}

const FULL = {
  connections: [1000, 2500, 5000, 7500, 10_000],
  subscriptions: [1, 10, 25, 50],
  symbols: [100, 2500, 5000, 10_000],
  base: { connections: 2000, symbolsPerConnection: 1, symbols: 50 },
};
const QUICK = {
  connections: [10, 60],
  subscriptions: [1, 4],
  symbols: [10, 100],
  base: { connections: 10, symbolsPerConnection: 1, symbols: 10 },
};
/** After this the garbage of connecting is mostly gone; the rest is scatter, which `r2` shows. */
const SETTLE_MS = 2000;
const QUICK_SETTLE_MS = 100;
const WRITE_BYTES_MAX = 256 * 1024;
const FEW_CONNECTIONS = 10;

export const scaleSweep: Suite = {
  name: 'scale-sweep',
  summary: 'memory by connection, subscription and symbol, fitted',
  run: runSweep,
};

async function runSweep({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const sizes = options.quick ? QUICK : FULL;
  const { base } = sizes;
  const plans: readonly { name: Sweep['name']; sizes: readonly Size[]; x: (size: Size) => number }[] = [
    {
      name: 'connections',
      sizes: sizes.connections.map(connections => ({ ...base, connections })),
      x: size => size.connections,
    },
    {
      name: 'subscriptions',
      sizes: sizes.subscriptions.map(symbolsPerConnection => ({ ...base, symbolsPerConnection })),
      x: size => size.connections * size.symbolsPerConnection,
    },
    {
      name: 'symbols',
      sizes: sizes.symbols.map(symbols => ({ ...base, connections: FEW_CONNECTIONS, symbols })),
      x: size => size.symbols,
    },
  ];
  const sweeps: Sweep[] = [];
  /** What several sweeps share is measured once. */
  const measured = new Map<string, SweepPoint>();
  for (const plan of plans) {
    const points: (SweepPoint & { x: number })[] = [];
    for (const size of plan.sizes) {
      progress(`${plan.name}: ${plan.x(size)}`);
      const key = JSON.stringify(size);
      const point = measured.get(key) ?? (await measure(size, options, signal));
      measured.set(key, point);
      points.push({ ...point, x: plan.x(size) });
    }
    const line = fitLine(points.map(({ x, residentBytes }) => ({ x, y: residentBytes })));
    const kernelLine = fitLine(points.map(({ x, kernelBytes }) => ({ x, y: kernelBytes })));
    sweeps.push({ name: plan.name, points, line, kernelLine });
  }
  return report(sweeps, options);
}

async function measure(size: Size, options: BenchOptions, signal: AbortSignal): Promise<SweepPoint> {
  const children = new Children(signal);
  try {
    const secret = newSecret();
    const nats = await startNatsServer(children);
    const gateway = await startGateway(children, {
      FEED: 'nats',
      NATS_URL: nats.url,
      AUTH_JWT_SECRET: secret,
      WORKERS: options.workers,
      ENCODERS: options.encoders,
      SYMBOLS: 'S*',
      WS_MAX_SUBSCRIPTIONS: String(Math.max(1024, size.symbolsPerConnection)),
    });
    await publishAll(nats.url, size.symbols);
    const before = kernelMemory();
    await connectAll(children, gateway, secret, size);
    await sleep(options.quick ? QUICK_SETTLE_MS : SETTLE_MS);
    const after = kernelMemory();
    const kernelBytes = after.slabBytes + after.socketBufferBytes - before.slabBytes - before.socketBufferBytes;
    const { residentBytes, privateBytes } = processMemory(gateway.child.pid);
    return { ...size, residentBytes, privateBytes, kernelBytes };
  } finally {
    await children.endAll();
  }
}

/** One quote of every symbol. */
async function publishAll(natsUrl: string, symbols: number): Promise<void> {
  const connection = await WireConnection.open(natsUrl);
  let pieces: Buffer[] = [];
  let held = 0;
  for (let index = 0; index < symbols; index++) {
    const symbol = symbolAt(index);
    const { bytes } = withoutHeader(`md.quotes.${symbol}`, JSON.stringify(quoteAt(symbol, 0, 'tick')));
    pieces.push(bytes);
    held += bytes.length;
    if (held < WRITE_BYTES_MAX && index < symbols - 1) continue;
    connection.write(Buffer.concat(pieces));
    await connection.flush();
    pieces = [];
    held = 0;
  }
  connection.end();
}

async function connectAll(children: Children, gateway: Gateway, secret: string, size: Size): Promise<void> {
  const tokens = await mintTokens(secret, size.connections);
  const generator = LoadGenerator.start(children);
  const symbolsFrom = (client: number): string =>
    Array.from({ length: size.symbolsPerConnection }, (_, i) =>
      symbolAt((client * size.symbolsPerConnection + i) % size.symbols),
    ).join(',');
  const work = generator.connect({
    host: '127.0.0.1',
    port: gateway.port,
    clients: tokens.map((token, client) => ({ path: `/ws/quotes?symbols=${symbolsFrom(client)}&token=${token}` })),
    awaitFirstFrame: true,
  });
  await gateway.child.during(work);
}

function report(sweeps: readonly Sweep[], options: BenchOptions): SuiteReport {
  return {
    suite: 'scale-sweep',
    settings: { quick: options.quick, workers: options.workers, encoders: options.encoders },
    tables: [
      {
        title: 'What one more costs (least squares)',
        columns: ['varied', 'resident B by one', 'at zero MB', 'r²', 'kernel B by one', 'r²'],
        rows: sweeps.map(({ name, line, kernelLine }) => [
          name,
          fixed(line.slope, 0),
          fixed(line.intercept / 1e6, 1),
          fixed(line.r2, 3),
          fixed(kernelLine.slope, 0),
          fixed(kernelLine.r2, 3),
        ]),
      },
      {
        title: 'Points',
        columns: ['varied', 'connections', 'symbols each', 'symbols', 'resident MB', 'private MB', 'kernel MB'],
        rows: sweeps.flatMap(({ name, points }) =>
          points.map(point => [
            name,
            String(point.connections),
            String(point.symbolsPerConnection),
            String(point.symbols),
            fixed(point.residentBytes / 1e6, 1),
            fixed(point.privateBytes / 1e6, 1),
            fixed(point.kernelBytes / 1e6, 1),
          ]),
        ),
      },
    ],
    plots: sweeps.map(plotOf),
    goals: [],
    metrics: sweeps.map(({ name, line }) => ({
      name: `resident memory by one of ${name}`,
      unit: 'B',
      better: 'lower' as const,
      samples: [line.slope],
    })),
    notes: [
      'each point is a fresh process; the kernel’s part holds both ends of the connections and what else moved its slabs',
    ],
    rounds: sweeps,
  };
}

function plotOf({ name, points, line, kernelLine }: Sweep): Plot {
  const fitted = ({ slope, intercept }: Line) => points.map(({ x }) => ({ x, y: (intercept + slope * x) / 1e6 }));
  const title = `Memory of one gateway over its ${name}`;
  const series = [
    { name: 'resident', points: points.map(({ x, residentBytes }) => ({ x, y: residentBytes / 1e6 })) },
    { name: `${fixed(line.slope, 0)} B each`, points: fitted(line), isFit: true },
    { name: 'kernel', points: points.map(({ x, kernelBytes }) => ({ x, y: kernelBytes / 1e6 })) },
    { name: `${fixed(kernelLine.slope, 0)} B each`, points: fitted(kernelLine), isFit: true },
  ];
  return { name, title, svg: lineChart({ title, xLabel: name, yLabel: 'MB', series }) };
}
