/**
 * What one client can do to all others, by the programs of `npm run bench -- attack`: the others get every message in order,
 * none is cut off, newcomers are let in, and the gateway's memory returns. How fast it is, the benchmark measures.
 * @module-tag slow
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ATTACKS, type Attack, titleOf } from '../../bench/attack/attacks.js';
import { TRADED } from '../../bench/attack/market.js';
import type { AttackReport } from '../../bench/attack/messages.js';
import { residentBytes } from '../../bench/harness/memory.js';
import { AttackedMarket } from '../support/attacked-market.js';
import { TestClient } from '../support/client.js';
import { testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const ATTACK_MS = 2000;
const TEST_MS = 120_000;
const SERVED_MS = 20_000;
const MEMORY_RETURNS_MS = 30_000;
/** A heap grows by so much under load, attack or not. */
const MEMORY_BYTES_MAX = 160 * 1024 * 1024;
const MARKET = { topics: 256, trades: 19_000 };
/**
 * Few client topics, so that an attack of seconds fills them; idle topics are silent, so that frames can be counted; and a
 * machine with other work is no hung thread.
 */
const ENVIRONMENT = { WS_MAX_CLIENT_TOPICS: '2000', HEARTBEAT_INTERVAL: '30s', THREAD_HUNG_AFTER: '20s' };

let nats: NatsServer;
let market: AttackedMarket | undefined;
const clients: TestClient[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
});
beforeEach(async () => {
  market ??= await AttackedMarket.open(nats.url, MARKET, ENVIRONMENT);
});
afterEach(async ({ task }) => {
  for (const client of clients.splice(0)) client.socket.terminate();
  // A gateway that an attack has hurt says nothing about the next one.
  if (task.result?.state === 'pass') return;
  await market?.close();
  market = undefined;
});
afterAll(async () => {
  await market?.close();
  await nats.stop();
});

async function open(path: string, sub: string): Promise<TestClient> {
  const token = await testToken({ sub });
  const client = await TestClient.connect(
    `${market?.gateway.url}${path}${path.includes('?') ? '&' : '?'}token=${token}`,
  );
  clients.push(client);
  return client;
}

/** An institutional client that comes in the middle of it has its snapshot, and its answers. */
async function newcomerIsServed(): Promise<void> {
  const newcomer = await open('/ws/quotes?symbols=VICTIM-0', 'newcomer');
  await newcomer.next('snapshot', frame => frame.snapshot === true, SERVED_MS);
  newcomer.send({ action: 'ping', id: 'there' });
  await newcomer.next('pong', frame => frame.id === 'there', SERVED_MS);
}

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((all, n) => all + n, 0);
/** It was tried at all. */
const isTried = ({ sent, opened, refusedUpgrades }: AttackReport): boolean => sent + opened + sum(refusedUpgrades) > 0;

/**
 * Runs the attack until it has got so far, then what comes beside it, and holds what must be true of every attack. A busy
 * machine may give the attacker little.
 */
async function attacked(attack: Attack, isReached = isTried, beside = newcomerIsServed): Promise<AttackReport> {
  if (market === undefined) throw new Error('no market');
  const { gateway } = market;
  const before = residentBytes(gateway.pid);
  const report = await market.attack(attack, ATTACKS.indexOf(attack), ATTACK_MS, beside, isReached);
  await market.caughtUp();
  expect(gateway.log()).not.toMatch(/"level":60/);
  const grown = () => residentBytes(gateway.pid) - before;
  await until(() => grown() < MEMORY_BYTES_MAX, MEMORY_RETURNS_MS, `memory returns; it grew by ${grown()} bytes`);
  return report;
}

function named(name: string, by: Attack['by']): Attack {
  const found = ATTACKS.find(attack => attack.name === name && attack.by === by);
  if (found === undefined) throw new Error(`no attack ${name} by ${by}`);
  return found;
}

describe('R40a R41: beside an attack the others miss nothing', () => {
  const SPECIAL = new Set(
    [
      named('unsubscribe 100,000 names', 'anonymous'),
      named('the same by 100 connections in turn', 'anonymous'),
      named('resync of quotes', 'retail'),
      named('since', 'retail'),
      named('since, five connections', 'institutional'),
      named('since without reading', 'retail'),
      named('large room messages', 'retail'),
      named('messages to new rooms', 'retail'),
      named('subscribe to 1000 rooms and leave', 'retail'),
      named('connections that fill the places', 'anonymous'),
    ].map(titleOf),
  );

  it.each(ATTACKS.filter(attack => !SPECIAL.has(titleOf(attack))).map(attack => [titleOf(attack), attack] as const))(
    '%s',
    async (_title, attack) => {
      await attacked(attack);
    },
    TEST_MS,
  );

  it.each(['unsubscribe 100,000 names', 'the same by 100 connections in turn'])(
    'J1 %s: refused, none of it is done',
    async name => {
      const isAnswered = ({ refused, closes }: AttackReport) => sum(refused) + sum(closes) > 0;
      const report = await attacked(named(name, 'anonymous'), isAnswered);
      expect(report.accepted).toBe(0);
    },
    TEST_MS,
  );

  it(
    'J3 resync of 256 quotes, 100 a second: a few frames each, or refused',
    async () => {
      const report = await attacked(named('resync of quotes', 'retail'), ({ sent }) => sent > 0);
      // The first subscription is answered as well.
      expect(report.frames).toBeLessThan(8 * (report.sent + 1) + sum(report.refused));
    },
    TEST_MS,
  );

  it(
    'J4 since over 19,000 trades by ten who do not read',
    async () => {
      await attacked(named('since without reading', 'retail'));
    },
    TEST_MS,
  );

  it(
    'J6 room messages of 250 kB: refused, and everybody’s trades are still recoverable',
    async () => {
      const before = await open('/ws', 'returning');
      before.send({ action: 'subscribe', stream: 'trades', symbol: TRADED, id: 'now' });
      const { positions } = await before.next('position', frame => frame.id === 'now');
      const { epoch, seq } = (positions as Record<string, { epoch: string; seq: number }>)[`trades:${TRADED}`] ?? {};
      await attacked(named('large room messages', 'retail'), ({ refused }) => sum(refused) > 0);
      const after = await open('/ws', 'returning');
      const since = { epoch, seq: Number(seq) - 1000 };
      after.send({ action: 'subscribe', stream: 'trades', symbol: TRADED, since, id: 'back' });
      const answer = await after.next('answer', frame => frame.id === 'back', SERVED_MS);
      expect(answer).toMatchObject({ type: 'subscribed', recovered: true });
    },
    TEST_MS,
  );

  /** Another user follows a room that is new, and publishes to one that is. */
  async function roomsAreOpen(): Promise<void> {
    const trader = await open('/ws', 'trader');
    trader.send({ action: 'subscribe', stream: 'rooms', room: 'desk-of-another', id: 'follow' });
    const followed = await trader.next('answer to subscribe', frame => frame.id === 'follow', SERVED_MS);
    expect(followed).toMatchObject({ type: 'subscribed' });
    trader.send({ action: 'publish', stream: 'rooms', room: 'desk-of-another', data: { hello: 1 }, id: 'say' });
    const said = await trader.next('answer to publish', frame => frame.id === 'say', SERVED_MS);
    expect(said).toMatchObject({ type: 'ack' });
  }

  it(
    'J7 messages to new rooms: other users follow and publish to rooms of their own',
    async () => {
      await attacked(named('messages to new rooms', 'retail'));
      await roomsAreOpen();
      // With the places as full as the attack has made them, and not only once they are free again.
      await attacked(named('messages to new rooms', 'retail'), isTried, roomsAreOpen);
    },
    TEST_MS,
  );

  it(
    'J7 1000 rooms at a time: other users follow and publish to rooms of their own',
    async () => {
      await attacked(named('subscribe to 1000 rooms and leave', 'retail'), isTried, roomsAreOpen);
    },
    TEST_MS,
  );

  it(
    'J8 anonymous connections that fill the places: institutional users still get one',
    async () => {
      const areFull = ({ opened, refusedUpgrades }: AttackReport) => opened > 0 && sum(refusedUpgrades) > 0;
      await attacked(named('connections that fill the places', 'anonymous'), areFull);
    },
    TEST_MS,
  );
});

describe('J4 R41: replays of 19,000 trades in a tenth of the usual budget', () => {
  beforeEach(async () => {
    await market?.close();
    // Even an attacker on a busy machine gets beyond it.
    market = await AttackedMarket.open(nats.url, MARKET, { ...ENVIRONMENT, WS_COST_RATE: '5000' });
  });
  afterEach(async () => {
    await market?.close();
    market = undefined;
  });

  it.each([
    ['since', 'retail'],
    ['since, five connections', 'institutional'],
  ] as const)(
    'J4 %s (%s): told to wait',
    async (name, by) => {
      const isToldToWait = ({ refused, closes }: AttackReport) =>
        (refused.rate_limited ?? 0) + (closes['4029'] ?? 0) > 0;
      await attacked(named(name, by), isToldToWait);
    },
    TEST_MS,
  );
});
