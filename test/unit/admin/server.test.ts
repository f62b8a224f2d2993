/** The admin port's HTTP: what it takes, what it refuses, and that nothing a stranger sends ends the process or hangs it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { json } from '../../../src/admin/answers.js';
import { BODY_BYTES_MAX } from '../../../src/admin/body.js';
import { type Caller, change, read } from '../../../src/admin/route.js';
import { AdminServer } from '../../../src/admin/server.js';
import { until } from '../../support/until.js';

const JSON_TYPE = { 'content-type': 'application/json' };

let options: ConstructorParameters<typeof AdminServer>[0];
let server: AdminServer;
let port: number;
let caller: Caller;
let faults: unknown[];
/** Bodies of changes that ran. */
let ran: unknown[];
let release: () => void;
/** Requests that `release` answers. */
let holding: number;
let forbidden: string[];

beforeEach(async () => {
  caller = { role: 'admin', name: 'carol', shown: 'carol' };
  faults = [];
  ran = [];
  forbidden = [];
  holding = 0;
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  options = {
    host: '127.0.0.1',
    port: 0,
    allowedHosts: [],
    access: { of: async () => ({ ok: true, caller }) },
    notReady: () => [],
    pages: { answer: () => undefined },
    metrics: async () => ({ contentType: 'text/plain', text: 'a 1\n' }),
    routes: [
      read('/things', { query: z.strictObject({ limit: z.string().optional() }) }, () => json({})),
      read('/things/*', {}, ({ id }) => json({ id })),
      read('/held', {}, async () => {
        holding++;
        await held;
        return json({ held: true });
      }),
      change('/things', { body: z.strictObject({ name: z.string().optional() }) }, async ({ body }) => {
        ran.push(body);
        return json({});
      }),
    ],
    onForbidden: ({ method, path }) => forbidden.push(`${method} ${path}`),
    onFault: (_what, cause) => faults.push(cause),
  };
  server = new AdminServer(options);
  port = await server.listen();
});
afterEach(async () => {
  release();
  await server.close();
  expect(faults).toEqual([]);
});

const ask = async (path: string, init: RequestInit = {}) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    ...init,
    headers: { connection: 'close', ...init.headers },
  });
  const { error } = (await response.json()) as { error?: { code: string; message: string } };
  return { status: response.status, code: error?.code, message: error?.message, headers: response.headers };
};
const post = (body: string, headers: Record<string, string> = {}) =>
  ask('/api/v1/things', { method: 'POST', body, headers: { ...JSON_TYPE, ...headers } });

/** Sends bytes, and collects what comes back. */
function raw(text: string): { readonly socket: Socket; readonly received: () => string } {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('data', chunk => {
    received += chunk;
  });
  socket.on('error', () => {
    // The server may cut it; tests look at what came before.
  });
  socket.write(text);
  return { socket, received: () => received };
}

const HEAD = `Host: 127.0.0.1\r\n`;
const WEBSOCKET = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`;
const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n';

describe('R61 an offer to upgrade', () => {
  it.each([
    ['websocket', WEBSOCKET],
    ['h2c', H2C],
  ])('R61 to %s is answered as if it were none', async (_name, offer) => {
    const { socket, received } = raw(`GET /healthz HTTP/1.1\r\n${HEAD}${offer}\r\n`);
    await until(() => received().includes('{"status":"ok"}'));
    expect(received()).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  it('R61 behind an unanswered request waits for its turn, and ends nothing', async () => {
    const { socket, received } = raw(
      `GET /api/v1/held HTTP/1.1\r\n${HEAD}\r\nGET /healthz HTTP/1.1\r\n${HEAD}${WEBSOCKET}\r\n`,
    );
    await until(async () => (await ask('/healthz')).status === 200);
    expect(received()).toBe('');
    release();
    await until(() => received().includes('{"status":"ok"}'));
    expect(received()).toContain('{"held":true}');
    socket.destroy();
  });

  it('R61 whose sender resets the connection ends nothing', async () => {
    const { socket } = raw(`GET /api/v1/held HTTP/1.1\r\n${HEAD}${WEBSOCKET}\r\n`);
    await once(socket, 'connect');
    socket.resetAndDestroy();
    expect((await ask('/healthz')).status).toBe(200);
  });

  it('R61 to h2c keeps the body of the change', async () => {
    const body = '{"name":"whole"}';
    const { socket, received } = raw(
      `POST /api/v1/things HTTP/1.1\r\n${HEAD}${H2C}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await until(() => received().startsWith('HTTP/1.1 200 '));
    expect(ran).toEqual([{ name: 'whole' }]);
    socket.destroy();
  });

  it('R61 does not keep the server from closing, nor do silent and half-sent requests', async () => {
    const sockets = [
      raw(''),
      raw('GET /healthz HTT'),
      raw(`GET /api/v1/held HTTP/1.1\r\n${HEAD}${WEBSOCKET}\r\n`),
      raw(`POST /api/v1/things HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{`),
      raw('CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n'),
    ];
    await Promise.all(sockets.map(({ socket }) => socket.connecting && once(socket, 'connect')));
    expect((await ask('/healthz')).status).toBe(200);
    await server.close();
    await until(() => sockets.every(({ socket }) => socket.destroyed));
  });
});

describe('R61 a client that reads no answers', () => {
  it('R61 loses its connection, and holds no place that others need', async () => {
    const page = { status: 200, contentType: 'text/plain', text: 'x'.repeat(20_000_000) };
    const impatient = new AdminServer({ ...options, pages: { answer: () => page }, stillMsMax: 300 });
    const sockets = () => process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length;
    const before = sockets();
    const socket = connect(await impatient.listen(), '127.0.0.1');
    socket.pause().write(`GET /page HTTP/1.1\r\n${HEAD}\r\n`);
    // Both ends are in this process: first the server's goes.
    await until(() => sockets() === before + 2);
    await until(() => sockets() === before + 1);
    expect(socket.destroyed).toBe(false);
    socket.destroy();
    await impatient.close();
  });

  it('R61 is not answered request after request', async () => {
    const { socket } = raw(`GET /api/v1/held HTTP/1.1\r\n${HEAD}\r\n`.repeat(200));
    await until(() => socket.destroyed);
    expect(holding).toBe(16);
  });

  it('R61 still gets all answers to a few requests sent at once', async () => {
    const { socket, received } = raw(`GET /healthz HTTP/1.1\r\n${HEAD}\r\n`.repeat(16));
    await until(() => received().split('{"status":"ok"}').length === 17);
    socket.write(`GET /healthz HTTP/1.1\r\n${HEAD}\r\n`.repeat(16));
    await until(() => received().split('{"status":"ok"}').length === 33);
    socket.destroy();
  });
});

describe('R61 a change', () => {
  it('R61 runs once with its body, and with none', async () => {
    expect((await post('{"name":"a"}')).status).toBe(200);
    expect((await post('')).status).toBe(200);
    expect(ran).toEqual([{ name: 'a' }, {}]);
  });

  it.each([
    ['{', 400, 'not JSON'],
    ['[]', 400, 'the body'],
    ['null', 400, 'the body'],
    ['{"nam":"a"}', 400, 'unknown member: "nam"'],
    ['{"name":1}', 400, 'name'],
    [`{"name":${'['.repeat(100)}${']'.repeat(100)}}`, 400, 'nested'],
    [JSON.stringify({ name: 'x'.repeat(BODY_BYTES_MAX) }), 413, String(BODY_BYTES_MAX)],
  ])('R61 with %.20s… is refused', async (body, status, told) => {
    const answer = await post(body);
    expect([answer.status, answer.message]).toEqual([status, expect.stringContaining(told)]);
    expect(ran).toEqual([]);
  });

  it.each([
    ['text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/jsonp', 415],
    ['application/json; charset=utf-8', 200],
  ])('R61 of the type %s gets %i: a page can send some types to any origin', async (type, status) => {
    expect((await post('{}', { 'content-type': type })).status).toBe(status);
  });

  it.each([
    [{ origin: 'http://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
  ])('R61 of a page with %o gets %i', async (headers, status) => {
    expect((await post('{}', headers)).status).toBe(status);
    expect(ran).toHaveLength(status === 200 ? 1 : 0);
  });

  it('R61 of a page of its own is taken', async () => {
    expect((await post('{}', { origin: `http://127.0.0.1:${port}` })).status).toBe(200);
    expect((await post('{}', { origin: `http://127.0.0.1:${port + 1}` })).status).toBe(403);
  });

  it('R61 is not for who may only read, and that is told', async () => {
    caller = { role: 'operator', name: 'dave', shown: 'dave' };
    expect((await post('{}')).status).toBe(403);
    expect([ran, forbidden]).toEqual([[], ['POST /things']]);
    expect((await ask('/api/v1/things')).status).toBe(200);
  });
});

describe('R61 a request', () => {
  it.each([
    ['GET', '/api/v1/nothing', 404],
    ['GET', '/api/v1/things/a/b', 404],
    ['GET', '/api/v1/things/', 404],
    ['GET', '/api/v1/things/%ff', 400],
    ['GET', '/api/v1/things?limit=1&limit=2', 400],
    ['GET', '/api/v1/things?constructor=1', 400],
    ['PATCH', '/api/v1/things', 405],
    ['POST', '/metrics', 405],
    ['POST', '/healthz', 405],
  ])('R61 %s %s gets %i', async (method, path, status) => {
    const answer = await ask(path, { method });
    expect(answer.status).toBe(status);
    if (status === 405) expect(answer.headers.get('allow')).toContain('GET');
  });

  it('R61 for another host is refused, whatever it asks', async () => {
    const { socket, received } = raw(`GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`);
    await once(socket, 'close');
    expect(received()).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('R61 with HEAD gets the headers of GET', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/things/x%2Fy`, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '12']);
  });
});
