/**
 * N9: a JetStream cluster of three. One of its nodes dies: how long the gateway adds to the cluster's own silence. Two die:
 * nothing can be stored, and the gateway says so.
 * @module-tag slow
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type JetStreamManager, type NatsConnection } from 'nats';
import { afterEach, expect, it } from 'vitest';
import { ownFreePort } from '../../src/cli/free-port.js';
import { streamCreator } from '../../src/feed/jetstream-stream.js';
import { NatsNames } from '../../src/feed/nats-names.js';
import { StreamFinder } from '../../src/feed/stream-finder.js';
import { systemClock } from '../../src/feed-contract/feed.js';
import { RECOVERY_SILENT_MS_MAX } from '../../src/gateway/events/recovery.js';
import { TestClient } from '../support/client.js';
import { startGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const STREAM = 'MILLRACE';
const NODES = ['n1', 'n2', 'n3'];
/** The node that survives the others. */
const STAYS = 'n1';
/** Two missed heartbeats and a new consumer take it 1.2 s; the rest is for a busy machine. */
const OURS_MS_MAX = 3_000;
const PUBLISH_INTERVAL_MS = 20;
/** Taken from the first answer, the creation time differs in every second or third. */
const ROUNDS = 6;

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

interface Cluster {
  /** By name, as they were started first. */
  readonly servers: ReadonlyMap<string, NatsServer>;
  /** Starts one again, with its store, at its address. */
  readonly restart: (name: string) => Promise<void>;
}

async function cluster(): Promise<Cluster> {
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

/** Longest time between two of these moments. */
function silenceMs(moments: readonly number[]): number {
  return Math.max(...moments.slice(1).map((at, i) => at - (moments[i] ?? 0)));
}

/** Publishes in order, each until the stream has it. @returns when the stream had each */
function publishing(nats: NatsConnection): { readonly storedMs: number[]; readonly stop: () => Promise<void> } {
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
      await new Promise(resolve => setTimeout(resolve, PUBLISH_INTERVAL_MS));
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

async function holders(manager: JetStreamManager, any: NatsServer): Promise<Holders> {
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

/**
 * Moves the leader of the stream, or the consumer, until they and the leader of the cluster are on different nodes: each
 * death then shows one thing.
 */
async function separated(nats: NatsConnection, manager: JetStreamManager, any: NatsServer): Promise<Holders> {
  const apart = await until(async () => {
    const found = await holders(manager, any);
    const isKnown = found.stream !== '' && found.consumer !== '' && found.meta !== '';
    if (isKnown && new Set([found.stream, found.consumer, found.meta]).size === NODES.length) return found;
    if (isKnown && found.stream === found.meta) await nats.request(`$JS.API.STREAM.LEADER.STEPDOWN.${STREAM}`);
    else if (isKnown) await manager.consumers.delete(STREAM, found.consumerName);
    await new Promise(resolve => setTimeout(resolve, 1_000));
    return undefined;
  }, 60_000);
  return apart as Holders;
}

/** A stream on all nodes, a gateway that reads it, and its client. @param connectsTo the nodes that the gateway is told of */
async function site(servers: ReadonlyMap<string, NatsServer>, connectsTo: readonly string[], env = {}) {
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

it.each(['consumer', 'stream'] as const)(
  'N9: the node of the %s dies: the gateway adds little to the silence',
  async which => {
    const { servers } = await cluster();
    const any = servers.get('n1') as NatsServer;
    const { nats, manager, gateway, client } = await site(servers, NODES);
    const cameMs: number[] = [];
    client.socket.on('message', data => {
      if (String(data).includes('trade_id')) cameMs.push(performance.now());
    });
    const { storedMs, stop } = publishing(nats);
    await until(() => cameMs.length > 50);
    const node = servers.get((await separated(nats, manager, any))[which]) as NatsServer;
    await until(() => cameMs.length >= storedMs.length - 1);
    const [storedBefore, cameBefore] = [storedMs.length, cameMs.length];
    const loggedBefore = gateway.log().length;
    await node.kill();
    await until(() => storedMs.length > storedBefore + 100 && cameMs.length > cameBefore + 100, 60_000);
    await stop();
    await until(() => cameMs.length >= storedMs.length);
    const [theirs, total] = [silenceMs(storedMs.slice(storedBefore - 1)), silenceMs(cameMs.slice(cameBefore - 1))];
    console.log(
      `the node of the ${which} died: ${Math.round(total)} ms of silence, ${Math.round(theirs)} ms of them the cluster's`,
    );
    expect(total - theirs).toBeLessThan(OURS_MS_MAX);
    if (which === 'consumer') expect(gateway.log().slice(loggedBefore)).toMatch(/heartbeats missed|disconnected/);
    const ids = client.frames.filter(({ type }) => type === 'trade_executed').map(({ trade_id: id }) => Number(id));
    expect(ids).toEqual(ids.map((_, i) => (ids[0] ?? 0) + i));
  },
);

it('N9 R15: without a quorum, the gateway says that prices are old, wherever its consumer is', async () => {
  const { servers, restart } = await cluster();
  const { nats, manager, gateway, client } = await site(servers, [STAYS]);
  const { storedMs, stop } = publishing(nats);
  ends.push(stop);
  await until(() => storedMs.length > 50);
  // Its consumer, which has one replica, is on the node that it is connected to: it notices nothing by itself.
  await until(async () => {
    const { consumer, consumerName } = await holders(manager, servers.get(STAYS) as NatsServer);
    if (consumer === STAYS) return true;
    if (consumer !== '') await manager.consumers.delete(STREAM, consumerName);
    await new Promise(resolve => setTimeout(resolve, 1_000));
    return false;
  }, 60_000);
  const others = [...servers].filter(([name]) => name !== STAYS);
  const of = (status: string) => client.frames.filter(({ type, feed }) => type === 'status' && feed === status).length;
  const liveBefore = of('live');
  await Promise.all(others.map(([, server]) => server.kill()));
  await until(() => of('stale') > 0, 60_000);
  // Its connection and its consumer have told it nothing.
  expect(gateway.log()).not.toMatch(/disconnected|"feed":"jetstream".*heartbeats missed/);
  await Promise.all(others.map(([name]) => restart(name)));
  await until(() => of('live') > liveBefore, 60_000);
  const before = storedMs.length;
  await until(() => storedMs.length > before + 20, 60_000);
});

it('N9 R29: a client that returns while there is no quorum waits, and then has all that the stream holds', async () => {
  const { servers, restart } = await cluster();
  // The gateway keeps no events itself: they come from the stream.
  const { nats, gateway, client } = await site(servers, [STAYS], { HISTORY_BYTES: '0' });
  const { storedMs, stop } = publishing(nats);
  ends.push(stop);
  const seen = await client.next('trades', ({ type }) => type === 'trade_executed');
  client.close();
  await until(() => storedMs.length > 100);
  const live = gateway.log().length;
  const others = [...servers].filter(([name]) => name !== STAYS);
  await Promise.all(others.map(([, server]) => server.kill()));
  await until(() => /"status":"stale"/.test(gateway.log().slice(live)), 60_000);
  const back = await TestClient.connect(`${gateway.url}/ws?token=${await testToken()}`);
  ends.push(() => back.close());
  const since = { epoch: seen.epoch, seq: seen.seq };
  back.send({ action: 'subscribe', stream: 'trades', symbols: ['A'], since, id: 'r' });
  back.send({ action: 'ping', id: 'p' });
  await back.next('the pong', ({ id }) => id === 'p');
  // Longer than a replay may make no progress.
  await new Promise(resolve => setTimeout(resolve, RECOVERY_SILENT_MS_MAX + 5_000));
  expect(back.frames.filter(({ id }) => id === 'r')).toEqual([]);
  await Promise.all(others.map(([name]) => restart(name)));
  const answer = await back.next('the answer', ({ id }) => id === 'r', 60_000);
  expect(answer, gateway.log().slice(live)).toMatchObject({ type: 'subscribed', recovered: true });
  const before = storedMs.length;
  await until(() => storedMs.length > before + 20, 60_000);
  await stop();
  const idsOf = () => back.frames.filter(({ type }) => type === 'trade_executed').map(({ trade_id: id }) => Number(id));
  await until(() => (idsOf().at(-1) ?? 0) >= storedMs.length);
  const first = Number(seen.trade_id) + 1;
  expect(idsOf()).toEqual(Array.from({ length: storedMs.length + 1 - first }, (_, i) => first + i));
  expect(back.frames.filter(({ type }) => type === 'gap')).toEqual([]);
});

it('N9 R29: gateways that start at the same moment take the stream to have one creation time', async () => {
  const { servers } = await cluster();
  const managers = await Promise.all(
    [...servers.values()].map(async ({ url }) => {
      const nats = await connect({ servers: url });
      ends.push(() => nats.close());
      return until(() => nats.jetstreamManager());
    }),
  );
  for (let round = 1; round <= ROUNDS; round++) {
    const stream = `S${round}`;
    const names = new NatsNames({ subjectPrefix: `s${round}`, jsApiPrefix: '$JS.API' });
    const create = streamCreator(names, { replicas: NODES.length, maxBytes: 1024 * 1024 });
    const told = await Promise.all(
      managers.map(manager => {
        const finder = new StreamFinder(stream, systemClock, create, NODES.length);
        // A cluster that has just started has no room for a stream at first.
        return until(() => finder.find(manager, false));
      }),
    );
    const { created } = await (managers[0] as JetStreamManager).streams.info(stream);
    expect(told.map(info => info.created)).toEqual(NODES.map(() => created));
  }
});
