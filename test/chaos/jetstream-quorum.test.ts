/**
 * N9: a JetStream cluster of three, of which two nodes die: nothing can be stored, and the gateway says so.
 * @module-tag slow
 * @module-tag bulk
 */
import { connect, type JetStreamManager } from 'nats';
import { afterEach, expect, it } from 'vitest';
import { streamCreator } from '../../src/feed/jetstream-stream.js';
import { NatsNames } from '../../src/feed/nats-names.js';
import { StreamFinder } from '../../src/feed/stream-finder.js';
import { systemClock } from '../../src/feed-contract/feed.js';
import { RECOVERY_SILENT_MS_MAX } from '../../src/gateway/events/recovery.js';
import { TestClient } from '../support/client.js';
import { testToken } from '../support/gateway.js';
import { holders, NODES, publishing, STREAM, startCluster, startSite } from '../support/jetstream-cluster.js';
import type { NatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

/** The node that survives the others. */
const STAYS = 'n1';
const SELDOM_MS = 200;
/** Taken from the first answer, the creation time differs in every second or third. */
const ROUNDS = 6;

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

it('N9 R15: without a quorum, the gateway says that prices are old, wherever its consumer is', async () => {
  const { servers, restart } = await startCluster(ends);
  const { nats, manager, gateway, client } = await startSite(ends, servers, [STAYS]);
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
  const { servers, restart } = await startCluster(ends);
  // The gateway keeps no events itself: they come from the stream.
  const { nats, gateway, client } = await startSite(ends, servers, [STAYS], { HISTORY_BYTES: '0' });
  // Slower than a busy machine reads the stream: a replay ends only if nothing comes while it reads.
  const { storedMs, stop } = publishing(nats, SELDOM_MS);
  ends.push(stop);
  const seen = await client.next('trades', ({ type }) => type === 'trade_executed');
  client.close();
  await until(() => storedMs.length > 20);
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
  const { servers } = await startCluster(ends);
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
