/**
 * N9: a JetStream cluster of three, of which one node dies: how long the gateway adds to the cluster's own silence.
 * @module-tag slow
 */
import type { JetStreamManager, NatsConnection } from 'nats';
import { afterEach, expect, it } from 'vitest';
import { holders, NODES, publishing, STREAM, startCluster, startSite } from '../support/jetstream-cluster.js';
import type { NatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

/** Two missed heartbeats and a new consumer take it 1.2 s; the rest is for a busy machine. */
const OURS_MS_MAX = 3_000;

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

/** Longest time between two of these moments. */
function silenceMs(moments: readonly number[]): number {
  return Math.max(...moments.slice(1).map((at, i) => at - (moments[i] ?? 0)));
}

/**
 * Moves the leader of the stream, or the consumer, until they and the leader of the cluster are on different nodes: each
 * death then shows one thing.
 */
async function separated(nats: NatsConnection, manager: JetStreamManager, any: NatsServer): ReturnType<typeof holders> {
  const apart = await until(async () => {
    const found = await holders(manager, any);
    const isKnown = found.stream !== '' && found.consumer !== '' && found.meta !== '';
    if (isKnown && new Set([found.stream, found.consumer, found.meta]).size === NODES.length) return found;
    if (isKnown && found.stream === found.meta) await nats.request(`$JS.API.STREAM.LEADER.STEPDOWN.${STREAM}`);
    else if (isKnown) await manager.consumers.delete(STREAM, found.consumerName);
    await new Promise(resolve => setTimeout(resolve, 1_000));
    return undefined;
  }, 60_000);
  return apart as Awaited<ReturnType<typeof holders>>;
}

it.each(['consumer', 'stream'] as const)(
  'N9: the node of the %s dies: the gateway adds little to the silence',
  async which => {
    const { servers } = await startCluster(ends);
    const any = servers.get('n1') as NatsServer;
    const { nats, manager, gateway, client } = await startSite(ends, servers, NODES);
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
