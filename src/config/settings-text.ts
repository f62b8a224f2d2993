/** The table of settings as an operations reference (ops/configuration.md) and as plain text for the command line. */
import type { Setting, SettingGroup } from './setting.js';
import { SETTING_GROUPS } from './settings-table.js';

/** ops/configuration.md; `npm run docs` writes it. */
export function configurationDocument(): string {
  return `# Configuration
Every setting is an environment variable; an empty one counts as unset. If a value is invalid, the gateway refuses to start and names the
variable, its value and what would be right. \`millrace check\` does the same without starting: it prints the configuration as the gateway
would use it, secrets hidden, and exits with 1 if the gateway would not start.

- **Durations**: \`250ms\`, \`4s\`, \`30m\`, \`1h\`, \`7d\`; a bare number is seconds.
- **Sizes**: \`1048576\`, \`64KiB\`, \`1MiB\`, \`1GiB\`.
- **Lists** are separated by commas.
- **Files**: \`SETTINGS_FILE\` names a file of settings, one \`NAME=value\` per line; the environment takes precedence. Each secret may stand
  in a file of its own: \`AUTH_JWT_SECRET_FILE\` instead of \`AUTH_JWT_SECRET\`. Such files must not be readable by every user
  (\`chmod 600\`, or 640 for a group). SIGHUP rereads them, see [operations](README.md#reload).

${SETTING_GROUPS.map(sectionOf).join('\n')}
\`npm run docs\` writes this file from \`src/config/variables\`.
`;
}

function sectionOf({ title, about, feed, settings }: SettingGroup): string {
  const only = feed === undefined ? '' : ` Read with \`FEED=${feed}\` only.`;
  const rows = Object.entries(settings).map(([name, setting]) => rowOf(name, setting));
  return `## ${title}
${about}${only}

| variable | takes | default | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

function rowOf(name: string, { type, default: value, unset, means, see, isReloaded }: Setting<unknown>): string {
  const text = value === undefined ? 'unset' : value === '' ? 'none' : `\`${value}\``;
  const otherwise = unset === undefined ? '' : ` Unset: ${unset}.`;
  const reload = isReloaded ? ' Reloaded on SIGHUP.' : '';
  const link =
    see === undefined
      ? ''
      : ` See [${see.replace(/#.*/, '')}](${see.startsWith('ops/') ? see.slice('ops/'.length) : `../${see}`}).`;
  return `| \`${name}\` | ${type.takes.replace(/^(an?|the) /, '')} | ${text} | ${means}${otherwise}${reload}${link} |`;
}

const TEXT_COLUMNS = 100;
const INDENT = '      ';

/** The settings as `millrace serve --help` lists them: name, default, and the first sentence. */
export function settingsHelp(): string {
  return SETTING_GROUPS.map(({ title, feed, settings }) => {
    const only = feed === undefined ? '' : ` (FEED=${feed})`;
    const lines = Object.entries(settings).map(([name, setting]) => helpOf(name, setting));
    return `${title}${only}\n${lines.join('\n')}\n`;
  }).join('\n');
}

function helpOf(name: string, { default: value, unset, means }: Setting<unknown>): string {
  const shown = value === undefined ? plain(unset ?? 'unset') : value || 'none';
  const head = `  ${name}  [${shown}]`;
  const named = head.length > TEXT_COLUMNS ? `  ${name}\n${wrapped(`[${shown}]`)}` : head;
  return `${named}\n${wrapped(firstSentence(plain(means)))}`;
}

const plain = (markdown: string) => markdown.replaceAll('`', '');
const firstSentence = (text: string) => /^.*?[.](?= |$)/s.exec(text)?.[0] ?? text;

function wrapped(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && INDENT.length + line.length + 1 + word.length > TEXT_COLUMNS) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map(text => `${INDENT}${text}`).join('\n');
}
