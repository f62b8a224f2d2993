/** Alertmanager with the configuration of ops/alertmanager, and the services that it tells. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { ownFreePort } from '../../src/cli/free-port.js';
import { until } from './until.js';

const FOLDER = fileURLToPath(new URL('../../ops/alertmanager/', import.meta.url));
const HOST = '127.0.0.1';
/** Debian's name, and the project's own. */
const PROGRAM = ['prometheus-alertmanager', 'alertmanager'].find(
  program => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0,
);

export const isAlertmanagerInstalled = PROGRAM !== undefined;

/** What a person reads. */
interface Notification {
  readonly title: string;
  readonly text: string;
}

export interface TestAlertmanager {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  /** Sent to PagerDuty and to Slack so far. */
  readonly pages: readonly Notification[];
  readonly tickets: readonly Notification[];
  /** Brings alerts as Prometheus does. */
  alert(...alerts: readonly Readonly<Record<'labels' | 'annotations', Record<string, string>>>[]): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it as ops/alertmanager says, except for addresses, paths and how long it waits for further alerts. */
export async function startAlertmanager(): Promise<TestAlertmanager> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-alertmanager-'));
  const pages: Notification[] = [];
  const tickets: Notification[] = [];
  const services = await startServices(pages, tickets);
  const servicesUrl = `http://${HOST}:${(services.address() as AddressInfo).port}`;
  writeFileSync(join(directory, 'pagerduty-key'), 'a-key-that-only-tests-know');
  writeFileSync(join(directory, 'slack-url'), `${servicesUrl}/slack`);
  copyFileSync(join(FOLDER, 'millrace.tmpl'), join(directory, 'millrace.tmpl'));
  const config = readFileSync(join(FOLDER, 'alertmanager.yml'), 'utf8')
    .replaceAll('/etc/alertmanager/secrets', directory)
    .replace('global:\n', `global:\n  pagerduty_url: ${servicesUrl}/pager\n`)
    .replace(/group_wait: \w+/g, 'group_wait: 1s')
    .replace(/group_interval: \w+/g, 'group_interval: 1s');
  writeFileSync(join(directory, 'alertmanager.yml'), config);
  const host = `${HOST}:${await ownFreePort(HOST)}`;
  const child = spawn(
    PROGRAM ?? '',
    [
      `--config.file=${join(directory, 'alertmanager.yml')}`,
      `--storage.path=${join(directory, 'data')}`,
      `--web.listen-address=${host}`,
      '--cluster.listen-address=',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log = (log + chunk).slice(-8_192);
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    services.closeAllConnections();
    await new Promise(resolve => services.close(resolve));
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(log);
        return (await fetch(`http://${host}/-/ready`)).ok;
      },
      undefined,
      'Alertmanager is ready',
    );
  } catch (cause) {
    await stop();
    throw cause;
  }
  return {
    host,
    pages,
    tickets,
    stop,
    alert: async (...alerts) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`http://${host}/api/v2/alerts`, {
        method: 'POST',
        headers,
        body: JSON.stringify(alerts),
      });
      if (!response.ok) throw new Error(await response.text());
    },
  };
}

/** PagerDuty and Slack, as far as Alertmanager sees them. */
async function startServices(pages: Notification[], tickets: Notification[]): Promise<Server> {
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await text(request)) as {
      readonly payload?: { readonly summary: string; readonly custom_details: { readonly what: string } };
      readonly attachments?: readonly Notification[];
    };
    if (body.payload !== undefined) pages.push({ title: body.payload.summary, text: body.payload.custom_details.what });
    for (const { title, text: what } of body.attachments ?? []) tickets.push({ title, text: what });
    // PagerDuty's answer to an event that it took; Slack's has no meaning.
    response.writeHead(request.url === '/pager' ? 202 : 200).end('{"status":"success"}');
  });
  await new Promise<void>(resolve => server.listen(0, HOST, resolve));
  return server;
}
