import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Writes to the disk which files a folder has. @throws {Error} when the disk refuses it */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
