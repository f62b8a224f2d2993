import { expect, it } from 'vitest';
import { feedLines, usageLines } from '../../../src/cli/admin-tables.js';

it('R61 prints each member of listed objects', () => {
  const upstreams = [
    { name: 'primary', active: true, silent_ms: 12 },
    { name: 'backup', active: false, silent_ms: null },
  ];
  expect(feedLines({ name: 'nats', tags: ['a', 'b'], none: [], upstreams })).toEqual([
    'name                   nats',
    'tags                   a, b',
    'none                   -',
    'upstreams.0.name       primary',
    'upstreams.0.active     true',
    'upstreams.0.silent_ms  12',
    'upstreams.1.name       backup',
    'upstreams.1.active     false',
    'upstreams.1.silent_ms  -',
  ]);
});

const NO_USAGE = { month: '2026-11', reason: null, made_at: null, rows: [], more: 0, reservations: [] } as const;

it('R74 says that usage is being made, and prints no empty table', () => {
  expect(usageLines({ ...NO_USAGE, state: 'making' }).at(-1)).toBe('The report is being made. Ask again in a moment.');
  const failed = usageLines({ ...NO_USAGE, state: 'failed', reason: 'no such file' }).join('\n');
  expect(failed).toMatch(/^reason +no such file$/m);
  expect(failed).not.toContain('PRODUCT');
});

it('R74 prints what to know before relying on the usage below its table', () => {
  const lines = usageLines({ ...NO_USAGE, state: 'ready', reservations: ['The month is not complete.'] });
  expect(lines.at(-3)).toMatch(/^PRODUCT +VENDOR +FIRM/);
  expect(lines.slice(-2)).toEqual(['', 'The month is not complete.']);
});
