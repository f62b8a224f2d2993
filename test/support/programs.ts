/** Programs that the tests need and npm cannot bring: where they are, and what to do where they are not. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromiumBinary } from './chromium.js';
import { foreignPython } from './foreign/python.js';

const DEBIAN_NATS_SERVER = '/usr/sbin/nats-server';
const LIBRARIES = '/usr/lib';

interface Program {
  /** @throws {Error} saying how to get it. */
  readonly find: () => string;
  /** Debian's packages that bring it. */
  readonly packages: readonly string[];
}

const PROGRAMS: readonly Program[] = [
  { find: natsServerBinary, packages: ['nats-server'] },
  { find: chromiumBinary, packages: ['chromium'] },
  { find: faketimeLibrary, packages: ['faketime'] },
  { find: foreignPython, packages: ['python3', 'python3-websockets', 'python3-msgpack'] },
];

/**
 * Installs what is missing, where this user may: on Debian and Ubuntu, as root.
 * @throws {Error} naming everything that is missing still, and how to get it.
 */
export function requirePrograms(): void {
  const packages = PROGRAMS.filter(({ find }) => problem(find) !== undefined).flatMap(program => program.packages);
  if (packages.length > 0 && process.getuid?.() === 0 && runs('apt-get')) install(packages);
  const problems = PROGRAMS.map(({ find }) => problem(find)).filter(text => text !== undefined);
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

/**
 * `NATS_SERVER_BIN`, else from PATH, else Debian's.
 * @throws {Error} saying how to get one.
 */
export function natsServerBinary(): string {
  const named = process.env.NATS_SERVER_BIN;
  if (named !== undefined && named !== '') {
    if (runs(named)) return named;
    throw new Error(`NATS_SERVER_BIN=${named} does not run; name a nats-server binary, 2.9 or newer`);
  }
  const folders = (process.env.PATH ?? '').split(delimiter).filter(folder => folder !== '');
  const found = [...folders.map(folder => join(folder, 'nats-server')), DEBIAN_NATS_SERVER].find(runs);
  if (found !== undefined) return found;
  throw new Error(
    'The tests need a real nats-server (2.9 or newer), and none was found.\n' +
      '  Debian, Ubuntu:  apt-get install nats-server\n' +
      '  macOS:           brew install nats-server\n' +
      '  elsewhere:       https://github.com/nats-io/nats-server/releases, then set NATS_SERVER_BIN to its path',
  );
}

/**
 * `FAKETIME_LIB`, else Debian's: the library that, preloaded, gives a process a clock that a test can set.
 * @throws {Error} saying how to get it.
 */
export function faketimeLibrary(): string {
  const named = process.env.FAKETIME_LIB;
  const folders = existsSync(LIBRARIES) ? readdirSync(LIBRARIES).map(folder => join(LIBRARIES, folder)) : [];
  const candidates = [LIBRARIES, ...folders].map(folder => join(folder, 'faketime', 'libfaketime.so.1'));
  const found = (named === undefined || named === '' ? candidates : [named]).find(file => existsSync(file));
  if (found !== undefined) return found;
  throw new Error(
    'The tests need libfaketime, and it was not found.\n' +
      '  Debian, Ubuntu:  apt-get install faketime\n' +
      '  elsewhere:       https://github.com/wolfcw/libfaketime, then set FAKETIME_LIB to the path of the library',
  );
}

function install(packages: readonly string[]): void {
  const options = { stdio: 'inherit' as const, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  process.stderr.write(`installing for the tests: ${packages.join(', ')}\n`);
  spawnSync('apt-get', ['update', '-qq'], options);
  // Some of them start services on some systems; the tests use the programs alone.
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], options);
}

function problem(find: () => string): string | undefined {
  try {
    find();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function runs(binary: string): boolean {
  return spawnSync(binary, ['--version'], { stdio: 'ignore' }).status === 0;
}
