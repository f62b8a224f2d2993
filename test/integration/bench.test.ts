/**
 * The benchmark itself, run tiny: that it runs, delivers everything and reports in the agreed shape; never how fast.
 * @module-tag slow
 * @module-tag bulk
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FeedBytes } from '../../bench/bytes/watch.js';
import type { RoundResult } from '../../bench/fanout/round.js';
import type { RunReport } from '../../bench/report/report.js';
import { until } from '../support/until.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RUN_TIMEOUT_MS = 120_000;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-bench-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `bench/run.ts` to its end, whatever its exit code. */
async function bench(...args: string[]): Promise<Finished> {
  const command = ['--import', 'tsx', 'bench/run.ts', ...args];
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, command, { cwd: ROOT })) };
  } catch (error) {
    const { code, stdout, stderr } = error as Finished;
    return { code, stdout, stderr };
  }
}

async function benchReport(...args: string[]): Promise<{ run: RunReport; finished: Finished }> {
  const file = join(folder, `${args[0]}.json`);
  const finished = await bench(...args, '--json', file, '--out', folder);
  expect(finished, finished.stderr).toMatchObject({ code: 0 });
  return { run: JSON.parse(readFileSync(file, 'utf8')) as RunReport, finished };
}

describe('R56: npm run bench', () => {
  it('names its suites in --help, and when asked for one that does not exist', async () => {
    const help = await bench('--help');
    expect(help.stdout).toMatch(/micro .*R56/);
    expect(help.stdout).toMatch(/http .*R56/);
    expect(help.stdout).toMatch(/fanout .*R50/);
    expect(help.stdout).toMatch(/bytes .*R7/);
    expect(help.stdout).toMatch(/latency .*R52/);
    expect(help.stdout).toMatch(/scale .*R53/);
    expect(help.stdout).toMatch(/scale-out .*R54/);
    expect(help.stdout).toMatch(/slow .*R55/);
    const unknown = await bench('fan-out');
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(
      /^no suite named fan-out; there are: micro, http, fanout, throughput, latency, .*bytes, .*regions\n$/,
    );
  });

  it('says which option cannot be', async () => {
    expect(await bench('fanout', '--only', 'nginx')).toMatchObject({
      code: 2,
      stderr:
        'no contender named nginx; there are: millrace, bare-uws-beside, bare-uws, nats-websocket, bun, gorilla, ws, socket.io\n',
    });
    expect((await bench('fanout', '--clients', '1', '--symbols', '40')).stderr).toMatch(/40 symbols, but/);
    expect((await bench('fanout', '--rounds', 'many')).stderr).toMatch(/--rounds.*whole number above 0/);
  });
});

/** Process ids of the children of `pid`. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe.runIf(process.platform === 'linux')('R56: npm run bench, interrupted', () => {
  it(
    'ends every process that it started and exits with 130',
    async () => {
      const sizes = ['--clients', '2', '--symbols', '2', '--window', '4', '--batch', '2', '--seconds', '60'];
      const run = spawn(process.execPath, ['--import', 'tsx', 'bench/run.ts', 'fanout', ...sizes], { cwd: ROOT });
      let said = '';
      run.stderr.on('data', data => {
        said += String(data);
      });
      await until(() => said.includes('round 1') && childrenOf(run.pid ?? 0).length >= 4, 30_000);
      const children = childrenOf(run.pid ?? 0);
      const exited = once(run, 'exit');
      run.kill('SIGINT');
      expect(await exited).toEqual([130, null]);
      expect(children.filter(isRunning)).toEqual([]);
    },
    RUN_TIMEOUT_MS,
  );
});

describe('R50: npm run bench -- fanout', () => {
  it(
    'delivers every owed message of both contenders, in order, and reports pairs, CPU and the ratio',
    async () => {
      const sizes = ['--clients', '12', '--symbols', '4', '--per-client', '2', '--window', '40', '--batch', '4'];
      const times = ['--rounds', '2', '--seconds', '0.5', '--warmup', '0.2', '--peers', 'millrace,bare-uws'];
      const { run, finished } = await benchReport('fanout', ...sizes, ...times, '--order');
      const [report] = run.suites;
      const rounds = report?.rounds as RoundResult[];
      expect(rounds.map(({ contender, round }) => `${contender} ${round}`)).toEqual([
        'millrace 1',
        'bare-uws 1',
        'millrace 2',
        'bare-uws 2',
      ]);
      for (const round of rounds) {
        expect(round.deliveries).toBeGreaterThan(0);
        expect(round).toMatchObject({ missing: 0, surplus: 0, lostConnections: 0, faults: [] });
        expect(round.bytesPerDelivery).toBeGreaterThan(100);
        expect(round.cpu.server).toBeGreaterThan(0);
        expect(round.generatorLoopUtilisation).toBeGreaterThan(0);
      }
      expect(rounds[0]?.order).toMatchObject({ broken: 0, firstBreak: '' });
      expect(rounds[0]?.order?.checked).toBeGreaterThan(0);
      const sizesSent = rounds.map(round => round.bytesPerDelivery);
      expect(Math.max(...sizesSent) / Math.min(...sizesSent)).toBeLessThan(1.05);
      expect(report?.goals).toEqual([expect.objectContaining({ row: 'R50', measured: expect.any(Number) })]);
      expect(report?.metrics.map(metric => metric.name)).toContain(
        '12 clients × 2 of 4 topics, json: ratio millrace/bare-uws',
      );
      expect(finished.stderr).toMatch(/round 2 of 2: bare-uws/);
      expect(readdirSync(folder)).toEqual(expect.arrayContaining(['fanout.md', 'fanout.json', 'fanout-row-1.svg']));
    },
    RUN_TIMEOUT_MS,
  );
});

/** Always here: packages of this repository, and the nats-server that every test needs. */
const PEERS_ALWAYS = ['bare-uws-beside', 'bare-uws', 'nats-websocket', 'ws', 'socket.io'];

describe('R50: npm run bench -- fanout, every peer', () => {
  const sizes = ['--clients', '8', '--symbols', '4', '--per-client', '2', '--window', '40', '--batch', '4'];
  const times = ['--rounds', '1', '--seconds', '0.2', '--warmup', '0.1'];

  function expectWhole(rounds: readonly RoundResult[]): void {
    for (const round of rounds) {
      expect(round.deliveries, round.contender).toBeGreaterThan(0);
      expect(round).toMatchObject({ missing: 0, surplus: 0, lostConnections: 0, faults: [] });
      expect(round.cpu.server, round.contender).toBeGreaterThan(0);
    }
  }

  it(
    'gets every owed message through each peer that this machine has, says which it has not, and compares runs',
    async () => {
      const peers = 'bare-uws-beside,bare-uws,nats-websocket,bun,gorilla,ws,socket.io';
      const { run, finished } = await benchReport('fanout', ...sizes, ...times, '--peers', peers);
      const [report] = run.suites;
      const rounds = report?.rounds as RoundResult[];
      const skipped = (report?.notes ?? []).filter(note => note.startsWith('SKIPPED '));
      expect(rounds.map(({ contender }) => contender)).toEqual(expect.arrayContaining(PEERS_ALWAYS));
      expect(rounds.length + skipped.length).toBe(peers.split(',').length);
      for (const note of skipped) {
        expect(note).toMatch(/^SKIPPED (bun|gorilla): no /);
        expect(finished.stderr).toContain(note);
      }
      expectWhole(rounds);

      // MessagePack, where the peer frames it in its own way; against the run before.
      const more = ['--format', 'msgpack', '--peers', 'ws,socket.io', '--compare', join(folder, 'fanout.json')];
      const again = await benchReport('fanout', ...sizes, ...times, ...more);
      expectWhole(again.run.suites[0]?.rounds as RoundResult[]);
      expect(again.finished.stdout).toMatch(/Against .*fanout\.json/);
      expect(again.finished.stdout).toMatch(/2 of 4 topics, json: bare-uws deliveries, 1\/s .* gone/);
      expect(again.finished.stdout).toMatch(/caution: fanout, setting rows/);
    },
    RUN_TIMEOUT_MS,
  );
});

describe('R51: npm run bench -- throughput', () => {
  it(
    'delivers depth deltas of 1 kB whole, through the gateway and from the peer',
    async () => {
      const sizes = ['--clients', '4', '--symbols', '2', '--window', '40', '--batch', '4'];
      const times = ['--rounds', '1', '--seconds', '0.3', '--warmup', '0.1'];
      const { run } = await benchReport('throughput', ...sizes, ...times);
      const rounds = run.suites[0]?.rounds as RoundResult[];
      expect(rounds.map(({ contender }) => contender)).toEqual(['millrace', 'bare-uws']);
      for (const round of rounds) {
        expect(round.deliveries).toBeGreaterThan(0);
        expect(round).toMatchObject({ missing: 0, surplus: 0, lostConnections: 0, faults: [] });
        expect(round.bytesPerDelivery).toBeGreaterThan(900);
        expect(round.bytesPerDelivery).toBeLessThan(1200);
      }
      expect(run.suites[0]?.goals).toEqual([expect.objectContaining({ row: 'R51' })]);
    },
    RUN_TIMEOUT_MS,
  );
});

describe('R7: npm run bench -- bytes', () => {
  it(
    'weighs the same updates as patches and as whole objects, on every feed',
    async () => {
      const { run } = await benchReport('bytes', '--symbols', '8', '--seconds', '1');
      const [report] = run.suites;
      const feeds = report?.rounds as FeedBytes[];
      expect(feeds.map(({ feed }) => feed)).toEqual(['simulator', 'simulator, busy', 'replay']);
      for (const { quotes } of feeds) {
        expect(quotes.updates).toBeGreaterThan(0);
        expect(quotes.operations).toBeGreaterThanOrEqual(quotes.updates);
        expect(quotes.ticks).toBeGreaterThan(1);
        expect(quotes.wholeLists).toBeGreaterThan(quotes.ticks * 8 * 100);
        for (const bytes of [quotes.jsonPatch, quotes.msgpackPatch, quotes.wholeObjects]) {
          expect(bytes).toBeGreaterThan(quotes.updates * 50);
        }
      }
      expect(feeds[0]?.depth.updates).toBeGreaterThan(0);
      expect(report?.goals.map(({ row }) => row)).toEqual(['R7', 'R7', 'R7', 'R7', 'R7']);
      for (const { quotes } of feeds) expect(quotes.longerThanWhole).toBe(0);
    },
    RUN_TIMEOUT_MS,
  );
});
