/** Before any test: the guard that ends what tests leave running, also when the test run itself is killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

const PROGRAM = fileURLToPath(new URL('./guard.mjs', import.meta.url));

/** One for all projects. */
export default async function startGuard(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (!project.isRootProject()) return undefined;
  const path = join(tmpdir(), `millrace-test-guard-${process.pid}.sock`);
  // Its own process group: Ctrl-C at a terminal ends the test run, not the guard before it has done its work.
  const guard = spawn(process.execPath, [PROGRAM, path], { detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(guard, 'exit');
  const failed = ended.then(([code]) => Promise.reject(new Error(`the guard of started processes ended with ${code}`)));
  failed.catch(() => undefined);
  await Promise.race([once(guard.stdout, 'data'), failed]);
  process.env.MILLRACE_TEST_GUARD = path;
  return async () => {
    guard.stdin.end();
    await ended;
  };
}
