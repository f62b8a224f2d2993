/**
 * What FIX sessions cost beside WebSockets with the same books: the CPU of the gateway at a steady rate, less what it
 * uses without clients, per message. FIX messages differ per session, so their bytes are written and sent one by one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ownFreePort } from '../../src/cli/free-port.js';
import { symbolAt } from '../fanout/layout.js';
import { Children } from '../harness/children.js';
import { sampleCpu } from '../harness/cpu.js';
import { type Gateway, startGateway } from '../harness/gateway.js';
import { valueIn } from '../harness/metrics.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import { count, fixed } from '../report/figures.js';
import type { SuiteReport } from '../report/report.js';
import { median } from '../report/statistics.js';
import type { BenchOptions, Suite, SuiteContext } from '../suite.js';
import { type BenchClients, type ClientsPlan, openFix, openWebSockets } from './clients.js';

const KINDS = ['fix', 'json', 'msgpack'] as const;
type Kind = (typeof KINDS)[number];

export interface FixRound {
  readonly kind: Kind;
  readonly clients: number;
  readonly symbols: number;
  readonly messagesPerSecond: number;
  readonly bytesPerMessage: number;
  /** Of the gateway, in all threads, per message. */
  readonly cpuMicros: number;
}

const FULL = { rounds: 3, loads: [[100, 20], [1000, 20]], seconds: 10, warmupSeconds: 3, rate: 50 } as const; // biome-ignore format: one line
const QUICK = { rounds: 1, loads: [[5, 2]], seconds: 1, warmupSeconds: 0.2, rate: 50 } as const; // biome-ignore format: one line
const DEPTH = 10;

export const fix: Suite = {
  name: 'fix',
  summary: 'FIX sessions beside WebSockets with the same books: CPU and bytes per message (R73)',
  run: runFix,
};

async function runFix({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const settings = settingsOf(options);
  const rounds: FixRound[] = [];
  for (let round = 1; round <= settings.rounds; round++) {
    for (const [clients, symbols] of settings.loads) {
      for (const kind of KINDS) {
        progress(`round ${round} of ${settings.rounds}: ${clients} clients x ${symbols} symbols, ${kind}`);
        const children = new Children(signal);
        try {
          rounds.push(await runRound(children, settings, kind, clients, symbols));
        } finally {
          await children.endAll();
        }
      }
    }
  }
  return report(settings, rounds);
}

type Settings = ReturnType<typeof settingsOf>;

async function runRound(
  children: Children,
  settings: Settings,
  kind: Kind,
  clients: number,
  symbols: number,
): Promise<FixRound> {
  const secret = newSecret();
  const fixPort = await ownFreePort('127.0.0.1');
  const gateway = await startGateway(children, {
    FEED: 'simulator',
    SYMBOLS: Array.from({ length: symbols }, (_, i) => symbolAt(i)).join(','),
    SIM_RATE: String(settings.rate),
    AUTH_JWT_SECRET: secret,
    FIX_PORT: String(fixPort),
    WORKERS: settings.workers,
    ENCODERS: settings.encoders,
  });
  const [token = ''] = await mintTokens(secret, 1);
  const idle = await cpuPerMs(gateway, settings.seconds);
  const plan: ClientsPlan = {
    port: kind === 'fix' ? fixPort : gateway.port,
    token,
    clients,
    symbols: Array.from({ length: symbols }, (_, i) => symbolAt(i)),
    depth: DEPTH,
  };
  const opened = await gateway.child.during(kind === 'fix' ? openFix(plan) : openWebSockets(plan, kind));
  try {
    await sleep(settings.warmupSeconds * 1000);
    return { kind, clients, symbols, ...(await measure(gateway, opened, kind, settings.seconds, idle)) };
  } finally {
    opened.end();
  }
}

async function measure(gateway: Gateway, opened: BenchClients, kind: Kind, seconds: number, idle: number) {
  const before = {
    messages: await sentMessages(gateway, kind),
    bytes: opened.bytes(),
    cpu: sampleCpu(gateway.child.pid),
  };
  await sleep(seconds * 1000);
  const cpu = sampleCpu(gateway.child.pid);
  const bytes = opened.bytes() - before.bytes;
  const messages = (await sentMessages(gateway, kind)) - before.messages;
  const elapsedMs = cpu.atMs - before.cpu.atMs;
  const cpuMs = (cpu.seconds - before.cpu.seconds) * 1000 - idle * elapsedMs;
  return {
    messagesPerSecond: (messages * 1000) / elapsedMs,
    bytesPerMessage: bytes / messages,
    cpuMicros: (cpuMs * 1000) / messages,
  };
}

/** CPU per ms of a gateway without clients. */
async function cpuPerMs({ child }: Gateway, seconds: number): Promise<number> {
  const before = sampleCpu(child.pid);
  await sleep(seconds * 1000);
  const after = sampleCpu(child.pid);
  return ((after.seconds - before.seconds) * 1000) / (after.atMs - before.atMs);
}

async function sentMessages({ adminPort }: Gateway, kind: Kind): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  if (kind === 'fix') return valueIn(text, 'millrace_fix_messages_total{direction="out"}') ?? 0;
  return [...text.matchAll(/^millrace_sent_messages_total\{[^}]*stream="depth"[^}]*\} (\d+)/gm)].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
}

function settingsOf(options: BenchOptions) {
  const defaults = options.quick ? QUICK : FULL;
  const { clients, symbols } = options;
  const loads: readonly (readonly [clients: number, symbols: number])[] =
    clients === undefined && symbols === undefined
      ? defaults.loads
      : [[clients ?? defaults.loads[0][0], symbols ?? defaults.loads[0][1]]];
  return {
    loads,
    rounds: options.rounds ?? defaults.rounds,
    seconds: options.seconds ?? defaults.seconds,
    warmupSeconds: options.warmupSeconds ?? defaults.warmupSeconds,
    rate: options.rate ?? defaults.rate,
    workers: options.workers,
    encoders: options.encoders,
  };
}

function report(settings: Settings, rounds: readonly FixRound[]): SuiteReport {
  const cases = settings.loads.flatMap(([clients, symbols]) => KINDS.map(kind => ({ clients, symbols, kind })));
  const of = ({ clients, symbols, kind }: (typeof cases)[number]) =>
    rounds.filter(round => round.kind === kind && round.clients === clients && round.symbols === symbols);
  return {
    suite: 'fix',
    settings: { ...settings, loads: settings.loads.map(load => load.join(' x ')), depth: DEPTH },
    tables: [
      {
        title: `Books of ${DEPTH} levels: median of ${settings.rounds} rounds of ${settings.seconds} s`,
        columns: ['clients', 'symbols', 'format', 'messages/s', 'bytes each', 'CPU µs each'],
        rows: cases.map(one => [
          count(one.clients),
          count(one.symbols),
          one.kind,
          count(Math.round(median(of(one).map(round => round.messagesPerSecond)))),
          fixed(median(of(one).map(round => round.bytesPerMessage)), 0),
          fixed(median(of(one).map(round => round.cpuMicros)), 2),
        ]),
      },
    ],
    goals: [],
    metrics: cases.map(one => ({
      name: `CPU of a message, ${one.clients} clients x ${one.symbols} symbols, ${one.kind}`,
      unit: 'µs',
      better: 'lower',
      samples: of(one).map(({ cpuMicros }) => cpuMicros),
    })),
    notes: ['the clients share the machine; only the CPU of the gateway is counted, less what it uses without clients'],
    rounds,
  };
}
