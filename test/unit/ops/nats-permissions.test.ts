/** ops/nats: the table of rights and the ready configurations say the same. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Role, rightsOf } from '../../support/nats-rights.js';

const DOCUMENT = readFileSync(new URL('../../../ops/nats/permissions.md', import.meta.url), 'utf8');

/** The rows of a role's tables: `publish md.>`. */
function rowsOf(role: Role): Set<string> {
  const start = DOCUMENT.indexOf(`## ${role[0]?.toUpperCase()}${role.slice(1)}\n`);
  const end = DOCUMENT.indexOf('\n## ', start);
  const rows = DOCUMENT.slice(start, end).matchAll(/^\| (publish|subscribe|allow_responses) \|([^|]*)\|/gm);
  const rights = new Set<string>();
  for (const [, kind = '', cell = ''] of rows) {
    const subjects = [...cell.matchAll(/`([^`]+)`/g)].map(([, subject = '']) => subject);
    for (const subject of subjects.length === 0 ? [''] : subjects) rights.add(`${kind} ${subject}`);
  }
  return rights;
}

/** In the document only: what not every publisher sends. */
const OPTIONAL = ['publish rooms.>'];

describe('N8 ops/nats', () => {
  it.each(['gateway', 'publisher', 'administrator'] as const)(
    'N8 documents each right of the %s, and no other',
    role => {
      const granted = (['core', 'jetstream'] as const).flatMap(setup =>
        rightsOf(setup).filter(each => each.role === role),
      );
      const named = new Set(granted.map(({ kind, subject }) => `${kind} ${subject}`));
      const rows = rowsOf(role);
      expect(named.size).toBeGreaterThan(3);
      expect([...named].filter(right => !rows.has(right))).toEqual([]);
      expect([...rows].filter(right => !named.has(right))).toEqual(role === 'publisher' ? OPTIONAL : []);
    },
  );
});
