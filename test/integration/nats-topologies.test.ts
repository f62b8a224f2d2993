/**
 * The configurations of ops/nats, started for real on each nats-server that is there: a publisher, gateways and a client
 * with the rights that they grant, and what they refuse.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { relative } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { configurationFile, type NatsUser } from '../../bench/harness/nats-topology.js';
import { ownFreePort } from '../../src/cli/free-port.js';
import { connectPublisher } from '../../src/publisher/index.js';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { currentNatsServer } from '../support/nats-current.js';
import type { NatsServer } from '../support/nats-server.js';
import { EDGE, NatsSites } from '../support/nats-sites.js';
import { natsServerBinary } from '../support/programs.js';
import { until } from '../support/until.js';
import { runCli } from '../unit/cli/run-cli.js';

const TIMEOUT_MS = 60_000;
const AT_EDGE = { NATS_JS_DOMAIN: 'hub', NATS_INBOX_PREFIX: '_INBOX_edge' };
const JETSTREAM = { JETSTREAM: 'on' };

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

const current = currentNatsServer();
/** The installed one, or the one that `npm run test:nats` names, and a current one. */
const binaries = [...new Set([natsServerBinary(), current])].filter(binary => binary !== undefined);
const versionOf = (binary: string) => execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim();

const quote = (bid: number) => ({ symbol: 'A', bid, ask: bid + 1 });

describe.each(binaries.map(binary => [versionOf(binary), binary] as const))('R68 ops/nats with %s', (_, binary) => {
  let sites: NatsSites;
  beforeAll(async () => {
    sites = await NatsSites.open(binary);
  });
  afterAll(() => sites?.remove());

  const settings = (user: NatsUser, { port }: NatsServer) => sites.credentials.settings(user, port);

  async function natsAs(user: NatsUser, { port }: NatsServer): Promise<NatsConnection> {
    const connection = await connect(sites.credentials.options(user, port));
    ends.push(() => connection.close());
    return connection;
  }

  async function gatewayAt(server: NatsServer, user: NatsUser, env: Record<string, string>): Promise<TestGateway> {
    const gateway = await startGateway({
      ...settings(user, server),
      SYMBOLS: 'A',
      WORKERS: '1',
      ENCODERS: '1',
      ...env,
    });
    ends.push(() => gateway.stop('SIGINT'));
    return gateway;
  }

  async function clientAt(gateway: TestGateway, sub = 'alice'): Promise<TestClient> {
    const token = await testToken({ sub, roles: ['trader'] });
    const client = await TestClient.connect(`${gateway.url}/ws?token=${token}`);
    ends.push(() => client.close());
    for (const named of [{ stream: 'quotes', symbol: 'A' }, { stream: 'trades', symbol: 'A' }, { stream: 'orders' }])
      client.send({ action: 'subscribe', ...named });
    return client;
  }

  /** Publishes quotes and trades until each client has had both. */
  async function published(server: NatsServer, clients: readonly TestClient[], jetstream: boolean): Promise<void> {
    const publisher = await connectPublisher(sites.credentials.options('publisher', server.port), { jetstream });
    ends.push(() => publisher.close());
    let n = 0;
    const types = ['quotes_patch', 'trade_executed', 'order_update'];
    const hasAll = (client: TestClient) => types.every(type => client.ofType(type).length > 0);
    await until(
      async () => {
        n++;
        await publisher.quote(quote(n));
        await publisher.trade({ symbol: 'A', trade_id: n, price: '1', quantity: '1' });
        const order = { action: 'created', order_id: String(n), symbol: 'A', side: 'buy', status: 'new' } as const;
        await publisher.order('alice', { ...order, quantity: '1', filled_quantity: '0' });
        await publisher.flush();
        return clients.every(hasAll);
      },
      TIMEOUT_MS,
      'every client has quotes, trades and orders',
    );
  }

  /** As an operator does it, at a cluster that may still elect its leader. */
  async function createStreams(
    server: NatsServer,
    args: readonly string[] = [],
    env = settings('administrator', server),
  ): Promise<string> {
    const run = await until(
      async () => {
        const { code, stdout } = await runCli(['streams', ...args], env);
        return code === 0 ? stdout : undefined;
      },
      TIMEOUT_MS,
      'millrace streams',
    );
    return run ?? '';
  }

  /** What the server answers to a user that does this. */
  async function refusalOf(server: NatsServer, user: NatsUser, act: (nats: NatsConnection) => unknown) {
    const nats = await natsAs(user, server);
    const refusals: string[] = [];
    void (async () => {
      for await (const { permissionContext: context } of nats.status())
        if (context !== undefined) refusals.push(`${context.operation} ${context.subject}`);
    })();
    act(nats);
    return until(() => refusals[0], TIMEOUT_MS, 'the server refuses');
  }

  /** What each role has no business with. */
  async function expectLeastRights(server: NatsServer): Promise<void> {
    const publishing = (subject: string) => (nats: NatsConnection) => nats.publish(subject, '{}');
    const reading = (subject: string) => (nats: NatsConnection) => nats.subscribe(subject, { callback: () => {} });
    expect(await refusalOf(server, 'gateway', publishing('md.quotes.A'))).toBe('publish md.quotes.A');
    expect(await refusalOf(server, 'gateway', publishing('control.revoke'))).toBe('publish control.revoke');
    expect(await refusalOf(server, 'publisher', reading('orders.>'))).toBe('subscription orders.>');
    expect(await refusalOf(server, 'publisher', publishing('$JS.API.STREAM.DELETE.MILLRACE'))).toMatch(/^publish/);
    expect(await refusalOf(server, 'administrator', reading('md.>'))).toBe('subscription md.>');
  }

  function expectNothingRefused(...gateways: readonly TestGateway[]): void {
    for (const gateway of gateways) expect(gateway.log()).not.toMatch(/permission|may not|refused/i);
  }

  it('one node: everything passes over TLS, and each role has its rights alone', async () => {
    const server = await sites.start({ name: 'n1', configuration: 'one-node' }, ends);
    expect(await createStreams(server, ['--max-bytes', '64MiB'])).toBe(
      'MILLRACE: created, 1 replica (md.> orders.> analytics.> rooms.>)\n' +
        'KV_MILLRACE_REVOCATIONS: created, 1 replica ($KV.MILLRACE_REVOCATIONS.>)\n' +
        'MILLRACE_REVOCATIONS_ORDERS: created, 1 replica (control.revoke)\n',
    );
    expect(await createStreams(server)).toContain('MILLRACE: exists, 1 replica (');
    const gateway = await gatewayAt(server, 'gateway', JETSTREAM);
    await published(server, [await clientAt(gateway)], true);
    await expectLeastRights(server);
    expectNothingRefused(gateway);

    // A server that nobody has vouched for, and a client without TLS.
    const { tls: _, ...plain } = sites.credentials.options('gateway', server.port);
    await expect(connect({ ...plain, reconnect: false })).rejects.toThrow(/certificate/);
    const said = await new Promise<string>((resolve, reject) => {
      const socket = connectTcp(server.port, '127.0.0.1', () => socket.write('CONNECT {"verbose":true}\r\nPING\r\n'));
      let text = '';
      socket.on('data', data => {
        text += data;
      });
      socket.once('close', () => resolve(text)).once('error', reject);
    });
    expect(said).not.toMatch(/PONG|\+OK/);
  });

  it('one node: a password may be a bcrypt hash', async () => {
    // Of `correct horse`, with the least cost.
    const hash = '$2a$04$AmVaqm9/4nybvHLfHkrj6.Gse7AcRQoxOnfMypDTL9zQm7vkuhq0C';
    const server = await sites.start({ name: 'n1', configuration: 'one-node' }, ends, { NATS_GATEWAY_PASSWORD: hash });
    const options = sites.credentials.options('gateway', server.port);
    await (await connect({ ...options, pass: 'correct horse' })).close();
    await expect(connect({ ...options, pass: hash })).rejects.toThrow(/Authorization/);
  });

  it('a cluster of three: streams have three replicas, and only its own nodes join it', async () => {
    const { servers, routesPorts } = await sites.cluster(ends);
    const [first, second, third] = servers as [NatsServer, NatsServer, NatsServer];
    expect(await createStreams(first, ['--max-bytes', '64MiB'])).toContain('MILLRACE: created, 1 replica in eu (');
    expect(await createStreams(first, ['--replicas', '3'])).toContain('MILLRACE: had 1, now 3 replicas in eu (');
    const gateway = await gatewayAt(second, 'gateway', JETSTREAM);
    await published(third, [await clientAt(gateway)], true);
    const manager = await (await natsAs('administrator', first)).jetstreamManager();
    for (const name of ['MILLRACE', 'KV_MILLRACE_REVOCATIONS', 'MILLRACE_REVOCATIONS_ORDERS']) {
      await until(
        async () => {
          const { cluster } = await manager.streams.info(name);
          return cluster?.replicas?.length === 2 && cluster.replicas.every(replica => replica.current);
        },
        TIMEOUT_MS,
        `${name} is current at three nodes`,
      );
    }
    await expectLeastRights(first);
    expectNothingRefused(gateway);

    // The certificate of an edge is good for leaf nodes only.
    await sites.start(
      {
        name: EDGE,
        configuration: 'cluster',
        routesPort: await ownFreePort('127.0.0.1'),
        clusterRoutesPorts: routesPorts,
      },
      ends,
    );
    const isTurnedAway = () => servers.some(server => server.log().includes('TLS route handshake error'));
    await until(isTurnedAway, TIMEOUT_MS, 'the intruder is turned away');
    const { meta_cluster: meta } = (await (await fetch(`${first.monitorUrl}/jsz`)).json()) as {
      meta_cluster: { cluster_size: number };
    };
    expect(meta.cluster_size).toBe(servers.length);
  });

  it('three regions and an edge: all gateways have the data, from the stream and from core NATS', async () => {
    const { servers, edge, leafPort } = await sites.regions(ends);
    const administrator = { ...settings('administrator', servers.eu), NATS_INBOX_PREFIX: '_INBOX_administrator' };
    expect(await createStreams(servers.eu, ['--max-bytes', '64MiB'], administrator)).toContain(
      'MILLRACE: created, 1 replica in eu (',
    );
    const gateways = await Promise.all([
      gatewayAt(servers.ap, 'gateway', { ...JETSTREAM, NODE_NAME: 'ap' }),
      gatewayAt(servers.us, 'gateway', { NODE_NAME: 'us' }),
      gatewayAt(edge, 'edge-gateway', { ...AT_EDGE, ...JETSTREAM, NODE_NAME: 'edge-stream' }),
      gatewayAt(edge, 'edge-gateway', { ...AT_EDGE, NODE_NAME: 'edge-core' }),
    ]);
    const clients = await Promise.all(gateways.map(gateway => clientAt(gateway)));
    await published(servers.eu, clients, true);

    // What gateways at an edge write passes the leaf node too.
    const writer = clients[2] as TestClient;
    writer.send({ action: 'publish', stream: 'rooms', room: 'desk', data: { text: 'hi' }, id: 'm' });
    await writer.next('the ack', frame => frame.type === 'ack' && frame.id === 'm', TIMEOUT_MS);
    const revoked = await runCli(['revoke', '--sub', 'bob'], administrator);
    expect(revoked.code, revoked.stderr).toBe(0);
    expect(revoked.stdout.match(/^\S+ revoked it, kept in kv$/gm)?.sort()).toEqual(
      ['ap', 'edge-core', 'edge-stream', 'us'].map(name => `${name} revoked it, kept in kv`),
    );
    await expectLeastRights(servers.ap);
    expectNothingRefused(...gateways);
    await expectEdgeIsBound(servers.us, leafPort);
  });

  /** An edge whose own configuration allows everything still publishes no market data, and orders no gateway about. */
  async function expectEdgeIsBound(hub: NatsServer, leafPort: number): Promise<void> {
    const file = sites.credentials.file('rogue.conf');
    // An included file is found from the folder of the one that names it.
    const conf = relative(sites.credentials.folder, configurationFile('edge'));
    const users = 'accounts { MARKET { users: [ { user: rogue, password: rogue } ] } }';
    await writeFile(file, `include ${JSON.stringify(conf)}\n${users}\n`);
    const server = await sites.start({ name: EDGE, configuration: 'edge', hubPort: leafPort }, ends, {}, file);
    const options = sites.credentials.options('edge-gateway', server.port);
    const rogue = await connect({ ...options, user: 'rogue', pass: 'rogue' });
    ends.push(() => rogue.close());
    const arrived: string[] = [];
    const listener = await natsAs('gateway', hub);
    for (const subject of ['md.>', 'rooms.>', 'control.revoke', 'control.drain'])
      listener.subscribe(subject, { callback: (_error, { subject: at }) => arrived.push(at) });
    await listener.flush();
    await until(
      async () => {
        for (const subject of ['md.quotes.EVIL', 'control.revoke', 'control.drain', 'rooms.EVIL'])
          rogue.publish(subject, '{}');
        await rogue.flush();
        return arrived.includes('rooms.EVIL');
      },
      TIMEOUT_MS,
      'what an edge may publish arrives',
    );
    expect([...new Set(arrived)]).toEqual(['rooms.EVIL']);
  }
});

it.runIf(current === undefined)('R68 a current nats-server is not there', ({ skip }) => {
  skip('go cannot build it: only the installed nats-server was tried');
});
