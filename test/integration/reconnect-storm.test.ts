/**
 * P3: many clients of one address reconnect together, and all of them get in.
 *
 * @module-tag slow
 */
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { MillraceClient } from '../../src/client/index.js';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

const PER_SECOND = 50;
const CLIENTS = 200;
/** What all of them need when no attempt is wasted. */
const IDEAL_MS = (1000 * CLIENTS) / PER_SECOND;
/** A busy machine is slower, but refused attempts that used up the rate would keep most of them out for ever. */
const PATIENCE_MS = 15 * IDEAL_MS;

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function gatewayWith(env: Record<string, string> = {}): Promise<TestGateway> {
  const gateway = await startGateway({
    WORKERS: '2',
    ENCODERS: '1',
    WS_CONNECT_RATE_PER_IP: String(PER_SECOND),
    ...env,
  });
  ends.push(() => gateway.stop());
  return gateway;
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

/** @returns 0 for a connection that stays open, else the seconds of Retry-After */
function attempt(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.once('open', () => {
      ends.push(async () => socket.terminate());
      resolve(0);
    });
    socket.once('unexpected-response', (_request, response) => {
      resolve(Number(response.headers['retry-after']));
      socket.terminate();
    });
    socket.on('error', cause => reject(cause));
  });
}

/** Tries until it is let in. @param retryMs how long to wait after a refusal. @returns how often it was refused */
async function enter(url: string, retryMs: (retryAfterSeconds: number) => number): Promise<number> {
  for (let refusals = 0; ; refusals++) {
    const seconds = await attempt(url);
    if (seconds === 0) return refusals;
    await pause(retryMs(seconds));
  }
}

/** As browsers have it: the page sees no answer to a refused upgrade. */
class PageWebSocket extends WebSocket {
  override on(event: string | symbol, listener: (this: WebSocket, ...args: never[]) => void): this {
    return event === 'unexpected-response' ? this : super.on(event as never, listener as never);
  }
}

describe('P3 R41 clients of one address that reconnect together', () => {
  it(
    'P3 R41 each every second, whatever they are told: all get in, at the rate',
    async () => {
      const gateway = await gatewayWith();
      const startedMs = performance.now();
      await Promise.all(Array.from({ length: CLIENTS }, () => enter(`${gateway.url}/ws`, () => 1000)));
      // The first second's attempts come at once; later ones cannot be faster than the rate.
      expect(performance.now() - startedMs).toBeGreaterThan(IDEAL_MS - 1100);
      expect(await gateway.metric('millrace_connections_open')).toBe(CLIENTS);
      expect(await gateway.metric('millrace_connections_limited_total{limit="rate"}')).toBeGreaterThan(0);
    },
    PATIENCE_MS,
  );

  it(
    'P3 R41 who obey Retry-After are spread, and hardly refused twice',
    async () => {
      const gateway = await gatewayWith();
      const refusals = await Promise.all(
        Array.from({ length: CLIENTS }, () => enter(`${gateway.url}/ws`, seconds => 1000 * seconds)),
      );
      expect(refusals.reduce((sum, count) => sum + count, 0)).toBeLessThan(3 * CLIENTS);
    },
    PATIENCE_MS,
  );

  it.each([
    ['sees Retry-After', WebSocket],
    ['sees no answer, as in browsers', PageWebSocket],
  ])(
    'P3 R39 R41 with the SDK, where it %s, all get in',
    async (_where, Socket) => {
      const gateway = await gatewayWith();
      const clients = Array.from(
        { length: CLIENTS },
        () => new MillraceClient({ url: gateway.url, WebSocket: Socket as never }),
      );
      ends.push(async () => {
        for (const client of clients) client.close();
      });
      for (const client of clients) client.on('error', () => {});
      await until(() => clients.every(({ status }) => status.state === 'open'), PATIENCE_MS, 'all are in');
      await until(async () => (await gateway.metric('millrace_connections_open')) === CLIENTS, PATIENCE_MS);
    },
    2 * PATIENCE_MS,
  );
});
