/** The codes that are declared are those that are sent, and nothing else is documented. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CloseCode, mayReconnect } from '../../../src/protocol/close-code.js';
import {
  CLOSE_CODES,
  ERROR_CODES,
  GAP_REASONS,
  REFUSALS,
  REJECT_REASONS,
  STALE_REASONS,
} from '../../../src/protocol/codes.js';

const SRC = fileURLToPath(new URL('../../../src/', import.meta.url));

/** The code of these folders, without the declarations. */
function codeOf(...folders: string[]): string {
  return folders
    .flatMap(folder =>
      readdirSync(join(SRC, folder), { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
        .map(entry => join(entry.parentPath, entry.name)),
    )
    .filter(file => !/protocol\/(codes|frames\/)/.test(file))
    .map(file => readFileSync(file, 'utf8'))
    .join('\n');
}

const gateway = codeOf('gateway');
const main = codeOf('gateway', 'hub', 'encoder', 'protocol');
const literals = new Set([...main.matchAll(/'([a-z_]+)'/g)].map(([, text]) => text));

describe('R36 codes', () => {
  it.each([
    ['errors', ERROR_CODES],
    ['gaps', GAP_REASONS],
    ['stale topics', STALE_REASONS],
    ['refused messages', REJECT_REASONS],
  ])('of %s are each sent by something, and each has a meaning', (_what, codes) => {
    expect(Object.keys(codes).length).toBeGreaterThan(3);
    expect(Object.keys(codes).filter(code => !literals.has(code))).toEqual([]);
    expect(Object.values(codes).filter(meaning => meaning === '')).toEqual([]);
  });

  it('of closes are each sent by the gateway', () => {
    const sent = new Set([...gateway.matchAll(/\bCloseCode\.(\w+)/g)].map(([, name]) => name));
    expect([...sent].sort()).toEqual(Object.keys(CloseCode).sort());
    expect(Object.keys(CLOSE_CODES).map(Number).sort()).toEqual(Object.values(CloseCode).sort());
  });

  it('of closes say by their number what their meaning says: come back or do not', () => {
    for (const [code, { client }] of Object.entries(CLOSE_CODES)) {
      expect(mayReconnect(Number(code)), code).toBe(!client.startsWith('do not'));
    }
  });

  it('of refused upgrades go with the status that the table has, and each status is sent', () => {
    const table = new Map(Object.entries(REFUSALS).map(([status, { codes }]) => [status, codes as readonly string[]]));
    const sent = [...gateway.matchAll(/\brefusal\((\d{3}), '(\w+)'/g)];
    expect(sent.length).toBeGreaterThan(15);
    expect(sent.filter(([, status = '', code = '']) => !table.get(status)?.includes(code)).map(([all]) => all)).toEqual(
      [],
    );
    expect([...new Set(sent.map(([, status = '']) => status))].sort()).toEqual([...table.keys()].sort());
    for (const [status, codes] of table) {
      const found = new Set(sent.filter(([, at]) => at === status).map(([, , code]) => code));
      expect([...found].sort(), status).toEqual([...codes].sort());
    }
  });
});
