/** J13: upgrades that have to wait for the hub or for a key set write nothing into the log that is no log line. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway } from '../support/gateway.js';

let directory: string;
let gateway: TestGateway;
let sign: (sub: string) => Promise<string>;
const clients: TestClient[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-waits-'));
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const file = join(directory, 'keys.json');
  writeFileSync(file, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] }));
  sign = sub =>
    new SignJWT({ sub }).setProtectedHeader({ alg: 'ES256', kid: 'k' }).setExpirationTime('1h').sign(privateKey);
  gateway = await startGateway({
    AUTH_JWT_SECRET: '',
    AUTH_JWKS_FILE: file,
    SYMBOLS: 'AAPL,MSFT',
    SIM_RATE: '100',
    WORKERS: '2',
  });
});

afterAll(async () => {
  await Promise.all(clients.map(client => client.close()));
  await gateway?.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function open(path: string, sub: string): Promise<TestClient> {
  const separator = path.includes('?') ? '&' : '?';
  const client = await TestClient.connect(`${gateway.url}${path}${separator}token=${await sign(sub)}`);
  clients.push(client);
  return client;
}

it('J13: every line of the log is one, whatever upgrades wait for, the first of a thread and a crowd', async () => {
  const first = await open('/ws/quotes?symbols=AAPL', 'first');
  await first.arrived('quotes_patch');
  const paths = ['/ws/quotes?symbols=AAPL,MSFT', '/ws/trades', '/ws/analytics?channels=alerts', '/ws/orders', '/ws'];
  const crowd = await Promise.all(
    Array.from({ length: 60 }, (_, i) => open(paths[i % paths.length] ?? '/ws', `user-${i}`)),
  );
  // Each is served, and stays.
  await Promise.all(crowd.filter((_, i) => i % paths.length === 0).map(client => client.arrived('quotes_patch', 2)));
  await Promise.all(crowd.filter((_, i) => i % paths.length === 1).map(client => client.arrived('trade_executed')));
  expect(await gateway.metric('millrace_connections_open')).toBe(61);
  await expect(open('/ws/quotes?symbols=NOWHERE', 'unknown')).rejects.toThrow();
  const lines = gateway.log().trim().split('\n');
  expect(lines.filter(line => !line.startsWith('{'))).toEqual([]);
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number) });
});

it('J13: a gateway that ends while it keeps a socket to itself ends in order', async () => {
  expect(await gateway.stop()).toBe(0);
  expect(gateway.log()).not.toMatch(/"level":(50|60)/);
});
