/** A JetStream cluster of three nodes, and a gateway that reads a stream which all of them hold. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type JetStreamManager, type NatsConnection } from 'nats';
import { ownFreePort } from '../../src/cli/free-port.js';
import { TestClient } from './client.js';
import { startGateway, testToken } from './gateway.js';
import { type NatsServer, startNatsServer } from './nats-server.js';
import { until } from './until.js';

export const STREAM = 'MILLRACE';
export const NODES = ['n1', 'n2', 'n3'];
const PUBLISH_INTERVAL_MS = 20;

/** What ends, after a test, what it has started. */
type Ends = (() => unknown)[];

interface Cluster {
  /** By name, as they were started first. */
  readonly servers: ReadonlyMap<string, NatsServer>;
  /** Starts one again, with its store, at its address. */
  readonly restart: (name: string) => Promise<void>;
}

export async function startCluster(ends: Ends): Promise<Cluster> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-cluster-'));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  const ports = await Promise.all(NODES.map(() => ownFreePort('127.0.0.1')));
  const routes = ports.map(port => `nats://127.0.0.1:${port}`).join(', ');
  const start = async (name: string, port?: number): Promise<NatsServer> => {
    const args = ['-c', join(directory, `${name}.conf`), '-m', '-1'];
    const server = await startNatsServer({ args, ...(port === undefined ? {} : { port }) });
    ends.push(() => server.kill());
    return server;
  };
  const started = await Promise.all(
    NODES.map(async (name, i) => {
      const file = join(directory, `${name}.conf`);
      const store = JSON.stringify(join(directory, name));
      await writeFile(
        file,
        `server_name: ${name}
         jetstream { store_dir: ${store} }
         cluster { name: c, listen: "127.0.0.1:${ports[i]}", routes: [${routes}] }`,
      );
      return [name, await start(name)] as const;
    }),
  );
  const servers = new Map(started);
  return { servers, restart: async name => void (await start(name, servers.get(name)?.port)) };
}

/** Publishes in order, each until the stream has it. @returns when the stream had each */
export function publishing(
  nats: NatsConnection,
  intervalMs = PUBLISH_INTERVAL_MS,
): { readonly storedMs: number[]; readonly stop: () => Promise<void> } {
  const storedMs: number[] = [];
  let isStopped = false;
  const run = async (): Promise<void> => {
    for (let n = 1; !isStopped; n++) {
      const trade = {
        symbol: 'A',
        trade_id: String(n),
        price: '1',
        quantity: '1',
        executed_at: '2024-01-02T03:04:05Z',
      };
      const msgID = String(n);
      while (!isStopped) {
        try {
          await nats.jetstream().publish('md.trades.A', JSON.stringify(trade), { msgID, timeout: 500 });
          storedMs.push(performance.now());
          break;
        } catch {
          // The stream has no leader.
        }
      }
      await new Promise(resolve => setTimeout(resolve, intervalMs));
    }
  };
  const done = run();
  return {
    storedMs,
    stop: async () => {
      isStopped = true;
      await done;
    },
  };
}

/** Nodes: the leaders of the stream and of the cluster, and the one that holds the gateway's consumer. */
interface Holders {
  readonly stream: string;
  readonly consumer: string;
  readonly consumerName: string;
  readonly meta: string;
}

export async function holders(manager: JetStreamManager, any: NatsServer): Promise<Holders> {
  const consumers = await manager.consumers.list(STREAM).next();
  // Consumers that are no longer read stay for a while.
  const [read] = consumers.sort((a, b) => Date.parse(b.created) - Date.parse(a.created));
  const { cluster: leading } = await manager.streams.info(STREAM);
  const jsz = (await (await fetch(`${any.monitorUrl}/jsz`)).json()) as { meta_cluster?: { leader?: string } };
  return {
    stream: leading?.leader ?? '',
    consumer: read?.cluster?.leader ?? '',
    consumerName: read?.name ?? '',
    meta: jsz.meta_cluster?.leader ?? '',
  };
}

/** A stream on all nodes, a gateway that reads it, and its client. @param connectsTo the nodes that the gateway is told of */
export async function startSite(
  ends: Ends,
  servers: ReadonlyMap<string, NatsServer>,
  connectsTo: readonly string[],
  env = {},
) {
  const urlOf = (name: string): string => servers.get(name)?.url ?? '';
  const nats = await connect({ servers: NODES.map(urlOf), maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  ends.push(() => nats.close());
  const manager = await until(() => nats.jetstreamManager());
  await until(() => manager.streams.add({ name: STREAM, subjects: ['md.>'], num_replicas: NODES.length }));
  const gateway = await startGateway({
    NATS_URL: connectsTo.map(urlOf).join(','),
    JETSTREAM: 'on',
    SYMBOLS: 'A',
    WORKERS: '1',
    ENCODERS: '1',
    ...env,
  });
  ends.push(() => gateway.stop('SIGINT'));
  const client = await TestClient.connect(`${gateway.url}/ws/trades?symbols=A&token=${await testToken()}`);
  ends.push(() => client.close());
  return { nats, manager, gateway, client };
}
