/** nginx and HAProxy with the configurations of ops/proxies, in front of the gateways of a test. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownFreePort } from '../../src/cli/free-port.js';
import { until } from './until.js';

const FOLDER = fileURLToPath(new URL('../../ops/proxies/', import.meta.url));
const HOST = '127.0.0.1';
/** Debian's are not in every user's PATH. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin`;

export type ProxyName = 'nginx' | 'haproxy';

/** Whether the program is there, and what to do if not. */
export function isInstalled(name: ProxyName): boolean {
  return spawnSync(name, ['-v'], { stdio: 'ignore', env: { ...process.env, PATH } }).status === 0;
}

export interface TestProxy {
  /** `wss://127.0.0.1:<port>` */
  readonly url: string;
  /** Its certificate, which clients must trust. */
  readonly certificate: string;
  /** All that it logged. */
  log(): string;
  stop(): Promise<void>;
}

/**
 * Starts it as the documentation says, except for ports, paths, numbers of connections and how long an idle one lasts.
 * @param targets `host:port` of two gateways
 */
export async function startProxy(
  name: ProxyName,
  targets: readonly [string, string],
  idleMs: number,
): Promise<TestProxy> {
  const directory = mkdtempSync(join(tmpdir(), `millrace-${name}-`));
  const [certificate, key] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')];
  createCertificate(certificate, key);
  const port = await ownFreePort(HOST);
  const common = { '127.0.0.1:8081': targets[0], '127.0.0.1:8082': targets[1], '90s': `${idleMs}ms` };
  const logs = ['clients.log', 'error.log'].map(file => join(directory, file)) as [string, string];
  let child: ChildProcess;
  if (name === 'nginx') {
    const config = adapted('nginx.conf', {
      ...common,
      'listen 8443': `listen ${HOST}:${port}`,
      '/run/nginx.pid': join(directory, 'pid'),
      '/var/log/nginx/millrace.log': logs[0],
      '/var/log/nginx/error.log': logs[1],
      '/etc/nginx/feed.example.com.pem': certificate,
      '/etc/nginx/feed.example.com.key': key,
    });
    child = run('nginx', ['-c', written(directory, config), '-g', 'daemon off;']);
  } else {
    const both = join(directory, 'both.pem');
    writeFileSync(both, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
    const config = adapted('haproxy.cfg', {
      ...common,
      'maxconn 65536': 'maxconn 1000',
      'bind :8443': `bind ${HOST}:${port}`,
      '/etc/haproxy/feed.example.com.pem': both,
    });
    child = run('haproxy', ['-db', '-f', written(directory, config)]);
  }
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', chunk => {
      output += chunk;
    });
  }
  const end = endWithTests(child);
  const stop = async (): Promise<void> => {
    await end();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await until(
      () => {
        if (child.exitCode !== null) throw new Error(`${name} ended: ${output}`);
        return accepts(port);
      },
      undefined,
      `${name} accepts connections`,
    );
  } catch (cause) {
    await stop();
    throw cause;
  }
  return {
    url: `wss://${HOST}:${port}`,
    certificate: readFileSync(certificate, 'utf8'),
    log: () => (name === 'nginx' ? logs.map(file => readFileSync(file, 'utf8')).join('') : output),
    stop,
  };
}

/** A configuration of ops/proxies with some of its text replaced. @throws if it has no such text */
function adapted(file: string, changes: Readonly<Record<string, string>>): string {
  let text = readFileSync(join(FOLDER, file), 'utf8');
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

function written(directory: string, text: string): string {
  const file = join(directory, 'config');
  writeFileSync(file, text);
  return file;
}

function run(program: string, args: readonly string[]): ChildProcess {
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH } });
}

/** @returns ends it earlier */
function endWithTests(child: ChildProcess): () => Promise<void> {
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  return async () => {
    process.removeListener('exit', kill);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  };
}

function createCertificate(certificate: string, key: string): void {
  const files = ['-keyout', key, '-out', certificate, '-subj', '/CN=feed.example.com', '-days', '2'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-addext', `subjectAltName=IP:${HOST}`];
  execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...names], { stdio: 'ignore' });
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, HOST);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
