/**
 * The rights of NATS users, with the ready configurations of ops/nats: with exactly these everything works, and without
 * one of them the gateway names it.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, DiscardPolicy, type JetStreamManager, type Msg, type NatsConnection } from 'nats';
import { afterEach, describe, expect, it } from 'vitest';
import { revocationOf } from '../../src/auth/revocation-text.js';
import { ownFreePort } from '../../src/cli/free-port.js';
import { NatsNames } from '../../src/feed/nats-names.js';
import { matches } from '../../src/feed/subject-patterns.js';
import { connectPublisher } from '../../src/publisher/index.js';
import { BucketWriter } from '../../src/revocation/bucket-writer.js';
import { TestClient } from '../support/client.js';
import { TEST_ENVIRONMENT, testToken } from '../support/gateway.js';
import {
  configurationWithout,
  PASSWORDS,
  type Right,
  type Role,
  rightsOf,
  type Setup,
} from '../support/nats-rights.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';
import { runCli } from '../unit/cli/run-cli.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const TIMEOUT_MS = 100_000;
const BUCKET = 'MILLRACE_REVOCATIONS';
const names = new NatsNames({ subjectPrefix: '', jsApiPrefix: '$JS.API' });

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

const passwordOf = (role: Role) => PASSWORDS[`NATS_${role.toUpperCase()}_PASSWORD` as keyof typeof PASSWORDS];

interface Site {
  readonly setup: Setup;
  readonly nats: NatsServer;
  /** Between the gateway and the server. */
  readonly gate: TcpGate;
  /** A user that may do everything. */
  readonly test: NatsConnection;
}

/** A server with a ready configuration, without one right, and what its administrator creates there. */
async function open(setup: Setup, missing?: Right): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-permissions-'));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'nats.conf');
  await writeFile(file, configurationWithout(setup, join(folder, 'store'), missing));
  const nats = await startNatsServer({ args: ['-c', file], env: PASSWORDS });
  ends.push(() => nats.stop());
  if (setup === 'jetstream') await createStreams(await connectAs(nats, 'administrator'));
  const gate = await TcpGate.open(nats.port);
  ends.push(() => gate.close());
  const test = await connect({ servers: nats.url, user: 'test', pass: 'test' });
  ends.push(() => test.close());
  return { setup, nats, gate, test };
}

async function connectAs(nats: NatsServer, role: Role): Promise<NatsConnection> {
  const connection = await connect({ servers: nats.url, user: role, pass: passwordOf(role) });
  ends.push(() => connection.close());
  return connection;
}

async function createStreams(administrator: NatsConnection): Promise<void> {
  const manager = await administrator.jetstreamManager();
  await manager.streams.add({ name: 'MILLRACE', subjects: ['md.>', 'orders.>', 'analytics.>', 'rooms.>'] });
  await administrator.jetstream().views.kv(BUCKET);
  const orders = { name: `${BUCKET}_ORDERS`, subjects: ['control.revoke'], discard: DiscardPolicy.New, no_ack: true };
  await manager.streams.add(orders);
}

interface GatewayUnderTest {
  readonly log: () => string;
  /** Adds to the log what a gateway would log. */
  readonly say: (detail: string) => false;
  readonly url: () => string;
  /** What NATS has refused, as counted. */
  readonly refusals: () => Promise<number>;
}

/** A gateway, which need not become ready. */
async function gatewayAt({ setup, gate }: Site): Promise<GatewayUnderTest> {
  const adminPort = await ownFreePort('127.0.0.1');
  const stored: Record<string, string> =
    setup === 'jetstream' ? { JETSTREAM: 'on', HISTORY_BYTES: '0' } : { REVOCATIONS_BUCKET: 'off' };
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: {
      PATH: process.env.PATH ?? '',
      ...TEST_ENVIRONMENT,
      WORKERS: '1',
      ENCODERS: '1',
      ADMIN_PORT: String(adminPort),
      SYMBOLS: 'A',
      NATS_URL: `nats://gateway:${passwordOf('gateway')}@127.0.0.1:${gate.port}`,
      ...stored,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, log] = ['', ''];
  child.stdout?.on('data', chunk => {
    stdout += chunk;
  });
  child.stderr?.on('data', chunk => {
    log += chunk;
  });
  const exited = new Promise(resolve => child.once('exit', resolve));
  ends.push(() => {
    child.kill('SIGKILL');
    return exited;
  });
  return {
    log: () => log,
    say: detail => {
      log += `${detail}\n`;
      return false;
    },
    url: () => /clients +(ws:\/\/[^/\s]+)/.exec(stdout)?.[1] ?? '',
    refusals: async () => {
      const url = `http://127.0.0.1:${adminPort}/metrics`;
      const text = await (await fetch(url, { headers: { connection: 'close' } })).text();
      const counts = text.matchAll(/^millrace_feed_errors_total\{kind="(?:[a-z_]+_refused|jetstream)"\} (\d+)$/gm);
      return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
    },
  };
}

/** Subjects that a line of the log names as missing. */
function missingIn(log: string): string[] {
  const lines = log.split('\n').filter(line => /permission|may not|not allowed/i.test(line));
  return lines.flatMap(line => [...line.matchAll(/[\w$]+(?:\.[^\s"'\\,;:)]+)+/g)].map(([subject]) => subject));
}

function isNamed(log: string, right: Right): boolean {
  const isReply = (subject: string) => subject.startsWith('_INBOX.');
  return missingIn(log).some(subject =>
    right.kind === 'allow_responses' ? isReply(subject) : matches(right.subject, subject) || subject === right.subject,
  );
}

const quote = { symbol: 'A', bid: 1 };
const order = { action: 'created', order_id: '1', symbol: 'A', side: 'buy', status: 'new' } as const;

/**
 * Uses everything that a right is for, again and again, until it has worked or `isOver`.
 * @throws {Error} naming what does not work
 */
async function useEverything(site: Site, gateway: GatewayUnderTest, isOver: () => boolean): Promise<void> {
  const step: Step = (what, done) => until(async () => isOver() || (await done()), TIMEOUT_MS, what);
  await step('the gateway is ready', () => gateway.url() !== '');
  if (isOver()) return;
  const token = await testToken({ sub: 'alice@firm.example', roles: ['trader', 'admin'] });
  const client = await TestClient.connect(`${gateway.url()}/ws?token=${token}`);
  ends.push(() => client.close());
  const topics = [{ stream: 'quotes', symbol: 'A' }, { stream: 'trades', symbol: 'A' }, { stream: 'orders' }];
  const named = [...topics, { stream: 'rooms', room: 'desk.7' }, { stream: 'analytics', channel: 'alerts' }];
  const has = (type: string) => client.ofType(type).length > 0;

  const publisher = await connectPublisher({
    servers: `nats://publisher:${passwordOf('publisher')}@127.0.0.1:${site.nats.port}`,
  });
  ends.push(() => publisher.close().catch(() => undefined));
  const letters: Msg[] = [];
  (await connectAs(site.nats, 'publisher')).subscribe('deadletter.>', {
    callback: (_, letter) => letters.push(letter),
  });
  let n = 0;
  await step('market data, orders and analytics', async () => {
    n++;
    await publisher.quote(quote);
    await publisher.trade({ symbol: 'A', trade_id: n, price: '1', quantity: '1' });
    await publisher.order('alice@firm.example', { ...order, quantity: '1', filled_quantity: '0' });
    await publisher.analytics('alerts', { level: n });
    if (n === 1) for (const topic of named) client.send({ action: 'subscribe', ...topic, id: topic.stream });
    return has('quotes_patch') && has('trade_executed') && has('order_update') && has('alert');
  });
  await step('a room message', () => {
    client.send({ action: 'publish', stream: 'rooms', room: 'desk.7', data: { n }, id: `m${n++}` });
    return has('room_message') && has('ack');
  });
  await step('a dead letter', () => {
    site.test.publish('md.quotes.A', 'not JSON');
    return letters.length > 0;
  });
  await step('a revocation that the gateway acknowledges', async () => {
    const administrator = await connectAs(site.nats, 'administrator');
    const asked = JSON.stringify({ sub: `user-${n++}` });
    const answer = await administrator.request('control.revoke', asked, { timeout: 2_000 }).catch(() => undefined);
    await administrator.close();
    return answer?.json<{ ok: boolean }>().ok === true;
  });
  if (site.setup === 'jetstream') await useTheStream(site, gateway, client, step);
}

type Step = (what: string, done: () => boolean | Promise<boolean>) => Promise<unknown>;

/** What needs rights at JetStream now and then: replays, reconnects, cleaning up. */
async function useTheStream(site: Site, gateway: GatewayUnderTest, client: TestClient, step: Step): Promise<void> {
  const manager = await site.test.jetstreamManager();
  const trade = client.ofType('trade_executed')[0] as { readonly epoch: string; readonly seq: number } | undefined;
  if (trade !== undefined) {
    const since = { epoch: trade.epoch, seq: trade.seq - 1 };
    client.send({ action: 'unsubscribe', stream: 'trades', symbol: 'A', id: 'u' });
    client.send({ action: 'subscribe', stream: 'trades', symbol: 'A', since, id: 'again' });
    await step('a replay', () =>
      client.ofType('subscribed').some(({ id, recovered }) => id === 'again' && recovered === true),
    );
  }
  await step('the stream of orders is emptied', async () => (await messagesIn(manager, `${BUCKET}_ORDERS`)) === 0);
  // The message read last is still there after the first reconnect, and is gone after the second.
  for (const isPurged of [false, true]) {
    const lives = client.ofType('status').filter(({ feed }) => feed === 'live').length;
    if (isPurged) await manager.streams.purge('MILLRACE');
    site.gate.cut();
    await step('stale', () => client.ofType('status').some(({ feed }) => feed === 'stale'));
    site.gate.restore();
    await step('live again', () => client.ofType('status').filter(({ feed }) => feed === 'live').length > lives);
  }
  await useTheBucket(site, gateway, step);
}

async function messagesIn(manager: JetStreamManager, stream: string): Promise<number> {
  return (await manager.streams.info(stream)).state.messages;
}

/** What a gateway does to its bucket seldom: it meets another writer, and removes what has expired. */
async function useTheBucket(site: Site, gateway: GatewayUnderTest, step: Step): Promise<void> {
  const manager = await names.manager(await connectAs(site.nats, 'gateway'));
  const newWriter = () => {
    const writer = new BucketWriter({
      bucket: BUCKET,
      names,
      tokenLifeMs: 1,
      onFailure: gateway.say,
      onIdle: () => {},
    });
    ends.push(() => writer.end());
    writer.begin(manager);
    return writer;
  };
  const bob = (atMs: number) => revocationOf({ sub: 'bob' }, atMs) ?? expect.fail('no revocation');
  await newWriter().put(bob(1));
  const second = newWriter();
  await step('an entry of another writer is replaced', () => second.put(bob(2)));
  await step('expired entries are removed', async () => {
    const writer = newWriter();
    for (const [key, storedMs] of [
      ['jti.old', 1],
      ['jti.new', 1_000],
    ] as const) {
      writer.stored(key, { atMs: 0, seq: storedMs, storedMs });
    }
    return writer.expire().then(
      () => true,
      error => gateway.say(String(error)),
    );
  });
}

describe.each(['core', 'jetstream'] as const)('N8 R3 with exactly the rights of accounts-%s.conf', setup => {
  it('N8 R3 everything works, and nothing is refused', async () => {
    const site = await open(setup);
    const gateway = await gatewayAt(site);
    await useEverything(site, gateway, () => false);
    expect(missingIn(gateway.log())).toEqual([]);
    expect(await gateway.refusals()).toBe(0);
  });

  it('N8 R3 R38 without one of its rights a publisher is told which', async () => {
    for (const right of rightsOf(setup).filter(({ role, kind }) => role === 'publisher' && kind === 'publish')) {
      const { nats } = await open(setup, right);
      const servers = `nats://publisher:${passwordOf('publisher')}@127.0.0.1:${nats.port}`;
      const publisher = await connectPublisher({ servers });
      ends.push(() => publisher.close().catch(() => undefined));
      await publisher.quote(quote);
      await publisher.analytics('alerts', {});
      await publisher.order('alice', { ...order, quantity: '1', filled_quantity: '0' });
      const refused = await publisher.flush().then(
        () => '',
        error => String(error),
      );
      expect(refused.split(' ').some(word => matches(right.subject, word))).toBe(true);
    }
  });

  it('N8 R33 without one of its rights millrace revoke says which', async () => {
    // Without its only subscription it could subscribe to everything.
    const isUsed = ({ role, kind, subject }: Right) =>
      role === 'administrator' && kind === 'publish' && /revoke|KV/.test(subject);
    const rights = rightsOf(setup).filter(isUsed);
    expect(rights.length).toBeGreaterThan(0);
    for (const right of rights) {
      const { nats } = await open(setup, right);
      const env = { NATS_URL: `nats://administrator:${passwordOf('administrator')}@127.0.0.1:${nats.port}` };
      const { stderr } = await runCli(['revoke', '--sub', 'alice'], env);
      expect(
        stderr.split(/[\s"]/).some(word => matches(right.subject, word)),
        `${right.subject}: ${stderr}`,
      ).toBe(true);
    }
  });

  const ofGateway = rightsOf(setup).filter(({ role }) => role === 'gateway');
  const rights = ofGateway.map(right => [`${right.kind} ${right.subject}`.trim(), right] as const);

  it.each(rights)('N3 N4 N6 N8 R3 without “%s” the gateway names it', async (_, right) => {
    const site = await open(setup, right);
    const gateway = await gatewayAt(site);
    const isTold = () => isNamed(gateway.log(), right);
    await useEverything(site, gateway, isTold);
    expect(isTold(), gateway.log()).toBe(true);
    // The bucket of revocations has metrics of its own.
    if (!right.subject.includes(BUCKET)) await until(async () => (await gateway.refusals()) > 0, TIMEOUT_MS, 'counted');
  });
});
