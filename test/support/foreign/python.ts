import { spawnSync } from 'node:child_process';

/** Debian's packages belong to its own Python, which need not be the first in PATH. */
const CANDIDATES = ['python3', '/usr/bin/python3'];

/**
 * A Python that has `websockets` and `msgpack`: `PYTHON_BIN`, else from PATH, else Debian's.
 * @throws {Error} saying how to get one.
 */
export function foreignPython(): string {
  const named = process.env.PYTHON_BIN ?? '';
  const found = (named === '' ? CANDIDATES : [named]).find(hasModules);
  if (found !== undefined) return found;
  throw new Error(
    `The tests of Python clients need Python 3 with websockets and msgpack, and ${named || 'none'} has them.\n` +
      '  Debian, Ubuntu:  apt-get install python3-websockets python3-msgpack\n' +
      '  elsewhere:       pip install websockets msgpack, then set PYTHON_BIN to that Python',
  );
}

function hasModules(python: string): boolean {
  return spawnSync(python, ['-c', 'import websockets, msgpack'], { stdio: 'ignore' }).status === 0;
}
