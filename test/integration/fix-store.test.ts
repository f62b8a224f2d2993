/** R73 sequence numbers of FIX sessions in a key-value bucket of a real NATS server. */
import { connect } from 'nats';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BucketEntries } from '../../src/fix/store/bucket-entries.js';
import { HELD_MS, NumberStore, sessionKey } from '../../src/fix/store/number-store.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { PATIENCE_MS, until } from '../support/until.js';

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

it('R73 a bucket that is deleted is made again: the next logon works, and open sessions keep their numbers', async () => {
  const [faults, lost]: [unknown[], string[]] = [[], []];
  const entries = new BucketEntries(() => connect({ servers: server.url }), 'FIX_DELETED');
  let nowMs = Date.now();
  const store = new NumberStore({
    entries,
    holder: 'node-6',
    nowMs: () => nowMs,
    resetTimeMs: undefined,
    onLost: key => lost.push(key),
    onFault: (_what, cause) => faults.push(cause),
  });
  stores.push(store);
  const key = sessionKey('TRADER-4', 'dave');
  expect(await store.open(key, 'TRADER-4')).toMatchObject({ ok: true });
  const admin = await connect({ servers: server.url });
  await (await admin.jetstreamManager()).streams.delete('KV_FIX_DELETED');
  const stored = async () => (await entries.read(key).catch(() => undefined))?.text ?? '';
  await until(
    async () => {
      nowMs += HELD_MS;
      store.save(key, { nextIn: 7, nextOut: 30 });
      return (await stored()).includes('"nextIn":7');
    },
    PATIENCE_MS,
    'the numbers are in the new bucket',
  );
  await admin.close();
  expect(lost).toEqual([]);
  expect(String(faults[0])).toContain('bucket FIX_DELETED failed');
  await store.release(key, { nextIn: 8, nextOut: 31 });
  expect(await store.open(key, 'TRADER-4')).toEqual({ ok: true, numbers: { nextIn: 8, nextOut: 31 } });
});

it('R73 what makes room leaves nothing in the bucket, and only what no other gateway has written since goes', async () => {
  const entries = new BucketEntries(() => connect({ servers: server.url }), 'FIX_ROOM');
  const first = (await entries.write('a', '1', undefined)) ?? 0;
  const second = (await entries.write('a', '2', first)) ?? 0;
  expect(await entries.remove('a', first)).toBe(false);
  expect(await entries.remove('a', second)).toBe(true);
  expect(await entries.read('a')).toBeUndefined();
  expect(await entries.write('a', '3', undefined)).toBeGreaterThan(second);
  await entries.close();
  const admin = await connect({ servers: server.url });
  const { state } = await (await admin.jetstreamManager()).streams.info('KV_FIX_ROOM');
  await admin.close();
  expect(state.messages).toBe(1);
});
