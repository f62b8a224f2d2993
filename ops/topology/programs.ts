/** The programs that the topology needs besides Node: where they are, and how to get them. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian's are not in every user's PATH. */
const MORE_FOLDERS = ['/usr/sbin', '/usr/local/sbin'];

/** By what they are called here: their names as commands, and Debian's package. */
const NEEDED = {
  'nats-server': { commands: ['nats-server'], package: 'nats-server' },
  haproxy: { commands: ['haproxy'], package: 'haproxy' },
  prometheus: { commands: ['prometheus'], package: 'prometheus' },
  alertmanager: { commands: ['alertmanager', 'prometheus-alertmanager'], package: 'prometheus-alertmanager' },
} as const;

export type NeededProgram = keyof typeof NEEDED;

/** @returns paths. @throws {Error} naming all that are missing, and how to get them */
export function findPrograms(): Readonly<Record<NeededProgram, string>> {
  const found = Object.entries(NEEDED).map(([name, { commands }]) => [name, pathOf(commands)] as const);
  const missing = found.filter(([, path]) => path === undefined).map(([name]) => name as NeededProgram);
  if (missing.length > 0) {
    const packages = missing.map(name => NEEDED[name].package).join(' ');
    throw new Error(
      `These programs are missing: ${missing.join(', ')}.\n` +
        `  Debian, Ubuntu:  apt-get install ${packages}\n` +
        '  elsewhere:       install them so that they are in your PATH',
    );
  }
  return Object.fromEntries(found) as Record<NeededProgram, string>;
}

function pathOf(commands: readonly string[]): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(folder => folder !== ''), ...MORE_FOLDERS];
  return commands.flatMap(command => folders.map(folder => join(folder, command))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
