/** The table of record kinds in ops/journal.md. `npm run docs` writes it. */
import { KINDS, VIEW_NAMES } from './kinds.js';

/** By the name that its markers have in the document. */
export const JOURNAL_TABLES: Readonly<Record<string, string>> = { 'record kinds': kindsTable() };

function kindsTable(): string {
  const rows = Object.entries(KINDS).map(([name, { means, schema }]) => {
    return `| \`${name}\` | ${means} | ${membersOf(schema.shape)} |`;
  });
  return ['| `k` | meaning | members; `?`: may be absent |', '|---|---|---|', ...rows].join('\n');
}

/** The members that name a view are one word. */
function membersOf(shape: Readonly<Record<string, { isOptional(): boolean }>>): string {
  const hasView = [...VIEW_NAMES].every(name => name in shape);
  const own = Object.entries(shape).flatMap(([name, schema]) =>
    hasView && VIEW_NAMES.has(name) ? [] : [`\`${name}\`${schema.isOptional() ? '?' : ''}`],
  );
  const at = own.findIndex(name => !['`c`', '`c`?', '`w`', '`w`?'].includes(name));
  if (hasView) own.splice(at < 0 ? own.length : at, 0, '*view*');
  return own.join(', ');
}
