/**
 * What a test starts ends with it, however it ends: see test/support/processes.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.js';

const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const CONFIG = fileURLToPath(new URL('../support/left-behind/vitest.config.ts', import.meta.url));
const START_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 30_000;
/** Longer than any of this takes. */
const NEVER_MS = 600_000;

interface Started {
  readonly nats: number;
  readonly gateway: number;
  readonly worker: number;
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-left-behind-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the fixture until its test has started its processes. @param timeoutMs of that test */
async function runFixture(
  name: string,
  timeoutMs: number,
): Promise<{ run: ChildProcess; exited: Promise<unknown[]>; started: Started }> {
  const file = join(folder, name);
  const env = { ...process.env, LEFT_BEHIND: file, LEFT_BEHIND_TIMEOUT_MS: String(timeoutMs) };
  const run = spawn(process.execPath, [VITEST, 'run', '--config', CONFIG], { env, stdio: 'ignore' });
  const exited = once(run, 'exit');
  await until(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('}'), START_TIMEOUT_MS, 'both are started');
  return { run, exited, started: JSON.parse(readFileSync(file, 'utf8')) as Started };
}

const living = (started: Started) => Object.entries(started).filter(([, pid]) => isAlive(pid));

/** A process that ended and waits for its parent to notice is not alive. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

it('R47 a test that times out leaves no process behind', { timeout: START_TIMEOUT_MS + END_TIMEOUT_MS }, async () => {
  const { exited, started } = await runFixture('times-out', 100);
  expect((await exited)[0]).toBe(1);
  // What is killed takes a moment to end.
  await until(() => living(started).length === 0, END_TIMEOUT_MS, 'all have ended');
});

it.each([
  ['test run', ({ run }) => run.pid],
  ['worker', ({ started }) => started.worker],
] satisfies [string, (of: { run: ChildProcess; started: Started }) => number | undefined][])(
  'R47 a %s that is killed leaves no process behind',
  { timeout: START_TIMEOUT_MS + END_TIMEOUT_MS },
  async (name, victim) => {
    const { run, started } = await runFixture(name, NEVER_MS);
    expect(living(started)).toHaveLength(3);
    process.kill(victim({ run, started }) ?? 0, 'SIGKILL');
    await until(() => living(started).length === 0, END_TIMEOUT_MS, 'all have ended');
    run.kill('SIGKILL');
  },
);
