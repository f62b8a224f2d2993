/**
 * Runs the tests that need nats-server against the one that is installed (Debian's is 2.9) and a current one, which Go
 * builds into a folder of the tests' own: `npm run test:nats`, or `npm run test:nats -- test/integration/order.test.ts`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CURRENT, currentNatsServer } from './nats-current.js';
import { natsServerBinary } from './programs.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Test files that start a nats-server, or what runs on one. */
function filesWithNats(): string[] {
  const uses = /support\/(?:nats-server|live-gateway|trading-desk)\.js/;
  return readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .map(file => `test/${file.replaceAll('\\', '/')}`)
    .filter(file => file.endsWith('.test.ts') && uses.test(readFileSync(join(ROOT, file), 'utf8')))
    .sort();
}

function run(binary: string, files: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...files], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, NATS_SERVER_BIN: binary },
  });
  return new Promise(resolve => child.once('exit', code => resolve(code ?? 1)));
}

const [, , ...named] = process.argv;
const files = named.length > 0 ? named : filesWithNats();
const current = currentNatsServer();
if (current === undefined) process.stderr.write(`no nats-server ${CURRENT}: Go is missing, or could not build it\n`);
let failed = 0;
for (const binary of [natsServerBinary(), current]) {
  if (binary === undefined) continue;
  process.stderr.write(`\n${execFileSync(binary, ['--version'], { encoding: 'utf8' })}`);
  failed += (await run(binary, files)) === 0 ? 0 : 1;
}
process.exitCode = failed === 0 ? 0 : 1;
