/** Sites of ops/nats on this machine: real nats-servers with its configurations, certificates and users. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  configurationFile,
  NatsCredentials,
  type NatsNode,
  nodeEnvironment,
} from '../../bench/harness/nats-topology.js';
import { ownFreePort } from '../../src/cli/free-port.js';
import { type NatsServer, startNatsServer } from './nats-server.js';

const NODES = ['n1', 'n2', 'n3'];
/** One node each, so that they are also the names of the nodes. */
const REGIONS = ['eu', 'us', 'ap'] as const;
export type Region = (typeof REGIONS)[number];
export const EDGE = 'edge1';

type Ends = (() => unknown)[];

export class NatsSites {
  readonly credentials: NatsCredentials;
  readonly #folder: string;
  readonly #binary: string;

  private constructor(folder: string, binary: string) {
    this.#folder = folder;
    this.#binary = binary;
    this.credentials = new NatsCredentials(join(folder, 'secrets'), [...NODES, ...REGIONS], [EDGE]);
  }

  /** @param binary nats-server */
  static async open(binary: string): Promise<NatsSites> {
    return new NatsSites(await mkdtemp(join(tmpdir(), 'millrace-sites-')), binary);
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }

  /** @param env of its configuration, where it differs from the node's own @param file another configuration */
  async start(
    node: Omit<NatsNode, 'store'>,
    ends: Ends,
    env: Readonly<Record<string, string>> = {},
    file = configurationFile(node.configuration),
  ): Promise<NatsServer> {
    const store = await mkdtemp(join(this.#folder, 'store-'));
    const server = await startNatsServer({
      args: ['-c', file],
      env: { ...nodeEnvironment(this.credentials, { ...node, store }), ...env },
      binary: this.#binary,
    });
    ends.push(() => server.kill());
    return server;
  }

  async cluster(ends: Ends): Promise<{ readonly servers: NatsServer[]; readonly routesPorts: readonly number[] }> {
    const routesPorts = await Promise.all(NODES.map(() => ownFreePort('127.0.0.1')));
    const started = NODES.map((name, i) =>
      this.start(
        { name, configuration: 'cluster', routesPort: routesPorts[i] ?? 0, clusterRoutesPorts: routesPorts },
        ends,
      ),
    );
    return { servers: await Promise.all(started), routesPorts };
  }

  /** Three regions of one node, and a leaf node at the first. */
  async regions(ends: Ends) {
    const [gateways, routes] = await Promise.all(
      [0, 1].map(() => Promise.all(REGIONS.map(() => ownFreePort('127.0.0.1')))),
    );
    const leafPort = await ownFreePort('127.0.0.1');
    const portOf = (ports: readonly number[] | undefined, i: number) => ports?.[i] ?? 0;
    const gatewayPorts = Object.fromEntries(REGIONS.map((region, i) => [region, portOf(gateways, i)]));
    const started = REGIONS.map((region, i) =>
      this.start(
        {
          name: region,
          configuration: 'region',
          region,
          routesPort: portOf(routes, i),
          clusterRoutesPorts: [portOf(routes, i)],
          gatewayPort: portOf(gateways, i),
          gatewayPorts,
          ...(i === 0 ? { leafPort } : {}),
        },
        ends,
      ),
    );
    const [eu, us, ap] = await Promise.all(started);
    const edge = await this.start({ name: EDGE, configuration: 'edge', hubPort: leafPort }, ends);
    return { servers: { eu, us, ap } as Record<Region, NatsServer>, edge, leafPort };
  }
}
