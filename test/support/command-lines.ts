/** The commands of `millrace` as documents write them, compared with those that there are. */
import type { Command } from 'commander';
import { adminCommand } from '../../src/cli/admin.js';
import { apiKeyCommand } from '../../src/cli/api-key.js';
import { checkCommand } from '../../src/cli/check.js';
import { publishCommand } from '../../src/cli/publish.js';
import { revocationsCommand } from '../../src/cli/revocations.js';
import { revokeCommand } from '../../src/cli/revoke.js';
import { serveCommand } from '../../src/cli/serve.js';
import { tailCommand } from '../../src/cli/tail.js';
import { tokenCommand } from '../../src/cli/token.js';

/** Those that operators use. */
export function millraceCommands(): readonly Command[] {
  return [
    adminCommand(),
    serveCommand(),
    checkCommand(),
    tailCommand(),
    publishCommand(),
    tokenCommand(),
    apiKeyCommand(),
    revokeCommand(),
    revocationsCommand(),
  ];
}

/** The words behind each `millrace` of a shell text, up to the end of its command. */
export function millraceLines(text: string): readonly (readonly string[])[] {
  const uses = text.matchAll(/(?:^|[;&|(]\s*)millrace +([^\n;&|)]+)/gm);
  return [...uses].map(([, rest = '']) => rest.match(/'[^']*'|"[^"]*"|\S+/g) ?? []);
}

/** What is wrong with them; undefined if nothing is. */
export function commandProblem(commands: readonly Command[], words: readonly string[]): string | undefined {
  const [name = '', ...rest] = words;
  const command = commands.find(candidate => candidate.name() === name);
  if (command === undefined) return `there is no command ${name}`;
  if (command.commands.length > 0) return commandProblem(command.commands, rest);
  const options = rest.filter(word => word.startsWith('--')).map(word => word.split('=')[0]);
  const wrong = options.find(option => command.options.every(({ long }) => long !== option));
  return wrong === undefined ? undefined : `${name} has no option ${wrong}`;
}
