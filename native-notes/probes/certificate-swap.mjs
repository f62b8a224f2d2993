/** A new certificate on a port that is never closed, while the sockets of the old one live on. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import WebSocket from 'ws';
import { probe, until } from './probe.mjs';
import { SSLApp, us_socket_local_port } from './uws.mjs';

const directory = mkdtempSync(join(tmpdir(), 'millrace-probe-'));
const file = name => join(directory, name);

/** @returns {any} the typings leave the children out */
const sslApp = (cert, key = cert) => SSLApp({ cert_file_name: file(`${cert}.pem`), key_file_name: file(`${key}.key`) });

function serving(name) {
  const served = { app: sslApp(name), accepted: 0, open: 0 };
  const count = (_, change) => {
    served.accepted += change;
  };
  served.app.filter(count);
  served.app.ws('/*', {
    idleTimeout: 120,
    open(ws) {
      served.open++;
      ws.subscribe('topic');
    },
    close() {
      served.open--;
    },
  });
  return served;
}

const shown = port =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.once('error', reject);
  });

async function client(port) {
  const socket = new WebSocket(`wss://127.0.0.1:${port}/`, { rejectUnauthorized: false });
  const state = { received: 0, isClosed: false, socket };
  socket.on('message', () => state.received++);
  socket.on('close', () => {
    state.isClosed = true;
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return state;
}

await probe(
  'an acceptor in the same thread changes the certificate of a port without closing anything',
  async report => {
    const { check, skip } = report;
    try {
      for (const name of ['first', 'second']) {
        const files = ['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)];
        const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
        execFileSync('openssl', ['req', '-x509', ...key, ...files, '-subj', `/CN=${name}`], { stdio: 'ignore' });
      }
    } catch {
      skip('there is no openssl to make certificates with');
      return;
    }
    const acceptor = sslApp('first');
    const old = serving('first');
    acceptor.addChildAppDescriptor(old.app.getDescriptor());
    let port = -1;
    acceptor.listen('127.0.0.1', 0, token => {
      port = us_socket_local_port(token);
    });
    const early = await client(port);
    check((await shown(port)) === 'first', 'a client without SNI is shown the first certificate');
    await until(() => old.accepted === 1, 'the plain socket is gone');
    check(
      old.open === 1,
      'filter counts a socket that became a WebSocket as accepted for good, and others until they close',
    );

    const renewed = serving('second');
    acceptor.removeChildAppDescriptor(old.app.getDescriptor());
    acceptor.addChildAppDescriptor(renewed.app.getDescriptor());
    check((await shown(port)) === 'second', 'after the change it is shown the second');
    const late = await client(port);
    for (const { app } of [old, renewed]) app.publish('topic', 'hello');
    await until(() => early.received === 1 && late.received === 1, 'both get what is published to both Apps');
    check(!early.isClosed && old.open === 1 && renewed.open === 1, 'the socket of the old App lives on');

    let refused = false;
    try {
      sslApp('first', 'second');
    } catch {
      refused = true;
    }
    check(refused, 'a certificate with the key of another makes the constructor throw');

    early.socket.close();
    await until(() => old.open === 0, 'the last socket of the old App is gone');
    old.app.close();
    check((await shown(port)) === 'second' && !late.isClosed, 'the old App closes, and the new one serves on');
    late.socket.terminate();
    acceptor.close();
    renewed.app.close();
    rmSync(directory, { recursive: true, force: true });
  },
);
