/**
 * The latency benchmark proves its own clockwork: delays that are put in on purpose must come out, with all that waited.
 * @module-tag slow
 */
import { describe, expect, it } from 'vitest';
import { type LatencyContender, relay } from '../../bench/latency/contender.js';
import type { LatencyRound } from '../../bench/latency/results.js';
import { type LoadResult, Session } from '../../bench/latency/session.js';
import { latency, underEach } from '../../bench/latency/suite.js';
import { OPTIONS } from '../support/bench-options.js';

const TIMEOUT_MS = 120_000;
const LAYOUT = { clients: 4, symbolsPerClient: 2, universe: 2 };
const PLAN = { layout: LAYOUT, shape: 'price', paddingBytes: 0, observers: 2 } as const;
const RATE = { updatesPerSecond: 200, burst: 1 };

async function measured(contender: LatencyContender, seconds: number): Promise<LoadResult> {
  const session = await Session.open(contender, PLAN, new AbortController().signal);
  try {
    return await session.load(RATE, { warmupSeconds: 0.2, seconds });
  } finally {
    await session.close();
  }
}

describe('R52: the latency benchmark', () => {
  it(
    'sees a delay of every message, and where no other part has one',
    async () => {
      const DELAY_MS = 250;
      const result = await measured(relay('bare-relay', { delayMs: DELAY_MS }), 1);
      expect(result).toMatchObject({ missing: 0, surplus: 0, lostConnections: 0, faults: [] });
      for (const { latency } of [result.observers, result.bulk]) {
        expect(latency.total.count).toBeGreaterThan(50);
        // Timers count whole milliseconds, and may be one early.
        expect(latency.total.min).toBeGreaterThan((DELAY_MS - 2) * 1000);
        expect(latency.total.p50 - latency.readDelay.p50).toBeGreaterThan((DELAY_MS - 2) * 1000);
        expect(latency.readDelay.p50).toBeLessThan((DELAY_MS / 2) * 1000);
      }
      expect(result.lateness.p50).toBeLessThan((DELAY_MS / 2) * 1000);
    },
    TIMEOUT_MS,
  );

  it(
    'counts a server’s pause for every message that waited in it, not for one',
    async () => {
      const result = await measured(relay('bare-relay', { stallMs: 400, stallEveryMs: 1000 }), 2);
      const { total } = result.observers.latency;
      // Two of five messages meet the pause, and wait half of it on average. One in flight would make two of hundreds.
      expect(total.p90).toBeGreaterThan(150_000);
      expect(total.p99).toBeGreaterThan(300_000);
      expect(total.p50).toBeLessThan(total.p90 / 2);
      expect(result).toMatchObject({ missing: 0, surplus: 0 });
    },
    TIMEOUT_MS,
  );

  it(
    'measures every server at the same load, and says which this machine cannot run',
    async () => {
      const report = await latency.run({
        options: { ...OPTIONS, clients: 6, symbols: 2, seconds: 0.5, warmupSeconds: 0.3, rate: 100 },
        progress: () => undefined,
        signal: new AbortController().signal,
      });
      const rounds = report.rounds.filter(round => 'observers' in (round as object)) as LatencyRound[];
      const names = rounds.map(({ contender }) => contender);
      const absent = report.notes.filter(note => note.startsWith('SKIPPED'));
      for (const note of absent) expect(note).toMatch(/^SKIPPED (bun|gorilla)-relay: no /);
      expect(names.length + absent.length).toBe(7);
      expect(names).toEqual(
        expect.arrayContaining(['millrace', 'bare-relay', 'nats-websocket', 'ws-relay', 'socket.io-relay']),
      );
      for (const { contender, observers, bulk, ...result } of rounds) {
        const seen = { contender, ...result };
        expect(seen).toMatchObject({ keptUp: true, missing: 0, surplus: 0, lostConnections: 0, faults: [] });
        for (const { latency } of [observers, bulk]) expect(latency.total.count).toBeGreaterThan(20);
      }
      const pauses = report.tables.find(({ title }) => title.startsWith("Pauses of Millrace's garbage collectors"));
      const allocated = pauses?.columns.indexOf('B an update') ?? -1;
      const hub = pauses?.rows.find(([, thread]) => thread === 'hub');
      expect(Number(hub?.[allocated])).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  it(
    'asks no more of a server that did not keep up, and says so',
    async () => {
      const loads = [50, 600, 2000, 100].map(updatesPerSecond => ({ name: `${updatesPerSecond}`, updatesPerSecond }));
      const asked: number[] = [];
      const results = await underEach(
        loads,
        relay('bare-relay', { busyMs: 5 }),
        PLAN,
        { warmupSeconds: 0.2, seconds: 0.5 },
        { say: ({ updatesPerSecond }) => asked.push(updatesPerSecond), signal: new AbortController().signal },
      );
      expect(asked).toEqual([50, 600, 100]);
      expect(results.map(({ load, keptUp }) => [load, keptUp])).toEqual([
        ['50', true],
        ['600', false],
        ['100', true],
      ]);
    },
    TIMEOUT_MS,
  );

  it(
    'finds the capacity, measures shares of it, and splits Millrace’s latency into stages that add up',
    async () => {
      const report = await latency.run({
        options: {
          ...OPTIONS,
          clients: 6,
          symbols: 2,
          seconds: 0.4,
          warmupSeconds: 0.2,
          only: ['millrace', 'bare-relay'],
        },
        progress: () => undefined,
        signal: new AbortController().signal,
      });
      const rounds = report.rounds.filter(round => 'observers' in (round as object)) as LatencyRound[];
      for (const name of ['millrace', 'bare-relay']) {
        const own = rounds.filter(({ contender }) => contender === name);
        expect(own.map(({ load }) => load).sort()).toEqual(['10 %', '50 %', '90 %', 'fixed']);
        const rates = own.map(round => round.updatesPerSecond);
        expect(rates).toEqual([...rates].sort((a, b) => a - b));
      }
      for (const { contender, observers, stages, ...result } of rounds) {
        expect(result).toMatchObject({ missing: 0, surplus: 0, lostConnections: 0, faults: [] });
        const { total, toServer, fromServer } = observers.latency;
        expect(total.count).toBeGreaterThan(20);
        expect([toServer.count, fromServer.count]).toEqual([total.count, total.count]);
        expect(toServer.mean + fromServer.mean).toBeCloseTo(total.mean, 0);
        expect(Math.min(toServer.min, fromServer.min)).toBeGreaterThan(-1000);
        if (contender !== 'millrace') continue;
        expect(stages?.hubToPublish.mean).toBeGreaterThan(0);
        expect(stages?.hubToPublish.mean).toBeLessThan(toServer.max);
        expect(stages?.encodeMeanOfBatch).toBeGreaterThan(0);
        expect(stages?.recordsPerBatch).toBeGreaterThanOrEqual(1);
      }
      const rateOf = (name: string) => rounds.find(({ load }) => load === name)?.updatesPerSecond ?? 0;
      expect(rateOf('90 %')).toBeGreaterThan(rateOf('10 %') * 8);
      expect(report.rounds.at(-1)).toMatchObject({ load: 'idle', bareSubscriber: { count: expect.any(Number) } });
      expect(report.goals.map(({ row }) => row)).toEqual(['R52', 'R52', 'R52', 'R52']);
    },
    TIMEOUT_MS,
  );
});
