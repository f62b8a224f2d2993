#!/usr/bin/env node
/** The command line, `millrace <command>`: one file per command. */
import { Command } from 'commander';
import { packageVersion } from '../observe/build-info.js';
import { CommandFailure, lastWords } from './failure.js';
import { note, noteLines } from './output.js';

/** Loaded on demand: the gateway runs for weeks and needs none of the other commands. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['serve', async () => (await import('./serve.js')).serveCommand()],
  ['check', async () => (await import('./check.js')).checkCommand()],
  ['tail', async () => (await import('./tail.js')).tailCommand()],
  ['fix-client', async () => (await import('./fix-client.js')).fixClientCommand()],
  ['fix-log', async () => (await import('./fix-log.js')).fixLogCommand()],
  ['publish', async () => (await import('./publish.js')).publishCommand()],
  ['token', async () => (await import('./token.js')).tokenCommand()],
  ['api-key', async () => (await import('./api-key.js')).apiKeyCommand()],
  ['revoke', async () => (await import('./revoke.js')).revokeCommand()],
  ['admin', async () => (await import('./admin.js')).adminCommand()],
  ['revocations', async () => (await import('./revocations.js')).revocationsCommand()],
  ['streams', async () => (await import('./streams.js')).streamsCommand()],
  ['journal', async () => (await import('./journal.js')).journalCommand(process.argv[3])],
  ['record', async () => (await import('./record.js')).recordCommand()],
  ['simulate', async () => (await import('./simulate.js')).simulateCommand()],
  ['surveillance', async () => (await import('./surveillance.js')).surveillanceCommand()],
  ['vectors', async () => (await import('./vectors.js')).vectorsCommand()],
  ['reference', async () => (await import('./reference.js')).referenceCommand()],
  ['asyncapi', async () => (await import('./asyncapi.js')).asyncApiCommand(packageVersion())],
]);

const program = new Command('millrace')
  .description('Market-data streaming: NATS in, ordered deltas out over WebSocket')
  .version(packageVersion())
  .addHelpText(
    'after',
    '\nSettings come from the environment; `millrace serve --help` lists them. `millrace <command> --help` shows examples.',
  );

const asked = COMMANDS.get(process.argv[2] ?? '');
// Without a known command, all of them: for the help text, or to report an unknown command.
for (const load of asked === undefined ? COMMANDS.values() : [asked]) program.addCommand(await load());
cleanErrors(program);

// `millrace tail … | head` closes our output: that is an end, not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommandFailure) note(error.message);
  else noteLines(`${lastWords(error)}\n`);
  process.exitCode = 1;
}

/** Escapes arguments in errors: they may come from outside too, for example from a script. */
function cleanErrors(command: Command): void {
  command.configureOutput({ writeErr: noteLines });
  for (const inner of command.commands) cleanErrors(inner);
}
