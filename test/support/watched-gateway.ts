/** A gateway that uses everything that metrics tell of, under load, with Prometheus and Alertmanager as ops/ has them. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isAlertmanagerInstalled, startAlertmanager, type TestAlertmanager } from './alertmanager.js';
import { TestClient } from './client.js';
import { startGateway, type TestGateway } from './gateway.js';
import { startIssuer } from './identity-recipes.js';
import { JournalFolder } from './journal/folder.js';
import { type NatsServer, startNatsServer } from './nats-server.js';
import { isMonitoringInstalled, startPrometheus, type TestPrometheus } from './prometheus.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const ADMIN_TOKEN = 'a-token-that-only-tests-know-0123456789';
const SYMBOLS = ['AAPL', 'BTC/USDT', 'ETH/USDT', 'MSFT'];
const MESSAGES_PER_SECOND = '400';
const VALID_SECONDS = 600;
/** As chrony writes it where the clock is 20 µs behind. */
const CHRONY = 'A29FC801,192.0.2.1,3,1796000000.0,0.000020000,0.00001,0.00002,1.0,0.0,0.1,0.004,0.0003,64.2,Normal';

/** What is missing on this machine; empty if nothing is. */
export function missingMonitoring(): string {
  const missing = ['prometheus', 'promtool', 'amtool'].filter(program => !isMonitoringInstalled(program));
  if (!isAlertmanagerInstalled) missing.push('alertmanager');
  return missing.length === 0 ? '' : `${missing.join(', ')}: apt-get install prometheus prometheus-alertmanager`;
}

export interface WatchedGateway {
  readonly gateway: TestGateway;
  readonly adminToken: string;
  readonly prometheus: TestPrometheus;
  readonly alertmanager: TestAlertmanager;
  /** The primary and the backup. */
  readonly nats: readonly [NatsServer, NatsServer];
  stop(): Promise<void>;
}

export async function startWatchedGateway(): Promise<WatchedGateway> {
  const ends: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  };
  try {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-watched-'));
    ends.push(() => rmSync(directory, { recursive: true, force: true }));
    const issuer = await startIssuer();
    ends.push(() => issuer.close());
    const nats = await Promise.all([0, 1].map(() => startNatsServer({ jetstream: true, args: ['-m', '-1'] })));
    const [primary, backup] = nats as [NatsServer, NatsServer];
    ends.push(() => Promise.all(nats.map(server => server.stop())));
    const journal = new JournalFolder();
    ends.push(() => journal.remove());
    const gateway = await startGateway({
      ...journal.env,
      JOURNAL_CHECKPOINTS: 'jetstream',
      ...filesIn(directory),
      PATH: `${directory}:${process.env.PATH ?? ''}`,
      ADMIN_TOKEN,
      AUTH_JWT_SECRET: '',
      AUTH_JWKS_URL: issuer.jwksUrl,
      NATS_URL: primary.url,
      NATS_BACKUP_URL: backup.url,
      JETSTREAM: 'on',
      SYMBOLS: SYMBOLS.join(','),
      WORKERS: '1',
      ENCODERS: '1',
      NODE_NAME: 'gateway-1',
      WS_PING_INTERVAL: '500ms',
      TCP_NOTSENT_LOWAT: '4KiB',
    });
    ends.push(() => gateway.stop('SIGINT'));
    for (const { url } of nats) {
      const publisher = publish(url);
      ends.push(() => endProcess(publisher));
    }
    const clients = await connectClients(gateway, (claims: Record<string, unknown>) => issuer.sign(claims));
    for (const client of clients) ends.push(async () => client.socket.terminate());
    const alertmanager = await startAlertmanager();
    ends.push(() => alertmanager.stop());
    const targets = [new URL(gateway.adminUrl).host];
    const prometheus = await startPrometheus({ targets, adminToken: ADMIN_TOKEN, alertmanager: alertmanager.host });
    ends.push(() => prometheus.stop());
    return { gateway, adminToken: ADMIN_TOKEN, prometheus, alertmanager, nats: [primary, backup], stop };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

/** A certificate, and a chrony that knows the time. @returns the settings that name the certificate */
function filesIn(directory: string): Record<string, string> {
  const [certificate, key] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '90'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', certificate, '-subj', '/CN=localhost'], {
    stdio: 'ignore',
  });
  writeFileSync(join(directory, 'chronyc'), `#!/bin/sh\necho '${CHRONY}'\n`, { mode: 0o755 });
  return { TLS_CERT: certificate, TLS_KEY: key };
}

function publish(url: string): ChildProcess {
  const options = ['--nats', url, '--symbols', SYMBOLS.join(','), '--rate', MESSAGES_PER_SECOND];
  return spawn(process.execPath, [PROGRAM, 'simulate', ...options], { stdio: 'ignore' });
}

/** Of both tiers, both formats and each class; a slow one; and one that gets errors. */
async function connectClients(
  { url }: TestGateway,
  sign: (claims: Record<string, unknown>) => Promise<string>,
): Promise<readonly TestClient[]> {
  const options = { rejectUnauthorized: false };
  const open = async (user: string, tier: string, query: string) => {
    const token = await sign({ sub: user, tier, iat: 0, exp: VALID_SECONDS });
    const client = await TestClient.connect(`${url}/ws?token=${token}&${query}`, options);
    for (const stream of ['quotes', 'orderbook', 'trades'])
      client.send({ action: 'subscribe', stream, symbols: SYMBOLS });
    return client;
  };
  const clients = await Promise.all([
    open('alice', 'institutional', 'class=realtime'),
    open('bob', 'institutional', 'class=16ms&format=msgpack'),
    open('carol', 'retail', 'class=100ms'),
    open('dave', 'institutional', 'class=1000ms&format=msgpack'),
    open('slow', 'retail', 'class=100ms'),
  ]);
  clients[0]?.send({ action: 'subscribe', stream: 'rooms', room: 'desk' });
  clients[1]?.send({ action: 'no such action' });
  clients[4]?.socket.pause();
  return clients;
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
