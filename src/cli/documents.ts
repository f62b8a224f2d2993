/** Documents generated from the code's own tables: whole files, and sections between markers. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { adminTables } from '../admin/document.js';
import { configurationDocument } from '../config/settings-text.js';
import { JOURNAL_TABLES } from '../journal/kinds-document.js';
import { LOG_TABLES } from '../observe/log-events/document.js';
import { metricsDocument } from '../observe/metrics/document.js';
import { CODE_TABLES } from '../protocol/codes-document.js';
import { limitsDocument } from '../protocol/limits-document.js';

/** What `millrace reference` prints, by name. */
export const REFERENCES: Readonly<Record<string, () => string>> = {
  configuration: configurationDocument,
  metrics: metricsDocument,
  limits: limitsDocument,
  logs: () => `${Object.values(LOG_TABLES).join('\n\n')}\n`,
  codes: () => `${Object.values(CODE_TABLES).join('\n\n')}\n`,
};

/** The repository's generated files, each with its expected text. */
const FILES: readonly { readonly path: string; text(now: string): string }[] = [
  { path: 'ops/configuration.md', text: configurationDocument },
  { path: 'ops/metrics.md', text: metricsDocument },
  { path: 'ops/limits.md', text: limitsDocument },
  { path: 'ops/logs.md', text: now => withTables(now, LOG_TABLES) },
  { path: 'ops/admin.md', text: now => withTables(now, adminTables()) },
  { path: 'ops/journal.md', text: now => withTables(now, JOURNAL_TABLES) },
  { path: 'src/protocol/README.md', text: now => withTables(now, CODE_TABLES) },
];

/**
 * Rewrites the documents that are out of date.
 * @param root of the repository
 * @returns their paths
 */
export async function writeDocuments(root: string): Promise<readonly string[]> {
  const stale = await staleDocuments(root);
  for (const { path, text } of stale) await writeFile(join(root, path), text);
  return stale.map(({ path }) => path);
}

/** Documents that differ from the code, with their expected text. */
export async function staleDocuments(root: string): Promise<readonly { path: string; text: string }[]> {
  const all = await Promise.all(
    FILES.map(async ({ path, text }) => {
      const now = await readFile(join(root, path), 'utf8').catch(() => '');
      return { path, now, text: text(now) };
    }),
  );
  return all.filter(({ now, text }) => now !== text).map(({ path, text }) => ({ path, text }));
}

/**
 * The text with each table replaced between its markers, `<!-- generated: name -->` and `<!-- end -->`.
 * @throws {Error} if a table has no markers, or markers have no table.
 */
export function withTables(text: string, tables: Readonly<Record<string, string>>): string {
  const missing = new Set(Object.keys(tables));
  const written = text.replace(/(<!-- generated: (.+?) -->\n).*?(<!-- end -->)/gs, (_all, begin, name, end) => {
    const table = tables[name];
    if (table === undefined) throw new Error(`there is no table ${name}`);
    missing.delete(name);
    return `${begin}${table}\n${end}`;
  });
  if (missing.size > 0) throw new Error(`no markers for ${[...missing].join(', ')}`);
  return written;
}
