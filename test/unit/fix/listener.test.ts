/** R73 the listener of FIX clients: TLS handshakes cost, so they are limited before they begin, and in time. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { FixListener } from '../../../src/fix/listener.js';
import { usableCertificate } from '../../../src/gateway/supervision/certificate-files.js';
import { PATIENCE_MS, until } from '../../support/until.js';

const HANDSHAKES_MAX = 2;
const folder = mkdtempSync(join(tmpdir(), 'fix-listener-'));
const [certFile, keyFile] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
let listener: FixListener;
let port: number;
let handshakesSeen: number[];
const served: Socket[] = [];
const clients: Socket[] = [];

beforeAll(() => newCertificate());

function newCertificate(): void {
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost'];
  const files = ['-keyout', keyFile, '-out', certFile, '-days', '2', '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...files], { stdio: 'ignore' });
}

afterAll(() => rmSync(folder, { recursive: true }));

async function listen(handshakeMsMax: number): Promise<void> {
  listener = new FixListener({
    host: '127.0.0.1',
    tls: { certFile, keyFile },
    handshakeMsMax,
    mayConnect: (_socket, handshakes) => {
      handshakesSeen.push(handshakes);
      return handshakes < HANDSHAKES_MAX;
    },
    onConnected: socket => {
      served.push(socket);
      socket.on('error', () => {});
      socket.write('served');
    },
    checkTls: files => usableCertificate(files, 'group'),
    onFault: (_what, cause) => expect.fail(String(cause)),
  });
  port = (await listener.listen(0)) ?? 0;
}

beforeEach(() => {
  handshakesSeen = [];
});

afterEach(() => {
  for (const socket of [...clients.splice(0), ...served.splice(0)]) socket.destroy();
  listener.stop();
});

function kept(socket: Socket): Socket {
  clients.push(socket);
  socket.on('error', () => {});
  return socket;
}

/** A client that begins no handshake. */
const silent = () => kept(connect(port, '127.0.0.1'));
const secure = () => kept(connectTls({ port, host: '127.0.0.1', ca: readFileSync(certFile), servername: 'localhost' }));
const closed = (socket: Socket) => until(() => socket.closed, PATIENCE_MS, 'the connection is closed');
const connected = (count: number) => until(() => handshakesSeen.length === count, PATIENCE_MS, `${count} connections`);

it('R73 a TLS handshake that is not finished in time ends its connection, and is not counted any more', async () => {
  await listen(100);
  const first = silent();
  await connected(1);
  const second = kept(connect(port, '127.0.0.1'));
  // The beginning of a ClientHello.
  second.write(Buffer.from('16030100ff010000fb0303', 'hex'));
  await connected(2);
  await Promise.all([closed(first), closed(second)]);
  // Where the machine is busy, a good handshake takes too long as well: then another client tries.
  let good = secure();
  const isServed = () => {
    if (good.destroyed) good = secure();
    return good.bytesRead > 0 && served.length > 0;
  };
  await until(isServed, PATIENCE_MS, 'a client is served');
  expect(handshakesSeen).toEqual([0, 1, ...handshakesSeen.slice(2).map(() => 0)]);
});

it('R73 more handshakes at once than clients may wait are refused; clients that are served do not count', async () => {
  await listen(60_000);
  for (const count of [1, 2]) {
    secure();
    await until(() => served.length === count, PATIENCE_MS, 'a client is served');
  }
  silent();
  silent();
  await connected(4);
  await closed(silent());
  expect(handshakesSeen).toEqual([0, 0, 0, 1, 2]);
  expect(served).toHaveLength(2);
});

it('R48 R73 clients get a renewed certificate once it is usable; until then, the current one', async () => {
  await listen(60_000);
  const files = [keyFile, certFile].map(file => [file, readFileSync(file)] as const);
  const first = secure();
  await until(() => served.length === 1 && first.bytesRead > 0, PATIENCE_MS, 'a client is served');
  writeFileSync(certFile, 'no certificate');
  expect(await listener.renewCertificate()).toMatch(/PEM/);
  const again = kept(connectTls({ port, host: '127.0.0.1', ca: files[1]?.[1], servername: 'localhost' }));
  await until(() => served.length === 2 && again.bytesRead > 0, PATIENCE_MS, 'a client gets the current one');
  newCertificate();
  expect(await listener.renewCertificate()).toBeUndefined();
  const renewed = secure();
  await until(() => served.length === 3 && renewed.bytesRead > 0, PATIENCE_MS, 'a client gets the renewed one');
  expect(first.destroyed).toBe(false);
});

it('R73 what is no TLS ends that connection alone', async () => {
  await listen(60_000);
  const plain = silent();
  plain.write('8=FIX.4.4\x019=5\x0135=0\x0110=161\x01');
  await closed(plain);
  const good = secure();
  await until(() => served.length === 1 && good.bytesRead > 0, PATIENCE_MS, 'a client is served');
});
