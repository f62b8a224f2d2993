/** A flood of orders, while the threads or the stores take their time. */
import { expect, it } from 'vitest';
import type { Revocation } from '../../../src/auth/revocation-text.js';
import { readConfig } from '../../../src/config/environment.js';
import { createLogger } from '../../../src/observe/log.js';
import { ACKNOWLEDGED_AT_ONCE_MAX, RevocationKeeper } from '../../../src/revocation/keeper.js';

const user = (value: string, atMs: number): Revocation => ({ by: 'sub', value, atMs });

function newKeeper(onRevoked: (revocations: readonly Revocation[]) => Promise<void>): RevocationKeeper {
  const log = createLogger('fatal', 'one', { write: () => {} });
  return new RevocationKeeper({ config: readConfig({}), log, onRevoked, onOrder: () => true });
}

it('R33 R47 the threads are told once a turn, of the latest order for each user', async () => {
  const told: (readonly Revocation[])[] = [];
  const keeper = newKeeper(async revocations => void told.push(revocations));
  for (let n = 1; n <= 1_000; n++) keeper.take(user(`user ${n % 2}`, n));
  expect(await keeper.revoke(user('last', 1))).toBe('memory');
  expect(told).toEqual([[user('user 1', 999), user('user 0', 1_000), user('last', 1)]]);
});

it('R33 R47 orders beyond those that may wait are taken all the same, and answered at once', async () => {
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  const told: Revocation[] = [];
  const keeper = newKeeper(revocations => {
    told.push(...revocations);
    return held;
  });
  let answered = 0;
  const orders = Array.from({ length: ACKNOWLEDGED_AT_ONCE_MAX }, (_, n) =>
    keeper.revoke(user(`user ${n}`, 1)).then(() => answered++),
  );
  expect(await keeper.revoke(user('one more', 1))).toBe('memory');
  expect(answered).toBe(0);
  release();
  await Promise.all(orders);
  expect(told.map(({ value }) => value)).toContain('one more');
  expect(keeper.stats.size).toBe(ACKNOWLEDGED_AT_ONCE_MAX + 1);
});
