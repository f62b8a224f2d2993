/** R64: the browser pages over plain HTTP: who gets them, and what every answer says. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.js';

const SMALL = { WORKERS: '1', ENCODERS: '1' };
const OWN_KEY = { ...SMALL, AUTH_JWT_SECRET: '', AUTH_ANONYMOUS: '', AUTH_DEFAULT_ENTITLEMENTS: '' };
const ADMIN_TOKEN = 'an-admin-token-of-more-than-32-bytes';
const POLICY =
  /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'( wss?:\/\/[\d.]+:\d+)*; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; /;

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** @param path sent as it is, without being resolved */
async function ask(url: string, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const { hostname, port } = new URL(url.replace('ws', 'http'));
  const sent = request({ hostname, port, path, method, headers, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

let demo: TestGateway;
let guarded: TestGateway;

beforeAll(async () => {
  [demo, guarded] = await Promise.all([
    startGateway({ ...OWN_KEY, SYMBOLS: 'AAPL,BTC/*' }),
    startGateway({ ...SMALL, ADMIN_TOKEN }),
  ]);
});

afterAll(() => Promise.all([demo?.stop('SIGKILL'), guarded?.stop('SIGKILL')]));

describe('R64 the demonstration page', () => {
  it.each([
    ['/', 'text/html; charset=utf-8'],
    ['/demo.js', 'text/javascript; charset=utf-8'],
    ['/demo.css', 'text/css; charset=utf-8'],
    ['/icon.svg', 'image/svg+xml'],
  ])('R64 %s has its type, a strict policy and a version', async (path, type) => {
    const { status, headers, body } = await ask(demo.url, path);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe(type);
    expect(headers['content-security-policy']).toMatch(POLICY);
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(Number(headers['content-length'])).toBe(Buffer.byteLength(body));
    const etag = headers.etag ?? '';
    expect(etag).toMatch(/^"[\w-]{20}"$/);
    expect(await ask(demo.url, path, { 'if-none-match': etag })).toMatchObject({ status: 304, body: '' });
    expect(await ask(demo.url, path, { 'if-none-match': '"other"' })).toMatchObject({ status: 200 });
    const head = await ask(demo.url, path, {}, 'HEAD');
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(head.headers['content-length']).toBe(headers['content-length']);
  });

  it('R64 has nothing inline in its HTML', async () => {
    for (const { body } of [await ask(demo.url, '/'), await ask(demo.adminUrl, '/dashboard')]) {
      expect(body).not.toMatch(/<style|style=|<script(?![^>]*src=)|\son\w+=|javascript:/i);
      expect(body.match(/<script/g)).toHaveLength(1);
    }
  });

  it('R64 brings a token for market data that lives for minutes', async () => {
    const { status, headers, body } = await ask(demo.url, '/demo.json', { 'sec-fetch-site': 'same-origin' });
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
    const session = JSON.parse(body) as { readonly token: string };
    expect(session).toMatchObject({ feed: 'simulator', symbols: ['AAPL'], calm_interval_ms: 4000 });
    const claims = JSON.parse(Buffer.from(session.token.split('.')[1] ?? '', 'base64url').toString());
    expect(claims.exp - claims.iat).toBe(600);
    expect(claims.entitlements).toEqual(['quotes:*', 'trades:*', 'orderbook:*', 'depth:*']);
  });

  it('R64 gives no token to other pages, under a foreign name, or through a proxy', async () => {
    for (const path of ['/', '/demo.json']) {
      for (const host of ['evil.example', 'evil.example:8080', 'localhost.evil.example']) {
        expect((await ask(demo.url, path, { host })).status, host).toBe(404);
      }
      for (const header of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']) {
        expect((await ask(demo.url, path, { [header]: '203.0.113.9' })).status, header).toBe(404);
      }
    }
    for (const site of ['cross-site', 'same-site']) {
      expect((await ask(demo.url, '/demo.json', { 'sec-fetch-site': site })).status, site).toBe(403);
    }
  });

  it.each([
    '/../package.json',
    '/dashboard/../demo.js',
    '/%2e%2e/package.json',
    '/demo.js/',
    '//demo.js',
    '/demo.html',
  ])('R64 serves nothing at %s', async path => {
    expect((await ask(demo.url, path)).status).toBe(404);
  });

  it('R64 is only read', async () => {
    const { status, headers } = await ask(demo.url, '/', {}, 'POST');
    expect(status).toBe(405);
    expect(headers.allow).toBe('GET, HEAD');
  });

  it('R64 is charged like any connection attempt', async () => {
    const strict = await startGateway({ ...OWN_KEY, WS_CONNECT_RATE_PER_IP: '2' });
    const statuses = await Promise.all(Array.from({ length: 8 }, async () => (await ask(strict.url, '/')).status));
    await strict.stop('SIGKILL');
    expect(statuses).toContain(200);
    expect(statuses).toContain(429);
  });

  it('R64 is not there where the operator has keys', async () => {
    for (const path of ['/', '/demo.js', '/demo.json']) expect((await ask(guarded.url, path)).status, path).toBe(404);
    expect(guarded.stdout()).not.toContain('  demo ');
  });
});

describe('R64 the dashboard', () => {
  it.each(['/dashboard', '/dashboard/dashboard.js', '/dashboard/dashboard.css', '/dashboard/icon.svg'])(
    'R64 serves %s without the token, as it holds no secret',
    async path => {
      const { status, headers } = await ask(guarded.adminUrl, path);
      expect(status).toBe(200);
      expect(headers['content-security-policy']).toMatch(POLICY);
      const changed = { 'if-none-match': headers.etag ?? '' };
      expect(await ask(guarded.adminUrl, path, changed)).toMatchObject({ status: 304, body: '' });
      expect((await ask(guarded.adminUrl, path, {}, 'HEAD')).headers['content-length']).toBe(headers['content-length']);
      expect((await ask(guarded.adminUrl, path, {}, 'POST')).status).toBe(405);
      expect((await ask(guarded.adminUrl, path, { host: 'evil.example' })).status).toBe(403);
    },
  );

  it('R64 may connect to the client port, by the name in its own address, and nowhere else', async () => {
    const { port } = new URL(guarded.url);
    const host = `localhost:${new URL(guarded.adminUrl).port}`;
    const { headers } = await ask(guarded.adminUrl, '/dashboard', { host });
    const sources = /connect-src ([^;]*)/.exec(String(headers['content-security-policy']))?.[1]?.split(' ') ?? [];
    expect(sources.slice(0, 3)).toEqual(["'self'", `ws://localhost:${port}`, `wss://localhost:${port}`]);
    expect(sources.every(source => source === "'self'" || source.endsWith(`:${port}`))).toBe(true);
  });

  it('R64 is where the admin port leads, by ways that hold behind a proxy', async () => {
    expect(await ask(guarded.adminUrl, '/')).toMatchObject({ status: 308, headers: { location: 'dashboard' } });
    expect(await ask(guarded.adminUrl, '/dashboard/')).toMatchObject({
      status: 308,
      headers: { location: '../dashboard' },
    });
    expect((await ask(guarded.adminUrl, '/dashboard')).body).not.toMatch(/(src|href)="\//);
  });

  it.each(['/dashboard/../api/v1/stats', '/dashboard/%2e%2e/x', '/dashboard/demo.js', '/dashboard/dashboard.html'])(
    'R64 serves nothing at %s without the token',
    async path => {
      expect((await ask(guarded.adminUrl, path)).status).toBe(401);
    },
  );
});
