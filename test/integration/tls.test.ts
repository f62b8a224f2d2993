/** wss, and a certificate that is replaced while clients are connected. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const BUSY_MS = 30_000;
const DAY_SECONDS = 86_400;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-tls-'));
  for (const name of ['first', 'second']) {
    const files = ['-keyout', join(directory, `${name}.key`), '-out', join(directory, `${name}.pem`)];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    execFileSync('openssl', ['req', '-x509', ...key, ...files, '-subj', `/CN=${name}`, '-days', '2'], {
      stdio: 'ignore',
    });
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

/** Puts the certificate of this name, and the key of that one, where the gateway reads them. */
function install(certificate: string, key = certificate): void {
  copyFileSync(join(directory, `${key}.key`), join(directory, 'live.key'));
  copyFileSync(join(directory, `${certificate}.pem`), join(directory, 'live.pem'));
}

async function gatewayWith(certificate: string, env: Record<string, string> = {}): Promise<TestGateway> {
  install(certificate);
  const gateway = await startGateway({
    TLS_CERT: join(directory, 'live.pem'),
    TLS_KEY: join(directory, 'live.key'),
    WORKERS: '2',
    SIM_RATE: '200',
    DRAIN_TIMEOUT: '5s',
    ...env,
  });
  ends.push(() => gateway.stop('SIGINT'));
  return gateway;
}

interface Listener {
  /** Frames so far. */
  frames: number;
  closed: number | undefined;
}

async function listen(gateway: TestGateway): Promise<Listener> {
  const url = `${gateway.url}/ws/quotes?symbols=AAPL,MSFT,GOOGL&token=${await testToken()}`;
  const socket = new WebSocket(url, { rejectUnauthorized: false, perMessageDeflate: false });
  const listener: Listener = { frames: 0, closed: undefined };
  socket.on('message', () => listener.frames++);
  socket.on('close', code => {
    listener.closed = code;
  });
  ends.push(() => socket.terminate());
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  return listener;
}

/** The name in the certificate that a newcomer is shown, by SNI or without. */
function shown(gateway: TestGateway, servername?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname: host, port } = new URL(gateway.url);
    const options = { host, port: Number(port), rejectUnauthorized: false };
    const socket = tlsConnect(servername === undefined ? options : { ...options, servername }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

/** All workers show it, whichever the kernel picks. */
async function expectShown(gateway: TestGateway, name: string): Promise<void> {
  for (let n = 0; n < 12; n++) expect(await shown(gateway, n % 2 === 0 ? undefined : 'feed.example')).toBe(name);
}

const goOn = async (listeners: readonly Listener[]) => {
  const before = listeners.map(({ frames }) => frames);
  await until(() => listeners.every(({ frames }, i) => frames > (before[i] as number) + 3), BUSY_MS, 'data for all');
  expect(listeners.map(({ closed }) => closed)).toEqual(listeners.map(() => undefined));
};

describe('R48 TLS', () => {
  it('R48 SIGHUP brings a new certificate to newcomers, and drops nobody', async () => {
    const gateway = await gatewayWith('first');
    const listeners = await Promise.all(Array.from({ length: 10 }, () => listen(gateway)));
    await expectShown(gateway, 'first');
    const leftSeconds = (await gateway.metric('millrace_certificate_expiry_timestamp_seconds')) - Date.now() / 1000;
    expect(leftSeconds).toBeGreaterThan(DAY_SECONDS);
    expect(leftSeconds).toBeLessThanOrEqual(2 * DAY_SECONDS);
    install('second');
    process.kill(gateway.pid, 'SIGHUP');
    await until(async () => (await shown(gateway)) === 'second', BUSY_MS);
    await until(() => gateway.log().includes('certificate renewed'), BUSY_MS);
    await expectShown(gateway, 'second');
    const newcomers = await Promise.all(Array.from({ length: 10 }, () => listen(gateway)));
    await goOn([...listeners, ...newcomers]);
    // Both kinds are told to go when the gateway does.
    expect(await gateway.stop()).toBe(0);
    await until(() => [...listeners, ...newcomers].every(({ closed }) => closed === 1001), BUSY_MS);
  });

  it('R48 so does a change of the files; what cannot be used is refused with a log line', async () => {
    const gateway = await gatewayWith('first');
    const listeners = await Promise.all(Array.from({ length: 4 }, () => listen(gateway)));
    const refusals = () => gateway.log().match(/certificate unusable/g)?.length ?? 0;
    install('second', 'first');
    await until(() => refusals() === 1, BUSY_MS);
    writeFileSync(join(directory, 'live.pem'), 'no certificate at all');
    await until(() => refusals() === 2, BUSY_MS);
    rmSync(join(directory, 'live.key'));
    await until(() => refusals() === 3, BUSY_MS);
    await expectShown(gateway, 'first');
    await goOn(listeners);
    install('second');
    await until(async () => (await shown(gateway)) === 'second', BUSY_MS);
    await goOn(listeners);
    expect(gateway.log()).not.toMatch(/PRIVATE KEY/);
  });

  it('R48 more certificates than are kept send those on the oldest elsewhere', async () => {
    const gateway = await gatewayWith('first');
    const listeners = [await listen(gateway)];
    for (let n = 1; n <= 4; n++) {
      install(n % 2 === 1 ? 'second' : 'first');
      process.kill(gateway.pid, 'SIGHUP');
      await until(() => (gateway.log().match(/certificate renewed/g)?.length ?? 0) >= n, BUSY_MS);
      await until(async () => (await shown(gateway)) === (n % 2 === 1 ? 'second' : 'first'), BUSY_MS);
      // On both workers, so that each has somebody on each certificate.
      if (n < 4) listeners.push(...(await Promise.all(Array.from({ length: 6 }, () => listen(gateway)))));
    }
    await until(() => listeners[0]?.closed === 1001, BUSY_MS);
    await goOn(listeners.slice(1));
  });

  it('J8 R41 R47 connections that do not even begin a handshake are bounded by address, and others get in', async () => {
    const gateway = await gatewayWith('first', { WS_MAX_PENDING_PER_IP: '10' });
    const { hostname: host, port } = new URL(gateway.url);
    let held = 0;
    for (let n = 0; n < 30; n++) {
      const socket = connect({ host, port: Number(port), localAddress: '127.0.0.3' });
      ends.push(() => socket.destroy());
      socket.on('error', () => {
        // Followed by 'close'.
      });
      await once(socket, 'connect');
      held++;
      socket.once('close', () => held--);
    }
    await until(() => held === 10, BUSY_MS);
    expect(await gateway.metric('millrace_connections_pending')).toBe(10);
    await goOn([await listen(gateway)]);
  });
});
