/** The folder of one run: configurations, secrets, stores, logs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ProgramOptions } from './program.js';

export const HOST = '127.0.0.1';
const SECRET_MODE = 0o600;

/** What most programs have in common is filled in. */
type ProgramDescription = Pick<ProgramOptions, 'name' | 'command' | 'args' | 'address'> & {
  readonly env?: Readonly<Record<string, string>>;
  /** Answers 200 while the program serves. */
  readonly readyUrl: string;
};

export class Site {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** @returns the path of the file */
  write(name: string, text: string, mode?: number): string {
    const file = this.path(name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, mode === undefined ? {} : { mode });
    return file;
  }

  /** A file that only this user can read. @returns its path */
  writeSecret(name: string, text: string): string {
    return this.write(name, text, SECRET_MODE);
  }

  program({ readyUrl, env = {}, ...described }: ProgramDescription): ProgramOptions {
    return {
      ...described,
      env,
      logFile: this.write(`logs/${described.name}.log`, ''),
      isReady: async () => (await fetch(readyUrl)).ok,
    };
  }
}
