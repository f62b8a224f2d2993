/** How long a gateway's records must stay attributable, for commands whose own settings do not say it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceSharedFile } from '../shared-file.js';

/** In `JOURNAL_DIR`. */
export const ERASE_AFTER_FILE = 'erase-after.json';
const noted = z.object({ erase_after_ms: z.number().nonnegative() });

/** The gateway calls it at its start. */
export function noteEraseAfter(folder: string, eraseAfterMs: number): void {
  replaceSharedFile(join(folder, ERASE_AFTER_FILE), `${JSON.stringify({ erase_after_ms: eraseAfterMs })}\n`);
}

/** What the gateway noted last, ms; undefined: no gateway did. @throws {Error} when the file is damaged */
export function notedEraseAfter(folder: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, ERASE_AFTER_FILE), 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
  return noted.parse(JSON.parse(text)).erase_after_ms;
}
