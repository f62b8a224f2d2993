/** Which programs make up the topology, with their addresses, files and settings: what ../compose.yaml does with containers. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { ownFreePort } from '../../src/cli/free-port.js';
import {
  alertmanagerConfiguration,
  balancerConfiguration,
  type NatsPorts,
  natsConfiguration,
  prometheusFiles,
} from './configurations.js';
import type { ProgramOptions } from './program.js';
import type { NeededProgram } from './programs.js';
import { HOST, type Site } from './site.js';

const GATEWAY_PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const NODES = ['nats-1', 'nats-2', 'nats-3'];
const GATEWAYS = ['gateway-1', 'gateway-2'];
const NATS_USER = 'millrace';
const SECRET_BYTES = 32;
/** How often Prometheus asks the gateways and evaluates the rules. */
const SCRAPE_SECONDS = 5;

interface DeploymentOptions {
  readonly site: Site;
  readonly programs: Readonly<Record<NeededProgram, string>>;
  readonly symbols: readonly string[];
  /** Where Alertmanager sends everything. */
  readonly inboxUrl: string;
  /** See `PrometheusOptions`. */
  readonly alertsAfterSeconds: number | undefined;
}

export interface Deployment {
  readonly nats: readonly ProgramOptions[];
  readonly gateways: readonly ProgramOptions[];
  readonly balancer: ProgramOptions;
  readonly monitoring: readonly ProgramOptions[];
  /** Signs the tokens of clients. */
  readonly jwtSecret: string;
  /** Servers with credentials, separated by commas. */
  readonly natsUrl: string;
  /** Of the first server. */
  readonly natsMonitorUrl: string;
  readonly clientUrl: string;
  readonly prometheusUrl: string;
  readonly alertmanagerUrl: string;
  /** By the names of the gateways. */
  readonly adminUrls: Readonly<Record<string, string>>;
}

interface GatewayPorts {
  readonly name: string;
  readonly client: number;
  readonly admin: number;
}

/** Finds free ports and writes all files. */
export async function prepareDeployment(options: DeploymentOptions): Promise<Deployment> {
  const { site } = options;
  const [password, jwtSecret] = [newSecret(), newSecret()];
  const nodes = Object.fromEntries(await Promise.all(NODES.map(async name => [name, await natsPorts()] as const)));
  const gateways = await Promise.all(
    GATEWAYS.map(async name => ({ name, client: await ownFreePort(HOST), admin: await ownFreePort(HOST) })),
  );
  const addresses = Object.values(nodes).map(({ client }) => `${HOST}:${client}`);
  const monitoring = await monitoringPrograms(options, gateways);
  const balancer = await balancerProgram(options, gateways);
  return {
    nats: natsPrograms(options, nodes, password),
    gateways: gatewayPrograms(options, gateways, {
      NATS_URL: addresses.map(address => `nats://${address}`).join(','),
      NATS_USER,
      NATS_PASSWORD_FILE: site.writeSecret('secrets/nats-password', password),
      AUTH_JWT_SECRET_FILE: site.writeSecret('secrets/jwt-secret', jwtSecret),
    }),
    balancer,
    monitoring: monitoring.programs,
    jwtSecret,
    natsUrl: addresses.map(address => `nats://${NATS_USER}:${password}@${address}`).join(','),
    natsMonitorUrl: `http://${HOST}:${Object.values(nodes)[0]?.monitor}`,
    clientUrl: balancer.address,
    prometheusUrl: monitoring.prometheusUrl,
    alertmanagerUrl: monitoring.alertmanagerUrl,
    adminUrls: Object.fromEntries(gateways.map(({ name, admin }) => [name, `http://${HOST}:${admin}`])),
  };
}

function natsPrograms(
  { site, programs }: DeploymentOptions,
  nodes: Readonly<Record<string, NatsPorts>>,
  password: string,
): ProgramOptions[] {
  return Object.entries(nodes).map(([name, { client, monitor }]) =>
    site.program({
      name,
      command: programs['nats-server'],
      args: ['-c', site.write(`${name}.conf`, natsConfiguration(name, nodes, site.path(name)))],
      // In quotes: the server parses the value, and would take digits for a number.
      env: { NATS_NAME: name, NATS_PASSWORD: `'${password}'` },
      readyUrl: `http://${HOST}:${monitor}/healthz`,
      address: `nats://${HOST}:${client}`,
    }),
  );
}

function gatewayPrograms(
  { site, symbols }: DeploymentOptions,
  gateways: readonly GatewayPorts[],
  credentials: Readonly<Record<string, string>>,
): ProgramOptions[] {
  return gateways.map(({ name, client, admin }) =>
    site.program({
      name,
      command: process.execPath,
      args: [GATEWAY_PROGRAM, 'serve'],
      env: {
        ...credentials,
        HOST,
        PORT: String(client),
        ADMIN_PORT: String(admin),
        NODE_NAME: name,
        JETSTREAM: 'on',
        NATS_STREAM_REPLICAS: String(NODES.length),
        SYMBOLS: symbols.join(','),
        TRUSTED_PROXIES: HOST,
        // Two gateways, three servers and the clients share this machine.
        WORKERS: '1',
        ENCODERS: '1',
      },
      readyUrl: `http://${HOST}:${admin}/readyz`,
      address: `ws://${HOST}:${client}`,
    }),
  );
}

async function balancerProgram(
  { site, programs }: DeploymentOptions,
  gateways: readonly GatewayPorts[],
): Promise<ProgramOptions> {
  const [port, healthPort] = [await ownFreePort(HOST), await ownFreePort(HOST)];
  const servers = Object.fromEntries(gateways.map(({ name, client }) => [name, client]));
  return site.program({
    name: 'haproxy',
    command: programs.haproxy,
    args: ['-db', '-f', site.write('haproxy.cfg', balancerConfiguration(port, healthPort, servers))],
    readyUrl: `http://${HOST}:${healthPort}/healthz`,
    address: `ws://${HOST}:${port}`,
  });
}

async function monitoringPrograms(
  { site, programs, inboxUrl, alertsAfterSeconds }: DeploymentOptions,
  gateways: readonly GatewayPorts[],
) {
  const [prometheusPort, alertmanagerPort] = [await ownFreePort(HOST), await ownFreePort(HOST)];
  const files = prometheusFiles({
    alertmanagerPort,
    gateways: gateways.map(({ admin }) => admin),
    intervalSeconds: SCRAPE_SECONDS,
    alertsAfterSeconds,
  });
  for (const [name, text] of Object.entries(files)) site.write(`prometheus/${name}`, text);
  const configuration = alertmanagerConfiguration(inboxUrl, alertsAfterSeconds);
  const prometheusUrl = `http://${HOST}:${prometheusPort}`;
  const alertmanagerUrl = `http://${HOST}:${alertmanagerPort}`;
  const alertmanager = site.program({
    name: 'alertmanager',
    command: programs.alertmanager,
    args: [
      `--config.file=${site.write('alertmanager/alertmanager.yml', configuration)}`,
      `--storage.path=${site.path('alertmanager/data')}`,
      `--web.listen-address=${HOST}:${alertmanagerPort}`,
      '--cluster.listen-address=',
    ],
    readyUrl: `${alertmanagerUrl}/-/ready`,
    address: alertmanagerUrl,
  });
  const prometheus = site.program({
    name: 'prometheus',
    command: programs.prometheus,
    args: [
      `--config.file=${site.path('prometheus/prometheus.yml')}`,
      `--storage.tsdb.path=${site.path('prometheus/data')}`,
      `--web.listen-address=${HOST}:${prometheusPort}`,
    ],
    readyUrl: `${prometheusUrl}/-/ready`,
    address: prometheusUrl,
  });
  return { programs: [alertmanager, prometheus], prometheusUrl, alertmanagerUrl };
}

async function natsPorts(): Promise<NatsPorts> {
  return { client: await ownFreePort(HOST), cluster: await ownFreePort(HOST), monitor: await ownFreePort(HOST) };
}

const newSecret = (): string => randomBytes(SECRET_BYTES).toString('hex');
