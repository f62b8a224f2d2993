/** Before any test: a real nats-server is found or installed (its path is in `NATS_SERVER_BIN` then), the program built. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEBIAN_BINARY = '/usr/sbin/nats-server';

export default function setup(): void {
  process.env.NATS_SERVER_BIN = findNatsServer() ?? installNatsServer();
  if (!existsSync(`${ROOT}dist/cli/main.js`))
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
}

function findNatsServer(): string | undefined {
  const named = process.env.NATS_SERVER_BIN;
  if (named !== undefined && named !== '') {
    if (!runs(named)) throw new Error(`NATS_SERVER_BIN=${named} does not run; name a nats-server binary, 2.9 or newer`);
    return named;
  }
  const folders = (process.env.PATH ?? '').split(delimiter).filter(folder => folder !== '');
  return [...folders.map(folder => join(folder, 'nats-server')), DEBIAN_BINARY].find(runs);
}

function runs(binary: string): boolean {
  return spawnSync(binary, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Debian's package, where this user may install one. */
function installNatsServer(): string {
  if (process.getuid?.() === 0 && runs('apt-get')) {
    const options = { stdio: 'inherit' as const, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
    // The package starts a service of its own on some systems; the tests use the binary alone.
    spawnSync('apt-get', ['update', '-qq'], options);
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'nats-server'], options);
    const installed = findNatsServer();
    if (installed !== undefined) return installed;
  }
  throw new Error(
    'The tests need a real nats-server (2.9 or newer), and none was found.\n' +
      '  Debian, Ubuntu:  apt-get install nats-server\n' +
      '  macOS:           brew install nats-server\n' +
      '  elsewhere:       https://github.com/nats-io/nats-server/releases, then set NATS_SERVER_BIN to its path',
  );
}
