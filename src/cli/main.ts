#!/usr/bin/env node
/** The command line, `millrace <command>`: one file per command. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { ConfigError } from '../config/environment.js';
import { apiKeyCommand } from './api-key.js';
import { asyncApiCommand } from './asyncapi.js';
import { CommandFailure, reasonOf } from './failure.js';
import { publishCommand } from './publish.js';
import { recordCommand } from './record.js';
import { serveCommand } from './serve.js';
import { simulateCommand } from './simulate.js';
import { tailCommand } from './tail.js';
import { tokenCommand } from './token.js';

const program = new Command('millrace')
  .description('Market-data streaming: NATS in, ordered deltas out over WebSocket')
  .version(packageVersion())
  .addCommand(serveCommand())
  .addCommand(tailCommand())
  .addCommand(publishCommand())
  .addCommand(tokenCommand())
  .addCommand(apiKeyCommand())
  .addCommand(recordCommand())
  .addCommand(simulateCommand())
  .addCommand(asyncApiCommand(packageVersion()))
  .addHelpText(
    'after',
    '\nSettings come from the environment; README.md lists them. `millrace <command> --help` shows examples.',
  );

// `millrace tail … | head` closes our output: that is an end, not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

try {
  await program.parseAsync();
} catch (error) {
  const expected = error instanceof CommandFailure || error instanceof ConfigError;
  process.stderr.write(`${expected || !(error instanceof Error) ? reasonOf(error) : error.stack}\n`);
  process.exitCode = 1;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
