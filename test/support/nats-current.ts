/** A current nats-server beside the one that is installed: Go builds it once, into a folder of the tests' own. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const CURRENT = 'v2.15.2';
const FOLDER = join(homedir(), '.cache', 'millrace', `nats-server-${CURRENT}`);

/** The current server; undefined where it is not there and Go cannot build it. */
export function currentNatsServer(): string | undefined {
  const binary = join(FOLDER, 'nats-server');
  if (existsSync(binary)) return binary;
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) return undefined;
  process.stderr.write(`building nats-server ${CURRENT}\n`);
  const env = { ...process.env, GOBIN: FOLDER, GOFLAGS: '' };
  const { status } = spawnSync('go', ['install', `github.com/nats-io/nats-server/v2@${CURRENT}`], {
    stdio: 'inherit',
    env,
  });
  return status === 0 ? binary : undefined;
}
