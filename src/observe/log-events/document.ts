/** The tables of ops/logs.md: events by group, and their fields. `npm run docs` writes them. */
import type { LogEvent } from './event.js';
import { FIELDS } from './fields.js';
import { LOG_EVENT_GROUPS } from './table.js';

/** Each table's Markdown, by the name that its markers have in the document. */
export const LOG_TABLES: Readonly<Record<string, string>> = {
  'log events': LOG_EVENT_GROUPS.map(({ title, events }) => `### ${title}\n${eventsTable(events)}`).join('\n\n'),
  'log fields': fieldsTable(),
};

function eventsTable(events: Readonly<Record<string, LogEvent>>): string {
  const rows = Object.entries(events).map(([name, { levels, message, means, fields }]) => {
    const named = fields.map(field => `\`${field}\``).join(', ');
    return `| \`${name}\` | ${levels.join(', ')} | ${message} | ${means} | ${named} |`;
  });
  return ['| `event` | level | `msg` | meaning | fields |', '|---|---|---|---|---|', ...rows].join('\n');
}

function fieldsTable(): string {
  const rows = Object.entries(FIELDS).map(([name, means]) => `| \`${name}\` | ${means} |`);
  return ['| field | meaning |', '|---|---|', ...rows].join('\n');
}
