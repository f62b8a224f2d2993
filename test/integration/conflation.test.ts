/** @module-tag slow */
import { expect, test } from 'vitest';
import { TopicChains } from '../../src/client/chain.js';
import { burstBytesOf } from '../../src/gateway/slow-consumers/ladder.js';
import { TestClient } from '../support/client.js';
import { startGateway, testToken } from '../support/gateway.js';
import { ThrottledGate } from '../support/throttled-gate.js';
import { until } from '../support/until.js';

const TIMEOUT_MS = 90_000;
const SYMBOLS = ['AAPL', 'MSFT', 'NVDA'];
/**
 * How far the buffer of one socket may exceed the backpressure limit. uWS checks the limit before it adds a message, not
 * after, and writes a turn's publishes in pieces of up to 16 KiB; so the excess is one message or one such piece.
 */
const BACKPRESSURE_ALLOWANCE_BYTES = 64 * 1024;

test(
  'R40 R5 a client that reads too slowly is sent its state topics in slower classes, loses no event, and gets its class back',
  async () => {
    const gateway = await startGateway({
      SIM_RATE: '10000',
      SYMBOLS: SYMBOLS.join(','),
      SIM_SYMBOLS: '3',
      WS_MAX_BACKPRESSURE: '8MiB',
      WS_CONFLATION_RECOVERY: '1s',
      WS_MESSAGE_RATE: '10000',
    });
    const gate = await ThrottledGate.open(Number(new URL(gateway.url).port));
    try {
      const client = await TestClient.connect(`ws://127.0.0.1:${gate.port}/ws?token=${await testToken()}`);
      client.send({ action: 'subscribe', stream: 'quotes', symbols: SYMBOLS });
      client.send({ action: 'subscribe', stream: 'depth', symbols: SYMBOLS });
      client.send({ action: 'subscribe', stream: 'trades', symbol: 'AAPL' });
      const chains = new TopicChains();
      const broken: unknown[] = [];
      let fed = 0;
      const check = () => {
        for (; fed < client.frames.length; fed++) {
          const outcome = chains.feed(client.frames[fed] ?? {});
          if (!['snapshot', 'delta', 'event', 'gap', 'control'].includes(outcome.kind)) broken.push(outcome);
        }
        return broken;
      };
      await client.next('delta', frame => frame.type === 'quotes_patch' && frame.prev_seq !== undefined);

      gate.bytesPerSecond = 400_000;
      const slowed = async () =>
        (await gateway.metric('millrace_conflations_total{cause="high_water"}')) +
        (await gateway.metric('millrace_conflations_total{cause="late"}'));
      const isSlowed = async () => {
        // Its answer tells the gateway that something waits for this socket, which it then looks at.
        client.send({ action: 'ping' });
        return (await slowed()) > 0;
      };
      await until(isSlowed, 30_000, 'its state topics leave');
      expect(await gateway.metric('millrace_clients_conflated')).toBe(1);
      gate.bytesPerSecond = undefined;

      const conflated = await client.next('conflated', frame => frame.code === 'conflated', 30_000);
      // On a busy machine it may take so long to drain that it is more than one step.
      expect(conflated).toMatchObject({ type: 'warning', steps: expect.any(Number) });
      const restored = await client.next('restored', frame => frame.code === 'restored' && frame.steps === 0, 30_000);
      expect(restored).toMatchObject({ type: 'warning', class: 'realtime' });
      const behind = client.frames.slice(client.frames.indexOf(restored));
      expect(behind.length).toBeGreaterThan(0);
      const since = client.frames.length;
      await until(() => client.frames.length > since + 2_000, 30_000, 'at full rate again');
      // Topics began again in the slower class and in their own; one that the client surely holds needs no snapshot.
      const snapshots = client.frames.filter(frame => frame.type === 'depth_patch' && frame.snapshot === true);
      expect(snapshots.length).toBeGreaterThan(SYMBOLS.length);
      expect(check()).toEqual([]);
      expect(client.ofType('gap')).toEqual([]);
      expect(client.ofType('trade_executed').length).toBeGreaterThan(100);
      expect(await gateway.metric('millrace_clients_conflated')).toBe(0);
      expect(await gateway.metric('millrace_conflation_restores_total')).toBeGreaterThan(0);
    } finally {
      await gate.close();
      await gateway.stop();
    }
  },
  TIMEOUT_MS,
);

test(
  'R55 R40 clients that read nothing cost a bounded amount of memory each, and the others nothing',
  async () => {
    const CLIENTS = 30;
    const LIMIT_BYTES = 512 * 1024;
    /** What a burst may take beyond the limit: the kernel used to take it. */
    const BURST_BYTES = burstBytesOf(64 * 1024);
    /** What the process may need besides: garbage that waits for its collection, code that is compiled meanwhile. */
    const NOISE_BYTES = 96 * 1024 * 1024;
    /** uWS's buffer doubles as it grows, and what is subscribed is about 0.4 KB a topic (native-notes/uws.md). */
    const CLIENT_BYTES_MAX = 2 * (LIMIT_BYTES + BURST_BYTES + BACKPRESSURE_ALLOWANCE_BYTES) + 1_000 * 400;
    const gateway = await startGateway({
      SIM_RATE: '8000',
      SIM_SYMBOLS: '1000',
      WS_MAX_BACKPRESSURE: `${LIMIT_BYTES}`,
    });
    try {
      const token = await testToken();
      const follow = async () => {
        const client = await TestClient.connect(`${gateway.url}/ws?token=${token}`);
        client.send({ action: 'subscribe', stream: 'quotes', symbols });
        return client;
      };
      const any = await TestClient.connect(`${gateway.url}/ws/trades?token=${token}`);
      const seen = new Set<string>();
      await until(() => {
        for (const { symbol } of any.frames.splice(0)) if (typeof symbol === 'string') seen.add(symbol);
        return seen.size === 1_000;
      }, 30_000);
      const symbols = [...seen];
      await any.close();
      const fast = await follow();
      const received = async (frames: number) => {
        fast.frames.length = 0;
        await until(() => fast.frames.length > frames, 30_000, 'the one that reads goes on at full rate');
      };
      await received(10_000);
      const rss = () => gateway.metric('process_resident_memory_bytes');
      const before = await rss();
      const stalled: TestClient[] = [];
      for (let n = 0; n < CLIENTS; n++) {
        const client = await follow();
        client.socket.pause();
        stalled.push(client);
      }
      const isSuspended = async () => (await gateway.metric('millrace_circuits{state="open"}')) === CLIENTS;
      await until(isSuspended, 30_000, 'all of them are suspended');
      await received(16_000);

      expect(await gateway.metric('millrace_sockets_buffered')).toBeGreaterThanOrEqual(CLIENTS);
      const most = await gateway.metric('millrace_buffered_bytes_max');
      expect(most).toBeGreaterThan(LIMIT_BYTES / 2);
      expect(most).toBeLessThanOrEqual(LIMIT_BYTES + BURST_BYTES + BACKPRESSURE_ALLOWANCE_BYTES);
      expect((await rss()) - before).toBeLessThan(CLIENTS * CLIENT_BYTES_MAX + NOISE_BYTES);
      expect(fast.ofType('warning')).toEqual([]);
      for (const client of stalled) client.socket.terminate();
    } finally {
      await gateway.stop();
    }
  },
  TIMEOUT_MS,
);
