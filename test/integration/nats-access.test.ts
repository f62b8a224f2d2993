/** How firms run NATS: credentials of every kind, replaced while they are in use; prefixes, domains, TLS. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Msg, type NatsConnection } from 'nats';
import { afterEach, describe, expect, it } from 'vitest';
import { revocationOf } from '../../src/auth/revocation-text.js';
import { ownFreePort } from '../../src/cli/free-port.js';
import { readConfig } from '../../src/config/environment.js';
import { JetStreamFeed } from '../../src/feed/jetstream.js';
import { NatsFeed } from '../../src/feed/nats.js';
import { connectNats } from '../../src/feed/nats-connection.js';
import { NatsNames } from '../../src/feed/nats-names.js';
import type { Feed } from '../../src/feed-contract/feed.js';
import { connectPublisher, type Publisher } from '../../src/publisher/index.js';
import { openBucket, writeEntry } from '../../src/revocation/bucket-entries.js';
import { Collector } from '../support/collector.js';
import { feedOptions } from '../support/feed-options.js';
import { NatsIdentities, newNkey } from '../support/nats-identities.js';
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const TIMEOUT_MS = 60_000;
const PASSWORD = 'p@ss, 100%: s3cret';
const URL_PASSWORD = encodeURIComponent(PASSWORD);

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-nats-access-'));
  ends.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A file that only its owner may read. */
async function secretFile(text: string, name = 'secret'): Promise<string> {
  const path = join(await folder(), name);
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

/** As a secret store does it: in one step. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

interface ConfiguredServer extends NatsServer {
  /** Has the server take another configuration. */
  reload(config: string): Promise<void>;
}

/** A server with a configuration file. */
async function server(config = '', options: NatsServerOptions = {}): Promise<ConfiguredServer> {
  const path = join(await folder(), 'nats.conf');
  await writeFile(path, config);
  const started = await startNatsServer({ ...options, args: [...(options.args ?? []), '-c', path] });
  ends.push(() => started.stop());
  return {
    ...started,
    async reload(changed) {
      await writeFile(path, changed);
      process.kill(started.pid, 'SIGHUP');
    },
  };
}

const user = (name: string, password: string, ...rest: string[]) =>
  `{ ${[`user: ${name}`, `password: ${JSON.stringify(password)}`, ...rest].join(', ')} }`;
const users = (...all: string[]) => `authorization { users: [ ${all.join(', ')} ] }\n`;

/** A user that may do everything, for the test itself. */
const TEST_USER = user('test', 'test');

async function tester(at: NatsServer): Promise<NatsConnection> {
  const connection = await connect({ servers: `127.0.0.1:${at.port}`, user: 'test', pass: 'test' });
  ends.push(() => connection.close());
  return connection;
}

const addressOf = ({ port }: NatsServer, credentials: string) => `nats://${credentials}@127.0.0.1:${port}`;
const config = (env: Record<string, string>) => readConfig({ FEED: 'nats', ...env }).nats;

interface Running {
  readonly feed: Feed;
  readonly sink: Collector;
}

async function running(env: Record<string, string>): Promise<Running> {
  return (await tryRunning(env)) ?? expect.fail('the feed does not start');
}

/** Undefined if the feed does not start. */
async function tryRunning(env: Record<string, string>): Promise<Running | undefined> {
  const options = { config: config(env), ...feedOptions() };
  const feed = env.JETSTREAM === 'on' ? new JetStreamFeed(options) : new NatsFeed(options);
  const sink = new Collector();
  ends.push(() => feed.stop());
  if (!(await feed.start(sink)).ok) return undefined;
  await until(() => sink.statuses.length > 0, TIMEOUT_MS, 'the feed has begun');
  return { feed, sink };
}

async function publisherAt(
  nats: Parameters<typeof connectPublisher>[0],
  options: Parameters<typeof connectPublisher>[1] = {},
): Promise<Publisher> {
  const publisher = await connectPublisher(nats, options);
  ends.push(() => publisher.close().catch(() => undefined));
  return publisher;
}

const subjectsOf = ({ sink }: Running) => sink.messages.map(({ subject }) => subject);

describe('N8 R3 a gateway and a publisher', () => {
  it('N8 R3 R48 use the user and password in an address, and show no password', async () => {
    const nats = await server(users(user('feed', PASSWORD), TEST_USER));
    const { sink } = await running({ NATS_URL: addressOf(nats, `feed:${URL_PASSWORD}`) });
    const publisher = await publisherAt({ servers: addressOf(nats, `feed:${URL_PASSWORD}`) });
    await publisher.quote({ symbol: 'A', bid: 1 });
    await until(() => sink.messages.length === 1);

    const wrong = new NatsFeed({ config: config({ NATS_URL: addressOf(nats, 'feed:hunter2') }), ...feedOptions() });
    ends.push(() => wrong.stop());
    const refused = await failureOf(wrong);
    expect(refused).toMatch(/^(?!.*hunter2).*127\.0\.0\.1.*Authorization Violation/s);
    await expect(connectPublisher({ servers: addressOf(nats, 'feed:hunter2') })).rejects.toThrow(/^(?!.*hunter2)/);
  });

  it('N8 R3 use the token in an address, and the server of a list that runs', async () => {
    const gone = await server();
    await gone.stop();
    const nats = await server('authorization { token: "t0k:en" }');
    const url = `nats://t0k%3Aen@127.0.0.1:${gone.port},nats://127.0.0.1:${nats.port}`;
    const { sink } = await running({ NATS_URL: url });
    const publisher = await publisherAt({ servers: url.split(',') });
    await publisher.quote({ symbol: 'A', bid: 1 });
    await until(() => sink.messages.length === 1);
  });

  it('N8 R48 refuse a server without TLS behind tls://', async () => {
    const { port } = await server();
    const feed = new NatsFeed({ config: config({ NATS_URL: `tls://127.0.0.1:${port}` }), ...feedOptions() });
    ends.push(() => feed.stop());
    expect(await failureOf(feed)).toContain('tls');
    await expect(connectPublisher({ servers: `tls://127.0.0.1:${port}` })).rejects.toThrow('tls');
  });
});

describe('N8 R3 a gateway', () => {
  it('N8 R3 signs with the seed of an nkey, from a setting or a file', async () => {
    const { publicKey, seed } = newNkey();
    const { url } = await server(`authorization { users: [ { nkey: ${publicKey} } ] }`);
    await running({ NATS_URL: url, NATS_NKEY_SEED: seed });
    await running({ NATS_URL: url, NATS_NKEY_SEED_FILE: await secretFile(`${seed}\n`) });
  });

  it('N8 R3 reads a password and a token from files', async () => {
    const byPassword = await server(users(user('feed', PASSWORD)));
    await running({
      NATS_URL: byPassword.url,
      NATS_USER: 'feed',
      NATS_PASSWORD_FILE: await secretFile(`${PASSWORD}\r\n`),
    });
    const byToken = await server(`authorization { token: "t0ken" }`);
    await running({ NATS_URL: byToken.url, NATS_TOKEN_FILE: await secretFile('t0ken') });
  });

  it.each([
    ['NATS_CREDS', 'no creds at all', 'does not contain a user JWT'],
    ['NATS_NKEY_SEED_FILE', 'SUAB', 'nkeys'],
    ['NATS_TOKEN_FILE', '\n', 'it is empty'],
  ])('N8 O4 says which file it cannot use: %s', async (variable, text, problem) => {
    const file = await secretFile(text);
    const feed = new NatsFeed({
      config: config({ NATS_URL: 'nats://127.0.0.1:1', [variable]: file }),
      ...feedOptions(),
    });
    ends.push(() => feed.stop());
    const refused = await failureOf(feed);
    expect(refused).toContain(`${variable}=${JSON.stringify(file)}: cannot be used`);
    expect(refused).toContain(problem);
  });

  it('N8 R3 with NATS_INBOX_PREFIX needs no right on the replies of others', async () => {
    const own = 'permissions: { publish: ">", subscribe: ["md.>", "analytics.*", "control.*", "_INBOX_gw.>"] }';
    const { url } = await server(`${users(user('gw', 'gw', own), TEST_USER)}`, { jetstream: true });
    const env = { NATS_URL: url, NATS_USER: 'gw', NATS_PASSWORD: 'gw', JETSTREAM: 'on' };
    await running({ ...env, NATS_INBOX_PREFIX: '_INBOX_gw' });
  });

  it('N8 R3 R33 with NATS_JS_DOMAIN reads the hub’s JetStream at a leaf node', async () => {
    const leafPort = await ownFreePort('127.0.0.1');
    const leafs = `leafnodes { listen: "127.0.0.1:${leafPort}" }\n`;
    const hub = await server(`${leafs} jetstream { domain: hub }\n${users(TEST_USER)}`, { jetstream: true });
    const rights = 'permissions: { publish: ["md.>", "$JS.hub.API.>"], subscribe: ">" }';
    const remote = `leafnodes { remotes: [ { url: "nats://test:test@127.0.0.1:${leafPort}" } ] }\n`;
    const leaf = await server(`${remote}${users(user('gw', 'gw', rights))}`);
    const env = { NATS_URL: leaf.url, NATS_USER: 'gw', NATS_PASSWORD: 'gw', JETSTREAM: 'on' };
    let reading: Running | undefined;
    // The two servers need a moment to find each other.
    await until(async () => {
      reading = await tryRunning({ ...env, NATS_JS_DOMAIN: 'hub' });
      return reading !== undefined;
    }, TIMEOUT_MS);
    await (await tester(hub)).jetstream().publish('md.quotes.A', '{}');
    await until(() => reading?.sink.messages.length === 1);
    expect(await tryRunning(env)).toBeUndefined();

    const there = config({ ...env, NATS_JS_DOMAIN: 'hub' });
    const connection = await connectNats(there, 'revoking');
    ends.push(() => connection.close());
    const names = new NatsNames(there);
    const manager = await names.manager(connection);
    await openBucket(manager, 'B', 1);
    const revocation = revocationOf({ sub: 'alice' }, Date.now()) ?? expect.fail('no revocation');
    expect(await writeEntry(manager, { bucket: 'B', names }, revocation, undefined)).toMatchObject({ seq: 1 });
  });

  it('N8 R3 with NATS_JS_API_PREFIX reads the stream of another account', async () => {
    const owner = `OWNER { jetstream: enabled, users: [ ${TEST_USER} ]
      exports: [ { service: "$JS.API.>", response_type: stream } ] }`;
    const reader = `READER { users: [ ${user('gw', 'gw')} ]
      imports: [ { service: { account: OWNER, subject: "$JS.API.>" }, to: "TRADING.API.>" } ] }`;
    const nats = await server(`accounts { ${owner}\n ${reader} }`, { jetstream: true });
    const env = { NATS_URL: nats.url, NATS_USER: 'gw', NATS_PASSWORD: 'gw', JETSTREAM: 'on' };
    const { sink } = await running({ ...env, NATS_JS_API_PREFIX: 'TRADING.API' });
    await (await tester(nats)).jetstream().publish('md.quotes.A', '{}');
    await until(() => sink.messages.length === 1);
    expect(await tryRunning(env)).toBeUndefined();
  });
});

describe('N8 R3 NATS_SUBJECT_PREFIX', () => {
  it('N8 R3 stands before every subject of core NATS', async () => {
    const nats = await server();
    const it = await running({ NATS_URL: nats.url, NATS_SUBJECT_PREFIX: 'prod' });
    const { feed, sink } = it;
    const other = await running({ NATS_URL: nats.url, NATS_SUBJECT_PREFIX: 'uat' });
    const none = await running({ NATS_URL: nats.url });
    for (const { feed: each } of [it, other, none]) await each.follow('rooms.desk', true);
    const received: Msg[] = [];
    const connection = await connect({ servers: nats.url });
    ends.push(() => connection.close());
    connection.subscribe('>', { callback: (_error, message) => received.push(message) });
    await connection.flush();

    const publisher = await publisherAt({ servers: nats.url }, { subjectPrefix: 'prod' });
    const ack = await publisher.quote({ symbol: 'BRK.B', bid: 1 });
    await publisher.flush();
    await feed.publish('rooms.desk', Buffer.from('{}'), 'mark', '');
    feed.deadLetter('md.quotes.BRK.B', Buffer.from('?'), 'not JSON');
    connection.publish('prod.control.drain', '{"node":"gw-9"}');
    await until(() => received.length === 4 && sink.messages.length === 2);

    expect(received.map(({ subject }) => subject).sort()).toEqual([
      'prod.control.drain',
      'prod.deadletter.md.quotes.BRK.B',
      'prod.md.quotes.BRK.B',
      'prod.rooms.desk',
    ]);
    expect(ack.subject).toBe('prod.md.quotes.BRK.B');
    expect(subjectsOf(it).sort()).toEqual(['md.quotes.BRK.B', 'rooms.desk']);
    await connection.flush();
    expect([...subjectsOf(other), ...subjectsOf(none)]).toEqual([]);
  });

  it('N8 R3 R29 stands before every subject of the stream, which may hold those of others', async () => {
    const nats = await server('', { jetstream: true });
    const env = { NATS_URL: nats.url, JETSTREAM: 'on', NATS_SUBJECT_PREFIX: 'prod' };
    const connection = await connect({ servers: nats.url });
    ends.push(() => connection.close());
    const manager = await connection.jetstreamManager();
    const it = await running(env);
    const { feed, sink } = it;
    const { config: created } = await manager.streams.info('MILLRACE');
    expect(created.subjects).toEqual(['prod.md.>', 'prod.orders.>', 'prod.analytics.>', 'prod.rooms.>']);

    await manager.streams.add({ name: 'SHARED', subjects: ['eu.>', 'us.>'] });
    const shared = await running({ ...env, NATS_STREAM: 'SHARED', NATS_SUBJECT_PREFIX: 'eu' });
    const publisher = await publisherAt({ servers: nats.url }, { subjectPrefix: 'prod', jetstream: true });
    await publisher.trade({ symbol: 'A', trade_id: '1', price: '1', quantity: '1' });
    await publisher.trade({ symbol: 'A', trade_id: '2', price: '1', quantity: '1' });
    const room = await feed.publish('rooms.desk', Buffer.from('{}'), 'mark', 'key');
    for (const subject of ['us.md.quotes.A', 'eu.md.quotes.A', 'us.md.quotes.A', 'eu.md.quotes.A']) {
      await connection.jetstream().publish(subject, '{}');
    }
    await until(() => sink.messages.length === 3 && shared.sink.messages.length === 2);

    expect(subjectsOf(it)).toEqual(['md.trades.A', 'md.trades.A', 'rooms.desk']);
    expect(room).toMatchObject({ ok: true, position: { seq: 3 } });
    const epoch = sink.messages[0]?.epoch ?? '';
    const range = { subject: 'md.trades.A', epoch, afterSeq: 0, toSeq: 2, messagesMax: 10 };
    expect(await feed.stored(range)).toMatchObject({ ok: true, messages: [{ seq: 1 }, { seq: 2 }] });
    // What the others publish between ours is no loss.
    expect(subjectsOf(shared)).toEqual(['md.quotes.A', 'md.quotes.A']);
    expect(shared.sink.messages.map(({ holeSeq }) => holeSeq ?? 0)).toEqual([0, 0]);
    expect(new Set(shared.sink.messages.map(message => message.epoch)).size).toBe(1);
  });
});

describe('N2 R43 credentials that are replaced while they are in use', () => {
  it('N2 R43 R48 the .creds file: read at each connect; the server’s own words are told and counted', async () => {
    const identities = new NatsIdentities();
    const nats = await server(identities.serverConfig);
    const file = await secretFile('', 'gateway.creds');
    // On a busy machine they may have ended before the feed is connected.
    let started: Running | undefined;
    for (let lifeMs = 2_000; started === undefined; lifeMs *= 2) {
      await replace(file, identities.creds({ expiresMs: Date.now() + lifeMs }));
      started = await tryRunning({ NATS_URL: nats.url, NATS_CREDS: file });
    }
    const { feed, sink } = started;
    await until(() => !sink.live, TIMEOUT_MS, 'the credentials have ended');
    const refusals = () => feed.health?.errors.get('authorization') ?? 0;
    await until(() => refusals() >= 2, TIMEOUT_MS, 'the server refuses the old credentials');
    expect(sink.notices.join('\n')).toMatch(/authentication expired|authorization violation/i);

    await replace(file, identities.creds());
    await until(() => sink.live, TIMEOUT_MS, 'the feed is live with the new credentials');
  });

  it('N2 R43 a password, a token and a seed in files', async () => {
    const [before, after] = [newNkey(), newNkey()];
    const kinds: [string, (isNew: boolean) => string, (isNew: boolean) => string, Record<string, string>][] = [
      [
        'NATS_PASSWORD_FILE',
        isNew => users(user('feed', isNew ? 'new' : 'old')),
        isNew => (isNew ? 'new' : 'old'),
        { NATS_USER: 'feed' },
      ],
      [
        'NATS_TOKEN_FILE',
        isNew => `authorization { token: ${isNew ? 'new' : 'old'} }`,
        isNew => (isNew ? 'new' : 'old'),
        {},
      ],
      [
        'NATS_NKEY_SEED_FILE',
        isNew => `authorization { users: [ { nkey: ${(isNew ? after : before).publicKey} } ] }`,
        isNew => (isNew ? after : before).seed,
        {},
      ],
    ];
    for (const [variable, serverConfig, secret, env] of kinds) {
      const nats = await server(serverConfig(false));
      const file = await secretFile(secret(false));
      const { sink } = await running({ NATS_URL: nats.url, [variable]: file, ...env });
      await nats.reload(serverConfig(true));
      await until(() => !sink.live, TIMEOUT_MS, `${variable}: the server has cut the connection`);
      await replace(file, secret(true));
      await until(() => sink.live, TIMEOUT_MS, `${variable}: live again`);
    }
  });

  it('N2 R47 a file that cannot be used is told, and the last one serves until it can', async () => {
    const nats = await server(users(user('feed', 'old')));
    const file = await secretFile('old');
    const { sink } = await running({ NATS_URL: nats.url, NATS_USER: 'feed', NATS_PASSWORD_FILE: file });
    await replace(file, '');
    await nats.stop();
    await until(() => !sink.live, TIMEOUT_MS, 'the server is away');
    const again = await startNatsServer({ port: nats.port, args: ['--user', 'feed', '--pass', 'old'] });
    ends.push(() => again.stop());
    await until(() => sink.live, TIMEOUT_MS, 'live with the password that was read before');
    expect(sink.notices.join('\n')).toContain(
      `NATS_PASSWORD_FILE=${JSON.stringify(file)}: cannot be used (it is empty)`,
    );
  });
});

/** Why a feed does not start. */
async function failureOf(feed: Feed): Promise<string> {
  const outcome = await feed.start(new Collector());
  return outcome.ok ? '' : outcome.detail;
}
