/** Against a real server: what is written, by whom, and what leaves again. */
import { connect, type JetStreamManager, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseRevocation, type Revocation, revocationKey } from '../../../src/auth/revocation-text.js';
import { NatsNames } from '../../../src/feed/nats-names.js';
import { bucketStream, bucketSubject, openBucket, writeEntry } from '../../../src/revocation/bucket-entries.js';
import { BucketWriter } from '../../../src/revocation/bucket-writer.js';
import { type NatsServer, startNatsServer } from '../../support/nats-server.js';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 0, 2);

const names = new NatsNames({ subjectPrefix: '', jsApiPrefix: '$JS.API' });

let nats: NatsServer;
let connection: NatsConnection;
let manager: JetStreamManager;
let buckets = 0;
beforeAll(async () => {
  nats = await startNatsServer({ jetstream: true });
  connection = await connect({ servers: nats.url });
  manager = await names.manager(connection);
});
afterAll(async () => {
  await connection.close();
  await nats.stop();
});

async function newBucket(): Promise<string> {
  const bucket = `B${++buckets}`;
  await openBucket(manager, bucket, 1);
  return bucket;
}

const user = (atMs: number): Revocation => ({ by: 'sub', value: 'alice', atMs });
const token = (n: number, atMs = NOW_MS): Revocation => ({ by: 'jti', value: `t-${n}`, atMs });

async function entryOf(bucket: string, revocation: Revocation): Promise<Revocation | undefined> {
  const subject = bucketSubject(bucket, revocationKey(revocation));
  const message = await manager.streams
    .getMessage(bucketStream(bucket), { last_by_subj: subject })
    .catch(() => undefined);
  return message === undefined ? undefined : parseRevocation(new TextDecoder().decode(message.data));
}

function newWriter(bucket: string, tokenLifeMs = Number.POSITIVE_INFINITY) {
  const failures: string[] = [];
  const writer = new BucketWriter({
    bucket,
    names,
    tokenLifeMs,
    onFailure: detail => failures.push(detail),
    onIdle: () => {},
  });
  return { writer, failures };
}

describe('J5 R33 the bucket of revocations', () => {
  it('J5 R33 is one that the NATS tools read', async () => {
    const bucket = await newBucket();
    await writeEntry(manager, { bucket, names }, user(NOW_MS), undefined);
    const kv = await connection.jetstream().views.kv(bucket, { bindOnly: true });
    expect((await kv.get(revocationKey(user(0))))?.json()).toMatchObject({ by: 'sub', value: 'alice' });
  });

  it('J5 R33 keeps the latest of those that many gateways write at once', async () => {
    const bucket = await newBucket();
    const times = [3, 9, 1, 7, 5, 2, 8, 4, 6, 0].map(ms => NOW_MS + ms);
    const held = await Promise.all(times.map(atMs => writeEntry(manager, { bucket, names }, user(atMs), undefined)));
    expect(await entryOf(bucket, user(0))).toEqual(user(NOW_MS + 9));
    for (const [i, { atMs }] of held.entries()) expect(atMs).toBeGreaterThanOrEqual(times[i] as number);
  });

  it('J5 gets one entry of an order that several gateways hear', async () => {
    const bucket = await newBucket();
    for (let ms = 0; ms < 5; ms++) await writeEntry(manager, { bucket, names }, token(1, NOW_MS + ms), undefined);
    expect((await manager.streams.info(bucketStream(bucket))).state.last_seq).toBe(1);
  });

  it('J5 R33 gets what was put while it could not be reached', async () => {
    const bucket = await newBucket();
    const { writer } = newWriter(bucket);
    expect(await writer.put(token(1))).toBe(false);
    expect(writer.unwritten).toBe(1);
    writer.begin(manager);
    await writer.fill([token(2)]);
    // One more behind those.
    expect(await writer.put(token(3))).toBe(true);
    expect(await Promise.all([1, 2, 3].map(n => entryOf(bucket, token(n))))).toEqual([token(1), token(2), token(3)]);
    expect(writer.unwritten).toBe(0);
  });

  it('R33 R47 keeps few answers for many that put the same user while it is written', async () => {
    const bucket = await newBucket();
    const { writer } = newWriter(bucket);
    writer.begin(manager);
    const first = writer.put(user(NOW_MS));
    const others = Array.from({ length: 1_000 }, (_, n) => writer.put(user(NOW_MS + 1 + n)));
    // At most one for each writing under way.
    expect(new Set(others).size).toBeLessThanOrEqual(16);
    expect(await Promise.all([first, ...others])).not.toContain(false);
    expect(await entryOf(bucket, user(0))).toEqual(user(NOW_MS + 1_000));
    expect(writer.unwritten).toBe(0);
  });

  it('R33 R47 answers whoever puts again what is being written', async () => {
    const { writer } = newWriter(await newBucket());
    writer.begin(manager);
    expect(await Promise.all([writer.put(user(NOW_MS)), writer.put(user(NOW_MS))])).toEqual([true, true]);
  });

  it('J5 says once that it cannot be written, and whoever waits is told', async () => {
    const { writer, failures } = newWriter('MISSING');
    writer.begin(manager);
    expect(await Promise.all([writer.put(token(1)), writer.put(token(2))])).toEqual([false, false]);
    expect(failures).toHaveLength(1);
    expect(writer.unwritten).toBe(2);
    writer.end();
  });

  it('J5 loses tokens that are older than a token gets, by the server’s clock, and nothing else', async () => {
    const bucket = await newBucket();
    const { writer } = newWriter(bucket, HOUR_MS);
    writer.begin(manager);
    for (const revocation of [token(1), token(2), token(3), user(NOW_MS)]) await writer.put(revocation);
    // As the bucket tells it: two were stored long before the others.
    const stored = [token(1), token(2), token(3), user(NOW_MS)].map((revocation, i) => ({
      key: revocationKey(revocation),
      entry: { atMs: NOW_MS, seq: i + 1, storedMs: NOW_MS + (i < 2 ? 0 : 2 * HOUR_MS) },
    }));
    for (const { key, entry } of stored) writer.stored(key, entry);
    await writer.expire();
    expect(await Promise.all([token(1), token(2)].map(r => entryOf(bucket, r)))).toEqual([undefined, undefined]);
    expect(await entryOf(bucket, token(3))).toEqual(token(3));
    expect(await entryOf(bucket, user(0))).toEqual(user(NOW_MS));
  });

  it('J5 R33 loses nothing by the clock of a gateway, however wrong it is', async () => {
    const bucket = await newBucket();
    const { writer } = newWriter(bucket, HOUR_MS);
    writer.begin(manager);
    await writer.put(token(1, NOW_MS));
    await writer.put(token(2, NOW_MS + 1000 * HOUR_MS));
    await writer.expire();
    expect(await entryOf(bucket, token(1))).toEqual(token(1));
  });
});
