/** The usage of a month by the admin API of a real gateway with a journal, each answer as the OpenAPI document says. */
import { execFile } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UsageAnswer, UsageRow } from '../../src/protocol/admin-rows.js';
import { AdminClient, operations, seen } from '../support/admin-client.js';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { JournalFolder } from '../support/journal/folder.js';
import { until } from '../support/until.js';

const run = promisify(execFile);
const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const OPERATION = 'GET /api/v1/usage 200';
const PRODUCTS = [
  { code: 'SIM-QUOTES', vendor: 'Simulated', topics: ['quotes:AAPL'] },
  { code: 'SIM-DEPTH', vendor: 'Simulated', topics: ['depth:AAPL'] },
];
const CLIENTS = [
  { sub: 'alice', firm: 'Acme', professional: true, use: 'display' },
  { sub: 'bob', firm: 'Acme', professional: false, use: 'non-display' },
  { sub: 'carol' },
] as const;

const folder = new JournalFolder();
const productsFile = join(folder.base, 'products.json');
const clients: TestClient[] = [];
let gateway: TestGateway;
let admin: AdminClient;

beforeAll(async () => {
  writeFileSync(productsFile, JSON.stringify({ products: PRODUCTS }), { mode: 0o600 });
  gateway = await startGateway({
    ...folder.env,
    PRODUCTS_FILE: productsFile,
    FEED: 'simulator',
    SYMBOLS: 'AAPL',
    WORKERS: '1',
    ENCODERS: '1',
  });
  admin = new AdminClient(gateway.adminUrl);
  for (const request of CLIENTS) {
    const client = await TestClient.connect(`${gateway.url}/ws?token=${await testToken(request)}`);
    clients.push(client);
    client.send({ action: 'subscribe', id: 's', stream: 'quotes', symbols: ['AAPL'] });
    await client.next('subscribed', ({ type, id }) => type === 'subscribed' && id === 's');
  }
  const written = () => folder.records().filter(({ k }) => k === 'subscribed').length >= CLIENTS.length;
  await until(written, undefined, 'the subscriptions are in the journal');
});

afterAll(async () => {
  await Promise.all(clients.map(client => client.close()));
  await gateway?.stop();
  folder.remove();
});

const ask = async (query = '') => (await admin.get(`/usage${query}`)).body as unknown as UsageAnswer;

/** The answer, once it is made. */
async function made(query = ''): Promise<UsageAnswer> {
  let answer = await ask(query);
  await until(
    async () => {
      answer = await ask(query);
      return answer.state !== 'making';
    },
    undefined,
    'the report is made',
  );
  return answer;
}

describe('R64 R74 usage of the month', () => {
  it('R64 R74 counts users of each product, for all firms and for each', async () => {
    const answer = await made();
    const now = new Date().toISOString();
    expect(answer).toMatchObject({ month: now.slice(0, 7), state: 'ready', reason: null, more: 0 });
    expect(answer.made_at?.slice(0, 10)).toBe(now.slice(0, 10));
    expect(answer.reservations[0]).toContain('The month is not complete');
    const row = { vendor: 'Simulated', product: 'SIM-QUOTES', data: 'realtime' } as const;
    const all: UsageRow = {
      ...row,
      firm: null,
      users: 3,
      professional: 1,
      non_professional: 1,
      display: 1,
      non_display: 1,
      devices: 3,
      peak_connections: 3,
    };
    expect(answer.rows.filter(({ users }) => users > 0)).toEqual([
      all,
      { ...all, firm: 'Acme', users: 2, devices: 2, peak_connections: 2 },
    ]);
  });

  it('R64 R74 names no user, and gives the same report again', async () => {
    const [first, second] = [await admin.get('/usage'), await admin.get('/usage')];
    expect(second.text).toBe(first.text);
    for (const { sub } of CLIENTS) expect(first.text).not.toContain(sub);
  });

  it('R64 R74 knows of nothing in a month before the journal, and refuses what is no month', async () => {
    const answer = await made('?month=2020-02');
    expect(answer).toMatchObject({ month: '2020-02', state: 'ready', rows: [] });
    for (const query of ['?month=2026-13', '?month=november', '?moth=2026-11', '?month='])
      expect((await admin.get(`/usage${query}`)).status, query).toBe(400);
  });

  it('R64 R74 is printed by `millrace admin usage`', async () => {
    const env = { PATH: process.env.PATH ?? '', MILLRACE_ADMIN_URL: gateway.adminUrl };
    const { stdout } = await run(process.execPath, [PROGRAM, 'admin', 'usage'], { env });
    expect(stdout).toMatch(/^state +ready$/m);
    expect(stdout).toMatch(/^PRODUCT +VENDOR +FIRM +DATA +USERS/m);
    expect(stdout).toMatch(/^SIM-QUOTES +Simulated +Acme +realtime +2 /m);
    expect(stdout).toContain('The month is not complete');
  });

  it('R64 R74 says why there is no report when the file of products is broken, and keeps serving', async () => {
    writeFileSync(productsFile, '{"products": [');
    expect(await made('?month=2020-03')).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('products.json'),
      rows: [],
    });
    writeFileSync(productsFile, JSON.stringify({ products: PRODUCTS }));
    await until(() => gateway.log().includes('the usage report was not made'), undefined, 'the log says so');
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(200);
  });

  it('R64 R74 answers without the folder of the journal too', async () => {
    renameSync(folder.path, `${folder.path}-gone`);
    try {
      expect(await made('?month=2020-04')).toMatchObject({ state: 'failed', rows: [] });
      expect((await ask()).state).toBe('ready');
    } finally {
      renameSync(`${folder.path}-gone`, folder.path);
    }
  });

  it('R64 R74 is an operation of the OpenAPI document, and was seen', () => {
    expect(operations()).toContain(OPERATION);
    expect(seen).toContain(OPERATION);
  });
});

it('R64 R74 without a journal, usage is off and names the setting', async () => {
  const bare = await startGateway({ FEED: 'simulator', SYMBOLS: 'AAPL', WORKERS: '1', ENCODERS: '1' });
  try {
    const { body } = await new AdminClient(bare.adminUrl).get('/usage');
    expect(body).toMatchObject({ state: 'off', reason: 'JOURNAL_DIR is not set', made_at: null, rows: [] });
  } finally {
    await bare.stop();
  }
});
