/** R73 sequence numbers of FIX sessions in a key-value bucket of a real NATS server. */
import { connect } from 'nats';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BucketEntries } from '../../src/fix/store/bucket-entries.js';
import { NumberStore, sessionKey } from '../../src/fix/store/number-store.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';

const KEY = sessionKey('TRADER-1', 'alice@example.com');
let server: NatsServer;
const stores: NumberStore[] = [];

beforeAll(async () => {
  server = await startNatsServer({ jetstream: true });
});

afterAll(async () => {
  await Promise.all(stores.map(store => store.close()));
  await server.stop();
});

function newStore(holder: string, faults: unknown[] = []): NumberStore {
  const store = new NumberStore({
    entries: new BucketEntries(() => connect({ servers: server.url }), 'FIX_SESSIONS'),
    holder,
    nowMs: () => Date.now(),
    resetTimeMs: undefined,
    onLost: () => {},
    onFault: (_what, cause) => faults.push(cause),
  });
  stores.push(store);
  return store;
}

it('R73 a client comes back at another gateway with its numbers, at one gateway at a time', async () => {
  const [one, other] = [newStore('node-1'), newStore('node-2')];
  expect(await one.open(KEY, 'TRADER-1')).toEqual({ ok: true, numbers: { nextIn: 1, nextOut: 1 } });
  expect(await other.open(KEY, 'TRADER-1')).toMatchObject({ ok: false, code: 'held' });
  await one.release(KEY, { nextIn: 12, nextOut: 345 });
  expect(await other.open(KEY, 'TRADER-1')).toEqual({ ok: true, numbers: { nextIn: 12, nextOut: 345 } });
  await other.release(KEY, { nextIn: 13, nextOut: 346 });
  expect(await one.open(KEY, 'TRADER-1')).toEqual({ ok: true, numbers: { nextIn: 13, nextOut: 346 } });
});

it('R73 two gateways that open a session at the same time do not both get it', async () => {
  const key = sessionKey('TRADER-2', 'bob');
  const stores = [newStore('node-3'), newStore('node-4')];
  const outcomes = await Promise.all(stores.map(store => store.open(key, 'TRADER-2')));
  expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
});

it('R73 a bucket that cannot be reached makes sessions unavailable, and is tried again', async () => {
  const faults: unknown[] = [];
  let isReachable = false;
  const store = new NumberStore({
    entries: new BucketEntries(
      () => (isReachable ? connect({ servers: server.url }) : Promise.reject(new Error('no route'))),
      'FIX_SESSIONS',
    ),
    holder: 'node-5',
    nowMs: () => Date.now(),
    resetTimeMs: undefined,
    onLost: () => {},
    onFault: (_what, cause) => faults.push(cause),
  });
  stores.push(store);
  const key = sessionKey('TRADER-3', 'carol');
  expect(await store.open(key, 'TRADER-3')).toMatchObject({ ok: false, code: 'unavailable' });
  expect(faults).toHaveLength(1);
  isReachable = true;
  expect(await store.open(key, 'TRADER-3')).toMatchObject({ ok: true });
});
