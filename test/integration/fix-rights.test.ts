/** R73 R70 rights that change while a FIX session is open: it has them at once, like a WebSocket, and the journal says since when. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NewApiKey, newApiKey } from '../../src/auth/api-key-file.js';
import { TestClient } from '../support/client.js';
import { FixSocket, fixPortOf } from '../support/fix-socket.js';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { JournalFolder } from '../support/journal/folder.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

const FULL = { sub: 'desk', tier: 'institutional', roles: ['ops'], entitlements: ['depth:*', 'quotes:*'] };
const folder = new JournalFolder();
const entries = new Map<string, object>();
const sockets: FixSocket[] = [];
let nats: NatsServer;
let publisher: TestPublisher;
let gateway: TestGateway;
let size = 0;
let publishing: NodeJS.Timeout;

beforeAll(async () => {
  await write('keys.json', { keys: [] });
  await write('policy.json', { roles: {} });
  nats = await startNatsServer();
  gateway = await startGateway({
    ...folder.env,
    NATS_URL: nats.url,
    SYMBOLS: '*',
    WORKERS: '1',
    ENCODERS: '1',
    FIX_PORT: '0',
    AUTH_API_KEYS_FILE: join(folder.base, 'keys.json'),
    POLICY_FILE: join(folder.base, 'policy.json'),
  });
  publisher = await TestPublisher.connect(nats.url);
  publishing = setInterval(() => {
    size++;
    for (const symbol of ['KEPT', 'LOST']) {
      publisher.put(`md.books.${symbol}`, { symbol, bids: [['1', String(size)]], asks: [], snapshot: size === 1 });
      publisher.put(`md.quotes.${symbol}`, { symbol, open: String(size) });
    }
  }, 5);
});

afterAll(async () => {
  clearInterval(publishing);
  for (const socket of sockets) socket.end();
  await publisher?.close();
  await gateway?.stop();
  await nats?.stop();
  folder.remove();
});

async function write(name: string, content: object): Promise<void> {
  const path = join(folder.base, name);
  await writeFile(`${path}.edit`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${path}.edit`, path);
}

async function grant({ id, hash }: NewApiKey, entry: object): Promise<void> {
  entries.set(id, { id, hash, ...entry });
  await write('keys.json', { keys: [...entries.values()] });
}

/** A session with a new key. */
async function loggedOn(senderCompId: string): Promise<{ key: NewApiKey; client: FixSocket }> {
  const key = newApiKey();
  await grant(key, FULL);
  let client: FixSocket | undefined;
  const attempt = async () => {
    client = new FixSocket(fixPortOf(gateway), senderCompId);
    sockets.push(client);
    return (await client.logOn(key.key, [[141, 'Y']]))?.includes('|35=A|');
  };
  await until(attempt, 30_000, 'the key is accepted');
  return { key, client: client as FixSocket };
}

const countOf = (client: FixSocket, id: string) =>
  client.messages.filter(message => new RegExp(`\\|35=[WX]\\|.*\\|262=${id}\\|`).test(message)).length;
const authenticated = () => folder.records().filter(({ k }) => k === 'authenticated');

describe('R73 I7 an API key whose entry changes', () => {
  it('R73 loses what it may no longer have, gets the class of its tier, and both are in the journal, as for a WebSocket', async () => {
    const { key, client } = await loggedOn('ONE');
    const connect = () => TestClient.connect(`${gateway.url}/ws?api_key=${key.key}`).catch(() => undefined);
    const socket = await until(connect, 30_000, 'the key is accepted by the gateway thread');
    client.subscribe('book', ['KEPT', 'LOST']);
    client.subscribe('open', ['KEPT'], 1, [4]);
    await until(() => countOf(client, 'book') > 20 && countOf(client, 'open') > 20, 30_000, 'changes');
    const recorded = (count: number) =>
      until(() => authenticated().length >= count && authenticated(), 30_000, 'records') as Promise<
        ReturnType<typeof authenticated>
      >;
    const before = await recorded(2);
    await grant(key, { ...FULL, tier: 'retail', entitlements: ['depth:KEPT', 'quotes:KEPT'] });
    expect(await client.message(/\|35=Y\|/)).toContain('|262=book|281=3|58=LOST: not entitled any more|');
    // Both come from views of the other class, and begin with a W. In a class of 100 ms, most changes are left out.
    const wholes = () => client.messages.filter(message => message.includes('|35=W|')).length;
    await until(() => wholes() === 5, 30_000, 'a new W of book and statistics');
    const [from, sizeThen] = [countOf(client, 'book') + countOf(client, 'open'), size];
    await until(() => size > sizeThen + 100, 30_000, 'more changes');
    expect(countOf(client, 'book') + countOf(client, 'open') - from).toBeLessThan(100);
    const since = (await recorded(4)).slice(before.length);
    expect(since).toHaveLength(2);
    for (const record of since) {
      expect(record).toMatchObject({ by: 'api_key', tier: 'retail', entitlements: ['depth:KEPT', 'quotes:KEPT'] });
    }
    expect(new Set(since.map(({ c }) => c)).size).toBe(2);
    await socket?.close();
  });

  it('R73 with another secret or another user logs the session out, and its Logout says what to do', async () => {
    const { key, client } = await loggedOn('TWO');
    await grant({ ...newApiKey(), id: key.id }, FULL);
    expect(await client.message(/\|35=5\|/)).toContain('|58=credential revoked; log on with another one|');
    const { key: other, client: second } = await loggedOn('THREE');
    await grant(other, { ...FULL, sub: 'successor' });
    expect(await second.message(/\|35=5\|/)).toContain('|58=the API key belongs to another user now; log on again|');
  });

  it('R73 ends when its entry says', async () => {
    const { key, client } = await loggedOn('FOUR');
    await grant(key, { ...FULL, expires_at: new Date(Date.now() - 60_000).toISOString() });
    expect(await client.message(/\|35=5\|/)).toContain('|58=credential expired; log on with another one|');
  });
});

it('R73 I7 a policy file that changes ends topics that need another role, and the journal says what is left', async () => {
  const { client } = await loggedOn('FIVE');
  client.subscribe('book', ['KEPT', 'LOST']);
  await until(() => countOf(client, 'book') > 20, 30_000, 'changes');
  const before = authenticated().length;
  await write('policy.json', { roles: { 'depth:LOST': ['risk'] }, entitlements: { ops: ['trades:KEPT'] } });
  expect(await client.message(/\|35=Y\|/)).toContain('LOST: not entitled any more');
  const granted = () =>
    authenticated()
      .slice(before)
      .map(({ entitlements }) => String(entitlements));
  await until(() => granted().includes('depth:*,quotes:*,trades:KEPT'), 30_000, 'the record');
});
