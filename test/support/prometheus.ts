/** Prometheus with the configuration of ops/prometheus, against the gateways of a test. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownFreePort } from '../../src/cli/free-port.js';
import { until } from './until.js';

const FOLDER = fileURLToPath(new URL('../../ops/prometheus/', import.meta.url));
const HOST = '127.0.0.1';
/** In place of 10 s and 5 s. */
const SCRAPE_INTERVAL = '1s';

/** One series of an answer. */
export interface PrometheusSample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [seconds: number, text: string];
}

interface PrometheusRule {
  readonly name: string;
  /** `unknown` before the first time. */
  readonly health: 'ok' | 'err' | 'unknown';
  readonly state: 'inactive' | 'pending' | 'firing';
}

export interface TestPrometheus {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** An instant query. @throws {Error} with Prometheus’s words if it does not understand the expression */
  query(expression: string): Promise<readonly PrometheusSample[]>;
  /** Of alerts.yml, as it evaluated them last. */
  rules(): Promise<readonly PrometheusRule[]>;
  stop(): Promise<void>;
}

/** Whether a program of Debian's packages `prometheus` and `prometheus-alertmanager` is there. */
export function isMonitoringInstalled(...programs: readonly string[]): boolean {
  return programs.every(program => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0);
}

interface PrometheusOptions {
  /** `host:port` of the admin ports. */
  readonly targets: readonly string[];
  /** The ADMIN_TOKEN of the gateways. */
  readonly adminToken: string;
  /** `host:port` of the Alertmanager to tell; left out: none is there. */
  readonly alertmanager?: string;
}

/** Starts it as ops/prometheus says, except for targets, paths and how often it asks. */
export async function startPrometheus(options: PrometheusOptions): Promise<TestPrometheus> {
  const { targets, adminToken, alertmanager = '127.0.0.1:9093' } = options;
  const directory = prometheusDirectory(adminToken);
  const text = readFileSync(join(directory, 'prometheus.yml'), 'utf8')
    .replace('scrape_interval: 10s', `scrape_interval: ${SCRAPE_INTERVAL}`)
    .replace('scrape_timeout: 5s', `scrape_timeout: ${SCRAPE_INTERVAL}`)
    .replace('evaluation_interval: 10s', `evaluation_interval: ${SCRAPE_INTERVAL}`)
    .replace('127.0.0.1:9093', alertmanager);
  writeFileSync(join(directory, 'prometheus.yml'), text);
  writeFileSync(join(directory, 'targets/gateways.yml'), JSON.stringify([{ targets }]));
  // The outages that page after half a minute do so sooner.
  const rules = readFileSync(join(directory, 'alerts.yml'), 'utf8').replaceAll('for: 30s', 'for: 2s');
  writeFileSync(join(directory, 'alerts.yml'), rules);
  const port = await ownFreePort(HOST);
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=${HOST}:${port}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const log = tailOf(child);
  const url = `http://${HOST}:${port}`;
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(log());
        return (await fetch(`${url}/-/ready`)).ok;
      },
      undefined,
      'Prometheus is ready',
    );
  } catch (cause) {
    await stop();
    throw cause;
  }
  return { url, stop, query: expression => query(url, expression), rules: () => evaluatedRules(url) };
}

/** A directory as prometheus.yml expects it, to start or check it in. @returns its path; the caller removes it */
export function prometheusDirectory(adminToken: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-prometheus-'));
  for (const name of ['targets', 'secrets']) mkdirSync(join(directory, name));
  for (const file of [
    'prometheus.yml',
    'alerts.yml',
    'alerts.test.yml',
    'alerts.week.test.yml',
    'targets/gateways.yml',
  ]) {
    copyFileSync(join(FOLDER, file), join(directory, file));
  }
  writeFileSync(join(directory, 'secrets/admin-token'), adminToken, { mode: 0o600 });
  return directory;
}

async function query(url: string, expression: string): Promise<readonly PrometheusSample[]> {
  const response = await fetch(`${url}/api/v1/query`, {
    method: 'POST',
    body: new URLSearchParams({ query: expression }),
  });
  const answer = (await response.json()) as {
    readonly error?: string;
    readonly data?: { readonly resultType: string; readonly result: readonly PrometheusSample[] };
  };
  if (answer.data === undefined) throw new Error(`${expression}: ${answer.error}`);
  return answer.data.resultType === 'vector' ? answer.data.result : [];
}

async function evaluatedRules(url: string): Promise<readonly PrometheusRule[]> {
  const response = await fetch(`${url}/api/v1/rules`);
  const { data } = (await response.json()) as { data: { groups: readonly { rules: readonly PrometheusRule[] }[] } };
  return data.groups.flatMap(group => group.rules);
}

/** Its last words, for the message of a failed start; keeps reading so that the pipe never fills. */
function tailOf(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-8_192);
  });
  return () => text;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}
