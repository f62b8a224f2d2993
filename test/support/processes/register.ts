/**
 * In each test worker: registers every process that it starts with the guard, whoever starts it (a helper, a benchmark's harness,
 * Playwright), and ends those that still run when the test file ends.
 */

import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { afterAll, afterEach } from 'vitest';
import { testEnded } from '../evidence.js';

const CHANNEL = 'child_process';

const path = process.env.MILLRACE_TEST_GUARD;
if (path === undefined) throw new Error('the guard of started processes is missing: run tests with vitest.config.ts');
const guard = createConnection(path);
await once(guard, 'connect');
guard.unref();
// The guard ends with the test run, sometimes before the last worker.
guard.on('error', () => undefined);
guard.write(`worker ${process.pid}\n`);

const running = new Set<ChildProcess>();

const register = (message: unknown): void => {
  const child = (message as { readonly process: ChildProcess }).process;
  // Published before the process has its id.
  process.nextTick(() => {
    if (child.pid === undefined) return;
    guard.write(`started ${child.pid}\n`);
    running.add(child);
    child.once('exit', () => {
      running.delete(child);
      if (guard.writable) guard.write(`ended ${child.pid}\n`);
    });
  });
};
subscribe(CHANNEL, register);

// Registered before the hooks of the file, so both run after them.
afterEach(({ task }) => testEnded(task.result?.state === 'fail' ? task.name : undefined));
afterAll(async () => {
  unsubscribe(CHANNEL, register);
  const exits = [...running].map(child => once(child, 'exit'));
  // The guard ends whatever belongs to a connection that closes.
  guard.end();
  await Promise.all(exits);
});
