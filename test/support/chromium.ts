import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Names of the program, in the order of preference. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** Where Debian's package puts it, whatever PATH is. */
const DEBIAN_BINARY = '/usr/bin/chromium';

/**
 * The browser of the tests: `CHROMIUM_BIN`, else from PATH, else Debian's.
 * @throws {Error} saying how to get one.
 */
export function chromiumBinary(): string {
  const named = process.env.CHROMIUM_BIN;
  if (named !== undefined && named !== '') {
    if (!isExecutable(named)) throw new Error(`CHROMIUM_BIN=${named} is no program`);
    return named;
  }
  const folders = (process.env.PATH ?? '').split(delimiter).filter(folder => folder !== '');
  const candidates = [...NAMES.flatMap(name => folders.map(folder => join(folder, name))), DEBIAN_BINARY];
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    'The tests of pages need Chromium or Chrome, and none was found.\n' +
      '  Debian, Ubuntu:  apt-get install chromium\n' +
      '  elsewhere:       install Chrome, then set CHROMIUM_BIN to its path',
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
