/** R70 R73 what the journal is told of who logs on over FIX, and of the products of what it subscribes to. */
import { expect, it } from 'vitest';
import { ANONYMOUS, compileEntitlements, NO_POLICY } from '../../../src/auth/credential.js';
import { productsOf } from '../../../src/auth/product.js';
import { FixView } from '../../../src/fix/market/view.js';
import { FixRecords } from '../../../src/fix/records.js';
import { KINDS } from '../../../src/journal/kinds.js';
import { REALTIME } from '../../../src/protocol/view-options.js';
import { laneOf } from '../../../src/threads/lanes.js';
import { TestJournal } from '../../support/fix-journal.js';

const CODES = { left: 1, broken: 2, refused: 3 };
const CONNECTION = { id: 7, address: '192.0.2.1', credential: undefined, openedMs: 0, receivedBytes: 0, sentBytes: 0 };

it('R70 R74 all that a FIX client may see and declares, and the products of its topics', () => {
  const outlet = new TestJournal();
  const connectionOf = (id: number) => `c${id}`;
  const records = new FixRecords({ outlet, worker: 1, wallMicros: () => 1, connectionOf, codes: CODES as never });
  const credential = {
    ...ANONYMOUS,
    ...{ sub: 'alice', roles: ['desk'], entitlements: undefined },
    ...{ firm: 'ACME', professional: false, use: 'display' as const },
  };
  const policy = { ...NO_POLICY, grants: () => ['depth:B'], reserves: () => ['depth:C'] };
  const more = { timeZone: 'UTC', holidays: [], delayMs: undefined, use: undefined, professional: undefined };
  const products = productsOf([{ code: 'L2', vendor: 'V', topics: ['depth:*'], ...more }]);
  const entitlements = compileEntitlements(credential, policy, ['depth:A'], products);
  records.connected(CONNECTION, credential, entitlements);
  const view = new FixView('depth', 'A', laneOf(REALTIME, 1, 'json', false), 0, 1);
  const share = { part: undefined } as never;
  records.client(7, () => entitlements).subscribed({ id: 'r', view, share });
  const [authenticated, subscribed] = ['authenticated', 'subscribed'].map(kind =>
    outlet.entries.find(({ k }) => k === kind),
  );
  expect(authenticated).toMatchObject({
    entitlements: ['depth:A', 'depth:B'],
    firm: 'ACME',
    professional: false,
    reserved: ['depth:C'],
  });

  expect(subscribed).toMatchObject({ topic: 'depth:A', product: ['L2'] });
  const changed = compileEntitlements(credential, NO_POLICY, ['depth:A'], products);
  records.authenticated({ id: 7 }, credential, changed);
  const again = outlet.entries.filter(({ k }) => k === 'authenticated');
  expect(again).toMatchObject([{}, { c: 'c7', user: 'alice', entitlements: ['depth:A'] }]);
  expect(again[1]).not.toHaveProperty('reserved');
  for (const record of [authenticated, subscribed, again[1]]) {
    const { t: _, k, ...members } = record as Record<string, unknown>;
    expect(KINDS[k as keyof typeof KINDS].schema.safeParse(members).error).toBeUndefined();
  }
});
