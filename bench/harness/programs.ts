/** Where programs are that a benchmark can use but does not need. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MissingPrerequisite } from './prerequisite.js';

const INSTALLED = fileURLToPath(new URL('../../node_modules/.bin', import.meta.url));

/** The program on PATH or in node_modules/.bin; undefined where there is none. */
export function findProgram(name: string, path: string = process.env.PATH ?? ''): string | undefined {
  const folders = [...path.split(delimiter).filter(folder => folder !== ''), INSTALLED];
  return folders.map(folder => join(folder, name)).find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @throws {MissingPrerequisite} */
export function bunProgram(): string {
  const program = findProgram('bun');
  if (program === undefined) throw new MissingPrerequisite('no `bun` on PATH or in node_modules/.bin');
  return program;
}

/** What a contender that is run by Bun prepares: nothing is built, it only has to be there. */
export async function prepareBun(): Promise<() => void> {
  bunProgram();
  return () => undefined;
}
