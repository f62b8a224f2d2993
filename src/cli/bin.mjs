#!/usr/bin/env node
/** What `npx millrace` runs. It is there before the first build: npx remembers a command that it has not found. */
import { existsSync } from 'node:fs';

const program = new URL('../../dist/cli/main.js', import.meta.url);
if (existsSync(program)) {
  await import(program.href);
} else {
  process.stderr.write('millrace: not built yet; run npm run build\n');
  process.exitCode = 1;
}
