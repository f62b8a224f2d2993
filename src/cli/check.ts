import { Command } from 'commander';
import { ConfigError } from '../config/config-error.js';
import { type EffectiveSetting, effectiveSettings, settingNotices } from '../config/effective.js';
import { type Environment, readConfig } from '../config/environment.js';
import { withFiles } from '../config/settings-files.js';
import { SETTING_GROUPS } from '../config/settings-table.js';
import { say } from './output.js';
import { type StartFindings, startFindings } from './start-checks.js';

const EXAMPLES = `
Prints each setting with its value, then the problems, one per line. * marks settings from the environment; secrets are
hidden. The exit code is 1 if the gateway would not start. The command reads the files that the settings name, but connects to nothing
and does not check whether a port is in use.

Examples:
  $ millrace check
  $ env $(cat gateway.env) millrace check --json`;

export interface CheckReport extends StartFindings {
  readonly settings: readonly EffectiveSetting[];
}

/** `millrace check`: the configuration as the gateway would use it, and its problems. */
export function checkCommand(): Command {
  return new Command('check')
    .description('print the effective configuration, and what would keep the gateway from starting')
    .option('--json', 'as one JSON object: ok, settings, problems, notices')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json = false }: { json?: boolean }) => {
      const report = await checkReport(process.env);
      const isFine = report.problems.length === 0;
      if (json) say(JSON.stringify({ ok: isFine, ...report }));
      else for (const line of linesOf(report)) say(line);
      if (!isFine) process.exitCode = 1;
    });
}

/** The report that `millrace check` gives for an environment. */
export async function checkReport(env: Environment): Promise<CheckReport> {
  const problems: string[] = [];
  const settings = valueOrProblems(() => withFiles(env), problems) ?? env;
  const config = valueOrProblems(() => readConfig(settings), problems);
  const found = config === undefined ? { problems: [], notices: [] } : await startFindings(config);
  return {
    settings: effectiveSettings(settings, config),
    problems: [...problems, ...found.problems],
    notices: [...settingNotices(settings, config), ...found.notices],
  };
}

/** Adds the lines of a {@link ConfigError} to the problems. */
function valueOrProblems<T>(read: () => T, problems: string[]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.message.split('\n'));
    return undefined;
  }
}

function* linesOf({ settings, problems, notices }: CheckReport): Generator<string> {
  const width = Math.max(...settings.map(({ name }) => name.length));
  const feed = settings.find(({ name }) => name === 'FEED')?.value ?? undefined;
  for (const group of SETTING_GROUPS) {
    // Invalid settings tell no feed.
    const isRead = group.feed === undefined || feed === undefined || group.feed === feed;
    yield isRead ? group.title : `${group.title} (not read: FEED is not ${group.feed})`;
    for (const { name, origin, value, from } of settings.filter(setting => setting.group === group.title)) {
      const text = value ?? '-';
      yield `${origin === 'set' ? '*' : ' '} ${name.padEnd(width)}  ${from === undefined ? text : `${text} (${from})`}`;
    }
    yield '';
  }
  for (const notice of notices) yield `notice   ${notice}`;
  for (const problem of problems) yield `problem  ${problem}`;
  if (problems.length > 0)
    yield `The gateway would not start: ${problems.length} problem${problems.length > 1 ? 's' : ''}.`;
  else yield 'The gateway can start with these settings.';
}
