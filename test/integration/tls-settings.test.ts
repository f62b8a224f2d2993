/** J9: what a TLS scan finds, and certificates of clients. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

let directory: string;
const path = (name: string) => join(directory, name);
const gateways: TestGateway[] = [];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-tls-settings-'));
  const selfSigned = (name: string, ...key: readonly string[]) =>
    openssl(
      'req',
      '-x509',
      ...key,
      '-nodes',
      '-keyout',
      path(`${name}.key`),
      '-out',
      path(`${name}.pem`),
      '-subj',
      `/CN=${name}`,
    );
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  selfSigned('rsa', '-newkey', 'rsa:2048');
  selfSigned('ec', ...ec);
  selfSigned('authority', ...ec);
  selfSigned('mallory', ...ec);
  const signed = (name: string, subject: string) => {
    openssl('req', ...ec, '-nodes', '-keyout', path(`${name}.key`), '-out', path('request'), '-subj', subject);
    const by = ['-CA', path('authority.pem'), '-CAkey', path('authority.key'), '-set_serial', '7'];
    openssl('x509', '-req', '-in', path('request'), ...by, '-days', '2', '-out', path(`${name}.pem`));
  };
  signed('desk', '/O=House/OU=institutional/OU=risk/CN=desk-7');
  signed('retail', '/CN=bob');
  signed('nobody', '/O=House');
});

afterAll(async () => {
  await Promise.all(gateways.map(gateway => gateway.stop('SIGINT')));
  rmSync(directory, { recursive: true, force: true });
});

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}

async function gatewayWith(certificate: string, env: Readonly<Record<string, string>> = {}): Promise<TestGateway> {
  const files = { TLS_CERT: path(`${certificate}.pem`), TLS_KEY: path(`${certificate}.key`) };
  const gateway = await startGateway({ ...files, WORKERS: '1', SIM_RATE: '100', ...env });
  gateways.push(gateway);
  return gateway;
}

/** What `openssl s_client` agrees on with the gateway; undefined where there is no handshake. */
function agreed(gateway: TestGateway, ...options: readonly string[]): Promise<string | undefined> {
  const child = spawn('openssl', ['s_client', '-connect', new URL(gateway.url).host, ...options], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  child.stdout.on('data', chunk => {
    text += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => {
      const cipher = /Cipher is (\S+)/.exec(text)?.[1];
      resolve(cipher === undefined || cipher === '(NONE)' ? undefined : cipher);
    });
  });
}

const suite = (gateway: TestGateway, name: string) => agreed(gateway, '-tls1_2', '-cipher', `${name}:@SECLEVEL=0`);

describe('R48 J9: a TLS scan', () => {
  let rsa: TestGateway;
  let ec: TestGateway;
  beforeAll(async () => {
    rsa = await gatewayWith('rsa');
    ec = await gatewayWith('ec');
  });

  it.each([
    'AES128-SHA',
    'AES256-SHA',
    'AES128-GCM-SHA256',
    'AES256-GCM-SHA384',
    'DES-CBC3-SHA',
    'ECDHE-RSA-AES128-SHA',
    'ECDHE-RSA-AES256-SHA',
    'ECDHE-RSA-AES128-SHA256',
    'ECDHE-PSK-CHACHA20-POLY1305',
    'PSK-AES128-CBC-SHA',
  ])('J9: finds no %s', async name => {
    expect(await suite(rsa, name)).toBeUndefined();
  });

  it.each(['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'])('J9: finds ECDHE with %s', async rest => {
    expect(await suite(rsa, `ECDHE-RSA-${rest}`)).toBe(`ECDHE-RSA-${rest}`);
    expect(await suite(ec, `ECDHE-ECDSA-${rest}`)).toBe(`ECDHE-ECDSA-${rest}`);
  });

  it('J9: finds TLS 1.3, and nothing below 1.2', async () => {
    expect(await agreed(rsa, '-tls1_3')).toMatch(/^TLS_/);
    expect(await agreed(rsa, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0')).toBeUndefined();
    expect(await agreed(rsa, '-tls1', '-cipher', 'ALL:@SECLEVEL=0')).toBeUndefined();
  });

  it('J9: finds the suites that TLS_CIPHERS leaves, and no other', async () => {
    const gateway = await gatewayWith('rsa', { TLS_CIPHERS: 'ECDHE-RSA-AES128-GCM-SHA256' });
    expect(await suite(gateway, 'ECDHE-RSA-AES128-GCM-SHA256')).toBe('ECDHE-RSA-AES128-GCM-SHA256');
    expect(await suite(gateway, 'ECDHE-RSA-AES256-GCM-SHA384')).toBeUndefined();
    expect(await agreed(gateway, '-tls1_3')).toMatch(/^TLS_/);
  });

  it('J9: finds nothing below TLS_MIN_VERSION=1.3, whatever suite it offers', async () => {
    const gateway = await gatewayWith('rsa', { TLS_MIN_VERSION: '1.3' });
    expect(await agreed(gateway, '-tls1_2', '-cipher', 'ALL:@SECLEVEL=0')).toBeUndefined();
    const psk = ['-psk', '00', '-cipher', 'ECDHE-PSK-CHACHA20-POLY1305:@SECLEVEL=0'];
    expect(await agreed(gateway, '-tls1_2', ...psk)).toBeUndefined();
    expect(await agreed(gateway, '-tls1_3')).toMatch(/^TLS_/);
    expect(await upgrade(gateway, '/ws')).toBe(101);
  });

  it('J9 J11: a key that others may read stops the start', async () => {
    chmodSync(path('mallory.key'), 0o644);
    await expect(gatewayWith('mallory')).rejects.toThrow(/TLS_KEY=.*every user of this machine may read it/);
    chmodSync(path('mallory.key'), 0o600);
  });
});

/** The status of an upgrade; 0 where there was no handshake. */
async function upgrade(gateway: TestGateway, target: string, options: ClientOptions = {}): Promise<number> {
  const socket = new WebSocket(`${gateway.url}${target}`, { rejectUnauthorized: false, ...options });
  const status = await new Promise<number>(resolve => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.once('error', () => resolve(0));
  });
  socket.terminate();
  return status;
}

const shows = (name: string) => ({
  cert: readFileSync(path(`${name}.pem`)),
  key: readFileSync(path(`${name}.key`)),
});

describe('R48 J9: client certificates', () => {
  const authority = () => ({ TLS_CLIENT_CA: path('authority.pem') });

  it('J9: are welcome where they are optional, and grant nothing', async () => {
    const gateway = await gatewayWith('ec', authority());
    expect(await upgrade(gateway, '/ws')).toBe(101);
    expect(await upgrade(gateway, '/ws', shows('desk'))).toBe(101);
    expect(await upgrade(gateway, '/ws/quotes?symbols=AAPL', shows('desk'))).toBe(401);
    // One of another authority ends the handshake.
    expect(await upgrade(gateway, '/ws', shows('mallory'))).toBe(0);
  });

  it('J9: are demanded beside the token where they are required', async () => {
    const gateway = await gatewayWith('ec', { ...authority(), TLS_CLIENT_AUTH: 'required' });
    const target = `/ws/quotes?symbols=AAPL&token=${await testToken()}`;
    expect(await upgrade(gateway, target)).toBe(401);
    expect(await upgrade(gateway, target, shows('desk'))).toBe(101);
    expect(await upgrade(gateway, target, shows('mallory'))).toBe(0);
    expect(await upgrade(gateway, '/ws/quotes?symbols=AAPL', shows('desk'))).toBe(401);
  });

  it('J9: name the user where they stand for a token', async () => {
    const gateway = await gatewayWith('ec', { ...authority(), TLS_CLIENT_AUTH: 'user' });
    expect(await upgrade(gateway, '/ws/quotes?symbols=AAPL')).toBe(401);
    expect(await upgrade(gateway, '/ws/orders', shows('desk'))).toBe(101);
    // The tier is the subject's: realtime is for institutional users only.
    expect(await upgrade(gateway, '/ws/quotes?symbols=AAPL&class=realtime', shows('desk'))).toBe(101);
    expect(await upgrade(gateway, '/ws/quotes?symbols=AAPL&class=realtime', shows('retail'))).toBe(403);
    expect(await upgrade(gateway, '/ws/quotes?symbols=AAPL', shows('retail'))).toBe(101);
    expect(await upgrade(gateway, '/ws/quotes?symbols=AAPL', shows('nobody'))).toBe(401);
    expect(await upgrade(gateway, '/ws/quotes?symbols=AAPL', shows('mallory'))).toBe(0);
    // A token that comes beside it is the credential.
    expect(await upgrade(gateway, '/ws/quotes?symbols=AAPL&token=nonsense', shows('desk'))).toBe(401);
  });

  it('J9: of another authority are taken once TLS_CLIENT_CA names it, and a key that others may read is not', async () => {
    const live = path('live-authority.pem');
    const key = path('live.key');
    copyFileSync(path('authority.pem'), live);
    copyFileSync(path('ec.key'), key);
    const gateway = await gatewayWith('ec', { TLS_KEY: key, TLS_CLIENT_CA: live, TLS_CLIENT_AUTH: 'required' });
    const target = `/ws?token=${await testToken()}`;
    expect(await upgrade(gateway, target, shows('desk'))).toBe(101);
    chmodSync(key, 0o644);
    process.kill(gateway.pid, 'SIGHUP');
    await until(() => gateway.log().includes('every user of this machine may read it'), 30_000);
    chmodSync(key, 0o600);
    copyFileSync(path('mallory.pem'), live);
    process.kill(gateway.pid, 'SIGHUP');
    await until(async () => (await upgrade(gateway, target, shows('mallory'))) === 101, 30_000);
    expect(await upgrade(gateway, target, shows('desk'))).toBe(0);
  });

  it('I7 R33 end with 4500 once their authority is removed from TLS_CLIENT_CA, and others stay', async () => {
    const live = path('removed-authority.pem');
    const both = `${readFileSync(path('authority.pem'), 'utf8')}${readFileSync(path('mallory.pem'), 'utf8')}`;
    writeFileSync(live, both);
    const gateway = await gatewayWith('ec', { TLS_CLIENT_CA: live, TLS_CLIENT_AUTH: 'user' });
    const open = (name: string) =>
      TestClient.connect(`${gateway.url}/ws/orders`, { rejectUnauthorized: false, ...shows(name) });
    const [desk, retail, mallory] = [await open('desk'), await open('retail'), await open('mallory')];
    copyFileSync(path('mallory.pem'), live);
    for (const client of [desk, retail]) {
      await until(() => client.closed !== undefined, 30_000, 'the connection is closed');
      expect(client.closed?.code).toBe(4500);
    }
    mallory.send({ action: 'ping', id: 'p' });
    await mallory.arrived('pong');
    await mallory.close();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('J9: are still those of a %s session that is resumed', async version => {
    const gateway = await gatewayWith('ec', { ...authority(), TLS_CLIENT_AUTH: 'user' });
    const { hostname: host, port } = new URL(gateway.url);
    const answerOf = async (session?: Buffer) => {
      const options = { host, port: Number(port), rejectUnauthorized: false, minVersion: version, maxVersion: version };
      const socket: TLSSocket = connect({
        ...options,
        ...shows('desk'),
        ...(session === undefined ? {} : { session }),
      });
      let latest: Buffer | undefined;
      socket.on('session', ticket => {
        latest = ticket;
      });
      const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
      socket.write(
        `GET /ws/orders HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${key}\r\n\r\n`,
      );
      const head = await new Promise<string>((resolve, reject) => {
        let text = '';
        socket.on('data', chunk => {
          text += chunk.toString('latin1');
          if (text.includes('\r\n\r\n')) resolve(text);
        });
        socket.once('error', reject);
        socket.once('close', () => reject(new Error('closed without an answer')));
      });
      const isReused = socket.isSessionReused();
      socket.destroy();
      return { status: /^HTTP\/1.1 (\d+)/.exec(head)?.[1], session: latest, isReused };
    };
    const first = await answerOf();
    expect(first).toMatchObject({ status: '101', isReused: false });
    expect(await answerOf(first.session)).toMatchObject({ status: '101', isReused: true });
  });
});
