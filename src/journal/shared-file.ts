import { randomUUID } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { FILE_MODE } from './chain-files.js';

/**
 * Replaces a file that two gateways may replace at the same time, one of them during a takeover: the last one counts.
 * @throws {Error} when the disk refuses it
 */
export function replaceSharedFile(path: string, text: string): void {
  const draft = `${path}.${randomUUID()}`;
  try {
    writeFileSync(draft, text, { mode: FILE_MODE, flush: true });
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw cause;
  }
}
