import { expect, it } from 'vitest';
import { feedLines } from '../../../src/cli/admin-tables.js';

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
