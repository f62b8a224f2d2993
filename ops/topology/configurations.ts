/** The configurations of ops/ as the topology uses them: the same files, with other addresses, paths and times. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { parseDurationMs } from '../../src/config/duration.js';

const OPS = fileURLToPath(new URL('../', import.meta.url));

const read = (file: string): string => readFileSync(`${OPS}${file}`, 'utf8');

/** A file of ops/ with some of its text replaced. @throws {Error} if it has no such text */
function adapted(file: string, changes: Readonly<Record<string, string>>): string {
  let text = read(file);
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`ops/${file} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

export interface NatsPorts {
  readonly client: number;
  readonly cluster: number;
  readonly monitor: number;
}

/** compose/nats.conf for one node. @param nodes all nodes by their names, in the order of the file */
export function natsConfiguration(
  name: string,
  nodes: Readonly<Record<string, NatsPorts>>,
  storeDirectory: string,
): string {
  const own = nodes[name];
  if (own === undefined) throw new Error(`${name} is no node`);
  const routes = Object.entries(nodes).map(([node, { cluster }]) => [`${node}:6222`, `127.0.0.1:${cluster}`]);
  return adapted('compose/nats.conf', {
    '0.0.0.0:4222': `127.0.0.1:${own.client}`,
    '0.0.0.0:6222': `127.0.0.1:${own.cluster}`,
    '0.0.0.0:8222': `127.0.0.1:${own.monitor}`,
    '/data': JSON.stringify(storeDirectory),
    ...Object.fromEntries(routes),
  });
}

/** compose/haproxy.cfg. @param gateways ports by name */
export function balancerConfiguration(
  port: number,
  healthPort: number,
  gateways: Readonly<Record<string, number>>,
): string {
  const servers = Object.entries(gateways).map(([name, own]) => [`${name}:8080`, `127.0.0.1:${own}`]);
  return adapted('compose/haproxy.cfg', {
    // A user may open fewer files than a container; a connection needs two.
    'maxconn 20000': 'maxconn 400',
    'bind 0.0.0.0:8080': `bind 127.0.0.1:${port}`,
    'bind 0.0.0.0:8404': `bind 127.0.0.1:${healthPort}`,
    ...Object.fromEntries(servers),
  });
}

/** Prometheus' files by their names, from those of ops/prometheus. */
export interface PrometheusOptions {
  readonly alertmanagerPort: number;
  /** Admin ports. */
  readonly gateways: readonly number[];
  readonly intervalSeconds: number;
  /** Each `for:` of the rules is at most that long; undefined: as written. */
  readonly alertsAfterSeconds: number | undefined;
}

interface PrometheusConfiguration {
  global: Record<string, unknown>;
  alerting: unknown;
  scrape_configs: { authorization?: unknown }[];
}

interface Rules {
  readonly groups: readonly { interval?: string; readonly rules: readonly { for?: string }[] }[];
}

export function prometheusFiles(options: PrometheusOptions): Readonly<Record<string, string>> {
  const { alertmanagerPort, gateways, intervalSeconds, alertsAfterSeconds } = options;
  const configuration = parse(read('prometheus/prometheus.yml')) as PrometheusConfiguration;
  const interval = `${intervalSeconds}s`;
  configuration.global = { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval };
  configuration.alerting = { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alertmanagerPort}`] }] }] };
  // On loopback, the admin port needs no token.
  for (const job of configuration.scrape_configs) delete job.authorization;
  const rules = parse(read('prometheus/alerts.yml')) as Rules;
  for (const { rules: ofGroup } of rules.groups) {
    for (const rule of ofGroup) shorten(rule, 'for', alertsAfterSeconds);
  }
  const targets = [{ targets: gateways.map(port => `127.0.0.1:${port}`) }];
  return {
    'prometheus.yml': stringify(configuration),
    'alerts.yml': stringify(rules),
    'targets/gateways.yml': stringify(targets),
  };
}

const WAITS = ['group_wait', 'group_interval'] as const;

interface Route extends Partial<Record<(typeof WAITS)[number], string>> {
  readonly routes?: readonly Route[];
}

interface AlertmanagerConfiguration {
  readonly route: Route;
  readonly receivers: { readonly name: string }[];
}

/** alertmanager/alertmanager.yml, whose receivers all are the alert inbox. @param waitSeconds as `alertsAfterSeconds` */
export function alertmanagerConfiguration(inboxUrl: string, waitSeconds: number | undefined): string {
  const { templates: _templates, ...configuration } = parse(
    read('alertmanager/alertmanager.yml'),
  ) as AlertmanagerConfiguration & { templates?: unknown };
  const receivers = configuration.receivers.map(({ name }) => ({
    name,
    webhook_configs: [{ url: `${inboxUrl}/${name}`, send_resolved: true }],
  }));
  shortenWaits(configuration.route, waitSeconds);
  return stringify({ ...configuration, receivers });
}

function shortenWaits(route: Route, seconds: number | undefined): void {
  for (const wait of WAITS) shorten(route, wait, seconds);
  for (const nested of route.routes ?? []) shortenWaits(nested, seconds);
}

/** Makes a duration at most that long. */
function shorten<Name extends string>(
  of: Partial<Record<Name, string>>,
  name: Name,
  seconds: number | undefined,
): void {
  const given = of[name];
  if (given === undefined || seconds === undefined) return;
  if ((parseDurationMs(given) ?? 0) > seconds * 1000) of[name] = `${seconds}s`;
}
