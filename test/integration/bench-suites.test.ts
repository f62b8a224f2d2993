/**
 * The suites beside fanout and latency, run tiny: that they deliver, notice what is wrong and report; never how fast.
 * @module-tag slow
 */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type AttackResult, PHASES } from '../../bench/attack/results.js';
import { attack } from '../../bench/attack/suite.js';
import { type ChurnRound, churn } from '../../bench/churn/suite.js';
import { type ColdStart, coldStart, type Storm } from '../../bench/cold-start/suite.js';
import type { MessageCost } from '../../bench/cost/meter.js';
import { cost } from '../../bench/cost/suite.js';
import { type FixRound, fix } from '../../bench/fix/suite.js';
import { type HttpRound, http } from '../../bench/http/suite.js';
import type { IngestRound } from '../../bench/ingest/round.js';
import { ingest } from '../../bench/ingest/suite.js';
import { type MicroRound, micro } from '../../bench/micro/suite.js';
import { asMarkdown, describeMachine, type SuiteReport } from '../../bench/report/report.js';
import { scaleOut } from '../../bench/scale/out.js';
import type { ScaleRound } from '../../bench/scale/round.js';
import { scale } from '../../bench/scale/suite.js';
import { type Sweep, scaleSweep } from '../../bench/scale/sweep.js';
import { type ScrapeRound, scrape } from '../../bench/scrape/suite.js';
import { type SlowRound, slow } from '../../bench/slow/suite.js';
import { READ_BYTES_PER_SECOND, type SlowLinkRound } from '../../bench/slow-link/round.js';
import { slowLink } from '../../bench/slow-link/suite.js';
import { type BenchOptions, type Suite, UsageError } from '../../bench/suite.js';
import { OPTIONS } from '../support/bench-options.js';

const TIMEOUT_MS = 120_000;

async function run(suite: Suite, options: Partial<BenchOptions>): Promise<SuiteReport> {
  const signal = new AbortController().signal;
  const report = await suite.run({ options: { ...OPTIONS, ...options }, progress: () => undefined, signal });
  expect(report.suite).toBe(suite.name);
  const markdown = asMarkdown(report, { startedAt: '', machine: describeMachine() });
  for (const { title } of report.tables) expect(markdown).toContain(title);
  return report;
}

const whole = { missing: 0, surplus: 0, lostConnections: 0, faults: [] };

describe('R55: npm run bench -- slow', () => {
  it(
    'stalls a tenth until the gateway has suspended them, and the others get everything',
    async () => {
      const report = await run(slow, { seconds: 0.5 });
      const [none, stalled] = report.rounds as SlowRound[];
      expect(none).toMatchObject({ contender: 'none stalled', stalledClients: 0, suspended: 0, ...whole });
      expect(stalled).toMatchObject({ contender: 'stalled', stalledClients: 1, surplus: 0 });
      expect(stalled?.suspended).toBeGreaterThanOrEqual(1);
      // It counts from the intended time, so those of one observer are as many as were published.
      expect(stalled?.observers.latency.total.count).toBeGreaterThan(50);
      expect(stalled?.missing).toBeGreaterThan(0);
      expect(report.goals.map(({ row }) => row)).toEqual(['R55', 'R55']);
    },
    TIMEOUT_MS,
  );
});

describe('R16 R59: npm run bench -- slow-link', () => {
  it(
    'measures the age of prices at each reader, with the limit on unsent bytes and without, and what that costs',
    async () => {
      const report = await run(slowLink, { seconds: 2 });
      const rounds = report.rounds.filter((round): round is SlowLinkRound => 'readers' in (round as object));
      expect(rounds.map(({ contender }) => contender)).toEqual(['64 KiB unsent', 'kernel’s default']);
      for (const { readers } of rounds) {
        expect(readers).toHaveLength(READ_BYTES_PER_SECOND.length);
        for (const [at, reader] of readers.entries()) {
          expect(reader.prices).toBeGreaterThan(0);
          expect(reader.max).toBeGreaterThanOrEqual(reader.p50);
          // None read more than it may: with a little more for the clocks.
          expect(reader.bytesPerSecond).toBeLessThan(1.5 * (READ_BYTES_PER_SECOND[at] ?? Number.POSITIVE_INFINITY));
          expect(reader.closed).toBeUndefined();
        }
      }
      expect(report.goals.map(({ row }) => row)).toEqual(['R59', 'R16', 'R16', 'R59', 'R59', 'R59']);
    },
    2 * TIMEOUT_MS,
  );
});

describe('R49: npm run bench -- churn', () => {
  it(
    'opens and ends connections beside steady clients that miss nothing',
    async () => {
      const report = await run(churn, { clients: 6, seconds: 0.6, warmupSeconds: 0.2 });
      const [quiet, churning] = report.rounds as ChurnRound[];
      expect(quiet).toMatchObject({ contender: 'quiet', ...whole });
      expect(churning).toMatchObject({ contender: 'churning', ...whole, churn: { failed: 0, firstFailure: '' } });
      expect(churning?.churn?.opened).toBeGreaterThan(10);
      expect(churning?.churn?.upgrade.count).toBe(churning?.churn?.opened);
    },
    TIMEOUT_MS,
  );
});

describe('R40a, R41: npm run bench -- attack', () => {
  it(
    'attacks the gateway and a server that does nothing in turn, beside clients that miss nothing',
    async () => {
      const report = await run(attack, { only: ['come and go', 'auth with'], seconds: 1 });
      const results = report.rounds as AttackResult[];
      expect(results.map(({ attack: title }) => title)).toEqual([
        'J8 connections that come and go (retail)',
        'R41 auth with wrong tokens (anonymous)',
      ]);
      for (const { rounds, ended } of results) {
        expect(ended).toBeUndefined();
        expect(rounds).toHaveLength(1);
        expect(rounds[0]?.map(({ phase }) => phase)).toEqual(PHASES);
        for (const stretch of rounds[0] ?? []) {
          expect(stretch).toMatchObject({ missing: 0, surplus: 0, cutOff: 0, newcomers: { notServed: 0 } });
          expect(stretch.observers.latency.total.count).toBeGreaterThan(20);
          const isBeside = stretch.phase === 'attacked' || stretch.phase === 'null server';
          expect(stretch.attack === undefined).toBe(!isBeside);
          if (stretch.attack !== undefined) expect(stretch.attack.sent + stretch.attack.opened).toBeGreaterThan(0);
        }
      }
      expect(report.goals.map(({ row }) => row)).toEqual(['R40a', 'R40a', 'R41', 'R41', 'R40a']);
      await expect(run(attack, { only: ['nothing of the kind'] })).rejects.toThrow(UsageError);
      await expect(run(attack, { clients: 1 })).rejects.toThrow(UsageError);
    },
    TIMEOUT_MS,
  );
});

describe('R40a: npm run bench -- cost', () => {
  it(
    'measures what a message costs each thread, and its bytes',
    async () => {
      const report = await run(cost, { only: ['ping', 'resync of 1 quote'], seconds: 0.3 });
      const costs = report.rounds as MessageCost[];
      const ping = costs.find(({ name }) => name === 'ping');
      expect(ping?.messages).toBeGreaterThan(10);
      expect(ping).toMatchObject({ isCharged: false, bytesIn: 23 });
      for (const { messages, micros, busiestMicros, bytesOut, isCharged } of costs) {
        expect(micros).toBeGreaterThanOrEqual(busiestMicros);
        // Too many WebSocket pings are answered by the end: two messages may cost less than the rest of the gateway.
        if (messages >= 10) expect(busiestMicros).toBeGreaterThan(0);
        if (!isCharged) expect(bytesOut).toBeGreaterThan(0);
      }
      expect(report.goals.map(({ row }) => row)).toEqual(['R40a']);
    },
    TIMEOUT_MS,
  );
});

describe('R56: npm run bench -- cold-start', () => {
  it(
    'times the first message of a process, and a storm in which every client gets its snapshot',
    async () => {
      const report = await run(coldStart, { clients: 40 });
      const [start, storm] = report.rounds as [ColdStart, Storm];
      expect(start.acceptedMs).toBeGreaterThan(0);
      expect(start.firstMessageMs).toBeGreaterThanOrEqual(start.acceptedMs);
      expect(storm).toMatchObject({ clients: 40, missing: 0, snapshot: { count: 40 } });
      expect(storm.allMs).toBeGreaterThan(900);
    },
    TIMEOUT_MS,
  );
});

describe('R60: npm run bench -- scrape', () => {
  it(
    'scrapes as often as it says, with each load',
    async () => {
      const report = await run(scrape, {});
      const rounds = report.rounds as ScrapeRound[];
      expect(rounds.map(({ topics, connections }) => [topics, connections])).toEqual([[10, 2], [200, 4]]); // biome-ignore format: one line
      for (const { series, bytes, times } of rounds) {
        expect(series).toBeGreaterThan(500);
        expect(bytes).toBeGreaterThan(series);
        expect(times).toHaveLength(5);
      }
    },
    TIMEOUT_MS,
  );
});

describe('R56: npm run bench -- ingest', () => {
  it(
    'takes in every update, of Millrace and of the bare subscriber',
    async () => {
      const report = await run(ingest, { symbols: 200, seconds: 0.4, warmupSeconds: 0.2, windowUpdates: 500 });
      const rounds = report.rounds as IngestRound[];
      expect(rounds.map(({ contender }) => contender)).toEqual(['millrace', 'bare-ingest']);
      for (const round of rounds) {
        expect(round).toMatchObject({ lost: 0, skipped: 0, missing: 0 });
        expect(round.updatesPerSecond).toBeGreaterThan(0);
        expect(round.cpu.server).toBeGreaterThan(0);
      }
      await expect(run(ingest, { symbols: 150 })).rejects.toThrow(UsageError);
    },
    TIMEOUT_MS,
  );
});

describe('R53, R54: npm run bench -- scale, scale-out, scale-sweep', () => {
  const everything = { missing: 0, lostConnections: 0, faults: [] };

  it(
    'serves a crowd in one process, and weighs it',
    async () => {
      const report = await run(scale, { clients: 60, seconds: 1 });
      const [round] = report.rounds as ScaleRound[];
      // Two bursts: 5 symbols of each client, twice.
      expect(round).toMatchObject({ connections: 60, deliveries: 600, upgrade: { count: 60 }, ...everything });
      expect(round?.residentAfter[0]).toBeGreaterThan(10e6);
      expect(round?.privateAfter[0]).toBeLessThan(round?.residentAfter[0] ?? 0);
      expect(round?.latency.count).toBe(60);
      expect(report.goals.map(({ row }) => row)).toEqual(['R53', 'R53', 'R53', 'R53']);
    },
    TIMEOUT_MS,
  );

  it(
    'serves a crowd at two gateways that one NATS joins, and refuses more than a process can open',
    async () => {
      const report = await run(scaleOut, { clients: 60, seconds: 0.5 });
      const [round] = report.rounds as ScaleRound[];
      expect(round).toMatchObject({ connections: 60, deliveries: 300, ...everything });
      expect(round?.residentAfter).toHaveLength(2);
      expect(report.goals).toEqual([expect.objectContaining({ row: 'R54', met: true })]);
      await expect(run(scaleOut, { clients: 100_000, gateways: 2 })).rejects.toThrow(/use more --gateways/);
    },
    TIMEOUT_MS,
  );

  it(
    'fits lines through points of connections, subscriptions and symbols',
    async () => {
      const sweeps = (await run(scaleSweep, {})).rounds as Sweep[];
      expect(sweeps.map(({ name, points }) => `${name} ${points.length}`)).toEqual([
        'connections 2',
        'subscriptions 2',
        'symbols 2',
      ]);
      for (const { points, line } of sweeps) {
        expect(Math.min(...points.map(point => point.residentBytes))).toBeGreaterThan(10e6);
        expect(Number.isFinite(line.slope)).toBe(true);
      }
    },
    TIMEOUT_MS,
  );
});

describe('R56: npm run bench -- micro', () => {
  it('measures every operation of the budgets, and no other', async () => {
    const report = await run(micro, {});
    const budgets = JSON.parse(await readFile('bench/budgets.json', 'utf8')) as object;
    const rounds = report.rounds as MicroRound[];
    expect(rounds.map(({ name }) => name).sort()).toEqual(Object.keys(budgets).sort());
    for (const { nanos, referenceNanos } of rounds) expect(Math.min(nanos, referenceNanos)).toBeGreaterThan(0);
    expect(report.goals).toHaveLength(rounds.length);
  });
});

describe('R56: npm run bench -- http', () => {
  it(
    'asks every page beside clients that miss nothing',
    async () => {
      const report = await run(http, { seconds: 1 });
      const rounds = report.rounds as HttpRound[];
      const traffics = rounds.map(({ traffic }) => traffic).sort();
      expect(traffics).toEqual(['/api/v1/stats', '/healthz', '/metrics', 'none', 'upgrades']);
      for (const round of rounds) expect(round).toMatchObject({ ...whole, failed: 0 });
      for (const { traffic, answered } of rounds) expect(answered > 0).toBe(traffic !== 'none');
    },
    TIMEOUT_MS,
  );
});

describe('R73: npm run bench -- fix', () => {
  it(
    'sends FIX sessions and WebSockets the same books',
    async () => {
      const report = await run(fix, { quick: true });
      const rounds = report.rounds as FixRound[];
      expect(rounds.map(({ kind }) => kind)).toEqual(['fix', 'json', 'msgpack']);
      for (const { messagesPerSecond, bytesPerMessage } of rounds) {
        expect(messagesPerSecond).toBeGreaterThan(0);
        expect(bytesPerMessage).toBeGreaterThan(50);
      }
    },
    TIMEOUT_MS,
  );
});
