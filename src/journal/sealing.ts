/** Compresses complete segments. */
import { createReadStream, createWriteStream, renameSync, rmSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { FILE_MODE } from './chain-files.js';
import { listSegments } from './segments.js';
import { syncFolder } from './sync-folder.js';

const DRAFT = 'sealing.new';

/** @param before number of the segment that is being written. @throws {Error} when the disk refuses it; the rest can be tried again */
export async function sealSegments(folder: string, before: number): Promise<void> {
  for (const { number, path, isSealed } of listSegments(folder)) {
    if (!isSealed && number < before) await compress(path);
  }
}

async function compress(path: string): Promise<void> {
  // Its name is not that of a segment: whoever reads the folder passes it over.
  const draft = join(dirname(path), DRAFT);
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(draft, { mode: FILE_MODE, flush: true }));
    renameSync(draft, `${path}.gz`);
  } catch (cause) {
    // On a full disk, the journal needs its room.
    rmSync(draft, { force: true });
    throw cause;
  }
  syncFolder(dirname(path));
  unlinkSync(path);
}
