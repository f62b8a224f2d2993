/** Before any test: the programs that the tests use are found or installed, and the programs that tests start are built. */
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { natsServerBinary, requirePrograms } from './programs.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Once for all projects. */
export default function setup(project: TestProject): void {
  if (!project.isRootProject()) return;
  requirePrograms();
  process.env.NATS_SERVER_BIN = natsServerBinary();
  if (isStale()) execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
}

/** Whether a source file has changed since the last build. */
function isStale(): boolean {
  const builtMs = statSync(join(ROOT, 'dist/cli/main.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).some(
    file => statSync(join(ROOT, 'src', file)).mtimeMs > builtMs,
  );
}
