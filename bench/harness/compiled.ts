/**
 * Modules of the benchmark as plain JavaScript. A loader that compiles on the way detaches ArrayBuffers, which slows all typed
 * arrays of its process by a quarter (native-notes/threads.md): neither a peer nor an operation of Millrace's should pay for it.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

/** Below node_modules, so that packages are found from there. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));

let folder: string | undefined;
const known = new Map<string, string>();

/** The path of the module and all of the project's own that it imports, in one file. It must not look for files beside itself. */
export function compiled(module: URL): string {
  const entry = fileURLToPath(module);
  let file = known.get(entry);
  if (file === undefined) {
    file = join(folderOfRun(), `${known.size}.mjs`);
    buildSync({
      entryPoints: [entry],
      outfile: file,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      target: 'node20',
    });
    known.set(entry, file);
  }
  return file;
}

function folderOfRun(): string {
  if (folder === undefined) {
    mkdirSync(CACHE, { recursive: true });
    const made = mkdtempSync(join(CACHE, 'millrace-bench-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  return folder;
}
