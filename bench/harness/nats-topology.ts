/**
 * The configurations of ops/nats on one machine: credentials as its script makes them, and the environment of each node.
 * The ports between nodes must be known before a node starts; those of clients and of monitoring are picked by the node.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../ops/nats/', import.meta.url));
const ANY_PORT = '127.0.0.1:-1';

type Configuration = 'one-node' | 'cluster' | 'region' | 'edge';

export interface NatsNode {
  readonly name: string;
  readonly configuration: Configuration;
  /** Folder of its streams. */
  readonly store: string;
  /** Its cluster. */
  readonly region?: string;
  /** Where it listens for routes, and those of all nodes of its cluster. */
  readonly routesPort?: number;
  readonly clusterRoutesPorts?: readonly number[];
  readonly gatewayPort?: number;
  /** By region, its own included: where their gateways are reached. */
  readonly gatewayPorts?: Readonly<Record<string, number>>;
  readonly leafPort?: number;
  /** Of a leaf node: where the region is reached. */
  readonly hubPort?: number;
}

/** The users of the configurations; at an edge, `gateway` has a password of its own. */
export type NatsUser = 'gateway' | 'publisher' | 'administrator' | 'edge' | 'edge-gateway';

export class NatsCredentials {
  /** @param folder where ops/nats/credentials.sh puts them @throws {Error} with the script's words */
  constructor(
    readonly folder: string,
    nodes: readonly string[],
    edges: readonly string[] = [],
  ) {
    const run = (...args: string[]) => execFileSync(join(FOLDER, 'credentials.sh'), [folder, ...args]);
    run(...nodes);
    if (edges.length > 0) run('--edge', ...edges);
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  passwordFile(user: NatsUser): string {
    return this.file(`${user}.password`);
  }

  password(user: NatsUser): string {
    return readFileSync(this.passwordFile(user), 'utf8').trim();
  }

  /** Settings of a Millrace process that logs in as this user. */
  settings(user: NatsUser, port: number): Record<string, string> {
    return {
      NATS_URL: `tls://127.0.0.1:${port}`,
      NATS_USER: user === 'edge-gateway' ? 'gateway' : user,
      NATS_PASSWORD_FILE: this.passwordFile(user),
      NATS_TLS_CA: this.file(user === 'edge-gateway' ? 'edge-ca.pem' : 'ca.pem'),
    };
  }

  /** Options of nats.js for this user. */
  options(user: NatsUser, port: number) {
    const { NATS_URL: servers = '', NATS_USER: name = '', NATS_TLS_CA: caFile = '' } = this.settings(user, port);
    return { servers, user: name, pass: this.password(user), tls: { caFile } };
  }
}

export function configurationFile(configuration: Configuration): string {
  return join(FOLDER, `${configuration}.conf`);
}

/** What the node's configuration reads from its environment. */
export function nodeEnvironment(credentials: NatsCredentials, node: NatsNode): Record<string, string> {
  const { name, store, region = 'eu', routesPort, clusterRoutesPorts = [], gatewayPort, leafPort, hubPort } = node;
  const listen = (port: number | undefined) => (port === undefined ? ANY_PORT : `127.0.0.1:${port}`);
  const regions = Object.entries(node.gatewayPorts ?? {});
  const gateways = regions.map(([other, port]) => `{name: ${other}, urls: ["tls://127.0.0.1:${port}"]}`);
  const isEdge = node.configuration === 'edge';
  return {
    ...variablesIn(credentials.file(isEdge ? 'edge.env' : 'servers.env')),
    NATS_NAME: name,
    NATS_LISTEN: ANY_PORT,
    NATS_MONITOR: ANY_PORT,
    NATS_STORE: JSON.stringify(store),
    NATS_CERTIFICATE: JSON.stringify(credentials.file(`${name}.pem`)),
    NATS_KEY: JSON.stringify(credentials.file(`${name}.key`)),
    NATS_CA: JSON.stringify(credentials.file('ca.pem')),
    NATS_EDGE_CA: JSON.stringify(credentials.file('edge-ca.pem')),
    NATS_REGION: region,
    NATS_ROUTES_LISTEN: listen(routesPort),
    NATS_ROUTES: `[${clusterRoutesPorts.map(port => `"tls://127.0.0.1:${port}"`).join(', ')}]`,
    NATS_GATEWAY_LISTEN: listen(gatewayPort),
    NATS_GATEWAYS: `[${gateways.join(', ')}]`,
    NATS_LEAF_LISTEN: listen(leafPort),
    NATS_HUB: `["tls://edge:${credentials.password('edge')}@127.0.0.1:${hubPort ?? 0}"]`,
  };
}

function variablesIn(file: string): Record<string, string> {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return Object.fromEntries(lines.map(line => line.split('=', 2) as [string, string]));
}
