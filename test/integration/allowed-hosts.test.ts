/** J11: a page that has its own name lead to a gateway's address (DNS rebinding), and guesses at the admin port. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FREE_FAILURES } from '../../src/admin/attempt-limiter.js';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { PATIENCE_MS, until } from '../support/until.js';

const TOKEN = 'an-admin-token-of-more-than-32-bytes';

/** The status of a request whose `Host` is this. */
async function statusOf(url: string, host: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  const sent = request(url, { headers: { host, ...headers } });
  sent.end();
  const [response] = await once(sent, 'response');
  response.resume();
  return response.statusCode;
}

async function upgradeStatus(gateway: TestGateway, ...headers: readonly string[]): Promise<number> {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  const fixed = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
  socket.write(`${['GET /ws HTTP/1.1', ...fixed, key, ...headers].join('\r\n')}\r\n\r\n`);
  let text = '';
  socket.on('data', chunk => {
    text += chunk;
  });
  await until(() => text.includes('\r\n\r\n'), PATIENCE_MS, 'an answer');
  socket.destroy();
  return Number(/^HTTP\/1.1 (\d{3})/.exec(text)?.[1]);
}

describe('R48 J11: without ALLOWED_HOSTS', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway({ WORKERS: '1', ENCODERS: '1' });
  });
  afterAll(() => gateway?.stop());

  it('J11: a page that rebinds its name gets no stream', async () => {
    expect(await upgradeStatus(gateway, 'Host: evil.example:8080', 'Origin: http://evil.example:8080')).toBe(403);
    expect(await upgradeStatus(gateway, 'Host: 192.0.2.1:8080', 'Origin: http://192.0.2.1:8080')).toBe(101);
    expect(await upgradeStatus(gateway, 'Host: feed.example', 'Origin: https://feed.example')).toBe(101);
    // No browser.
    expect(await upgradeStatus(gateway, 'Host: feed.example')).toBe(101);
  });

  it.each(['/metrics', '/api/v1/stats', '/healthz', '/readyz'])('J11: nor %s of the admin port', async path => {
    const url = `${gateway.adminUrl}${path}`;
    for (const host of ['evil.example', 'evil.example:9090', '127.0.0.1.evil.example', 'localhost.evil.example'])
      expect(await statusOf(url, host), host).toBe(403);
    for (const host of ['127.0.0.1', 'localhost:9090', '[::1]:9090', '192.0.2.1'])
      expect(await statusOf(url, host), host).toBe(200);
  });
});

describe('R48 J11: with ALLOWED_HOSTS and ADMIN_TOKEN', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    const env = { ALLOWED_HOSTS: 'feed.example, Ops.example:9090', ADMIN_HOST: '0.0.0.0', ADMIN_TOKEN: TOKEN };
    gateway = await startGateway({ WORKERS: '1', ENCODERS: '1', ...env });
  });
  afterAll(() => gateway?.stop());

  it('J11: clients connect by the listed names only', async () => {
    expect(await upgradeStatus(gateway, 'Host: feed.example:8080')).toBe(101);
    expect(await upgradeStatus(gateway, 'Host: feed.example:8080', 'Origin: http://feed.example:8080')).toBe(101);
    expect(await upgradeStatus(gateway, 'Host: evil.example')).toBe(403);
    expect(await upgradeStatus(gateway, 'Host: 127.0.0.1')).toBe(403);
    expect(await upgradeStatus(gateway, 'Host: ops.example')).toBe(403);
  });

  it('J11: operators use them too, with the token', async () => {
    const authorization = `Bearer ${TOKEN}`;
    const url = `${gateway.adminUrl}/metrics`;
    expect(await statusOf(url, 'ops.example:9090', { authorization })).toBe(200);
    expect(await statusOf(url, 'ops.example:9091', { authorization })).toBe(403);
    expect(await statusOf(url, 'ops.example:9090')).toBe(401);
  });

  it('J11: wrong tokens are logged, and then limited; the right one passes', async () => {
    const url = `${gateway.adminUrl}/api/v1/stats`;
    const guess = () => statusOf(url, 'localhost', { authorization: 'Bearer guess' });
    for (let i = 0; i <= FREE_FAILURES; i++) expect(await guess()).toBe(401);
    expect(await guess()).toBe(429);
    expect(await statusOf(url, 'localhost', { authorization: `Bearer ${TOKEN}` })).toBe(200);
    // Probes need no token.
    expect(await statusOf(`${gateway.adminUrl}/readyz`, 'localhost')).toBe(200);
    await until(() => gateway.log().includes('a wrong ADMIN_TOKEN was refused'), 30_000);
    await until(() => gateway.log().includes('"address":"127.0.0.1"'));
    expect(gateway.log()).not.toContain('guess');
  });
});
