/** What a pager would get: a webhook receiver of Alertmanager that prints each alert once as it fires and as it ends. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

const BODY_BYTES_MAX = 1024 ** 2;
/** Alerts whose last state is remembered; beyond it the oldest may be printed again. */
const ALERTS_MAX = 1_000;

/** As in Alertmanager's webhook, version 4. */
interface Alert {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly fingerprint: string;
}

export interface AlertInbox {
  /** Receivers are paths below it: `<url>/pager`. */
  readonly url: string;
  /** Those that fire now: their names and instances. */
  firing(): string[];
  close(): void;
}

/**
 * @param nameOf what an alert's `instance` is called
 * @param say prints a line
 */
export async function openAlertInbox(
  nameOf: (instance: string) => string,
  say: (line: string) => void,
): Promise<AlertInbox> {
  const known = new Map<string, { readonly title: string; readonly status: Alert['status'] }>();
  const take = (receiver: string, alert: Alert): void => {
    const { status, labels, annotations, fingerprint } = alert;
    const key = `${receiver} ${fingerprint}`;
    const before = known.get(key)?.status;
    if (before === status || (before === undefined && status === 'resolved')) return;
    const title = `${labels.alertname} ${nameOf(labels.instance ?? '')}`.trimEnd();
    known.delete(key);
    known.set(key, { title, status });
    const [oldest] = known.keys();
    if (known.size > ALERTS_MAX && oldest !== undefined) known.delete(oldest);
    say(`ALERT ${status} to ${receiver}: ${title} (severity ${labels.severity ?? 'none'})`);
    if (status === 'resolved') return;
    for (const text of [annotations.summary, annotations.description]) if (text !== undefined) say(`  ${text}`);
    if (annotations.runbook_url !== undefined) say(`  runbook: ${annotations.runbook_url}`);
  };
  const server = createServer((request, response) => {
    const receiver = (request.url ?? '/').slice(1);
    alertsOf(request).then(
      alerts => {
        for (const alert of alerts) take(receiver, alert);
        response.writeHead(204).end();
      },
      (error: Error) => response.writeHead(400).end(error.message),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    firing: () => [...known.values()].filter(({ status }) => status === 'firing').map(({ title }) => title),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function alertsOf(request: IncomingMessage): Promise<readonly Alert[]> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > BODY_BYTES_MAX) throw new Error('too long');
  }
  return (JSON.parse(body) as { alerts: readonly Alert[] }).alerts;
}
