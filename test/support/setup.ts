/** Before any test: the programs that the tests use are found or installed, and the gateway is built. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { natsServerBinary, requirePrograms } from './programs.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Once for all projects. */
export default function setup(project: TestProject): void {
  if (!project.isRootProject()) return;
  requirePrograms();
  process.env.NATS_SERVER_BIN = natsServerBinary();
  if (!existsSync(`${ROOT}dist/cli/main.js`))
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
}
