/** Sequence numbers in a folder that belongs to one gateway: a file per session, replaced as a whole. */
import { access, constants, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Entries, Entry } from './entries.js';

export class FolderEntries implements Entries {
  readonly areShared = false;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws {Error} if the folder cannot be created, or written to */
  static async open(folder: string): Promise<FolderEntries> {
    await mkdir(folder, { mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw cause;
    });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return new FolderEntries(folder);
  }

  async read(key: string): Promise<Entry | undefined> {
    try {
      return { text: await readFile(this.#path(key), 'utf8'), revision: 1 };
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw cause;
    }
  }

  async write(key: string, text: string): Promise<number> {
    const path = this.#path(key);
    const temporary = `${path}.new`;
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    return 1;
  }

  async remove(key: string): Promise<boolean> {
    await rm(this.#path(key), { force: true });
    return true;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #path(key: string): string {
    return join(this.#folder, `${key}.json`);
  }
}
