import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../../src/client/index.js';
import { newClient, settled } from '../../support/client-harness.js';
import { FakeNetwork } from '../../support/fake-socket.js';
import { until } from '../../support/until.js';

describe('R34 a connection', () => {
  it('is visible in every state', async () => {
    const { client, network, clock, states } = newClient();
    expect(client.status).toMatchObject({
      state: 'connecting',
      feed: 'unknown',
      attempts: 0,
      lastFrameAgeMs: undefined,
    });
    const socket = await network.accepted(1);
    expect(client.status).toMatchObject({ state: 'open', feed: 'live' });
    socket.frames({ type: 'status', feed: 'stale', since: '2026-01-02T03:04:05Z' });
    clock.advanceMs(40);
    expect(client.status).toMatchObject({ feed: 'stale', lastFrameAgeMs: 40 });
    socket.end(1006);
    expect(client.status).toMatchObject({ state: 'waiting', feed: 'unknown', attempts: 1, reconnectInMs: 100 });
    clock.advanceMs(100);
    await network.accepted(2);
    client.close();
    expect(client.status.state).toBe('closed');
    expect(states).toEqual(['open', 'open', 'waiting', 'connecting', 'open', 'closed']);
  });

  it('that is refused before it opens, as browsers see it, is tried again with backoff', async () => {
    const { client, network, clock, errors } = newClient();
    const delays: unknown[] = [];
    for (let attempt = 1; attempt <= 9; attempt++) {
      (await network.socket(attempt)).fail();
      delays.push(client.status.reconnectInMs);
      expect(client.status).toMatchObject({ state: 'waiting', attempts: attempt });
      clock.advanceMs(10_000);
    }
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    expect(new Set(errors)).toEqual(new Set(['connection_failed']));
  });

  it('J8 asks why it is refused, which browsers do not see, only when an attempt failed before it was open', async () => {
    const { client, network, clock } = newClient();
    const asks = async (attempt: number) => (await network.socket(attempt)).url.searchParams.get('explain');
    expect(await asks(1)).toBeNull();
    (await network.socket(1)).fail();
    clock.advanceMs(10_000);
    expect(await asks(2)).toBe('1');
    (await network.accepted(2)).end(1006);
    clock.advanceMs(10_000);
    expect(await asks(3)).toBeNull();
    (await network.socket(3)).fail();
    clock.advanceMs(10_000);
    const explained = await network.accepted(4);
    explained.frames({ type: 'going_away', reconnect_after_ms: 5000 });
    explained.end(4029);
    expect(client.status).toMatchObject({ state: 'waiting', reconnectInMs: 5000 });
    clock.advanceMs(5000);
    (await network.accepted(5)).end(4501);
    expect(client.status.state).toBe('closed');
  });

  it('P3 R41 obeys Retry-After where it can see it, spread over the second that the gateway rounded up', async () => {
    const draws = [0, 0, 0, 0.5];
    const { client, network, clock } = newClient({ reconnect: { random: () => draws.shift() ?? 0 } });
    (await network.socket(1)).refuse(429, '3');
    expect(client.status).toMatchObject({ state: 'waiting', reconnectInMs: 3000 });
    expect(client.status.lastError?.message).toBe('Unexpected server response: 429');
    expect(network.sockets[0]?.isTerminated).toBe(true);
    clock.advanceMs(3000);
    draws.splice(0, draws.length, 0.5, 0);
    (await network.socket(2)).refuse(503, '7');
    expect(client.status.reconnectInMs).toBe(7500);
    clock.advanceMs(7500);
    draws.splice(0, draws.length, 1);
    (await network.socket(3)).refuse(404);
    expect(client.status.reconnectInMs).toBe(400);
  });

  it('P3 asks again when to come back as long as it is refused for its rate', async () => {
    const { client, network, clock } = newClient();
    (await network.socket(1)).fail();
    for (let attempt = 2; attempt < 5; attempt++) {
      clock.advanceMs(10_000);
      expect((await network.socket(attempt)).url.searchParams.get('explain')).toBe('1');
      const refused = await network.accepted(attempt);
      refused.frames({ type: 'going_away', reconnect_after_ms: 4321 });
      refused.end(4029);
      expect(client.status).toMatchObject({ state: 'waiting', reconnectInMs: 4321 });
    }
  });

  it('says what ws says of a refusal', async () => {
    const { client, network } = newClient();
    (await network.socket(1)).fail('Unexpected server response: 401');
    expect(client.status.lastError?.message).toBe('Unexpected server response: 401');
  });

  it('draws each delay evenly from 0 to the ceiling', async () => {
    const draws = [0.5, 0, 0.25];
    const { client, network, clock } = newClient({ reconnect: { random: () => draws.shift() ?? 0 } });
    const delays: unknown[] = [];
    for (let attempt = 1; attempt <= 3; attempt++) {
      (await network.socket(attempt)).end(1006);
      delays.push(client.status.reconnectInMs);
      clock.advanceMs(1000);
    }
    expect(delays).toEqual([50, 0, 100]);
  });

  it('begins with the shortest delay again only after one that lasted', async () => {
    const { client, network, clock } = newClient();
    (await network.accepted(1)).end(1006);
    clock.advanceMs(100);
    (await network.accepted(2)).end(1006);
    expect(client.status.reconnectInMs).toBe(200);
    clock.advanceMs(200);
    const third = await network.accepted(3);
    clock.advanceMs(5_000);
    third.end(1006);
    expect(client.status).toMatchObject({ attempts: 1, reconnectInMs: 100 });
  });

  it('whose gateway is going away comes back when that asks for', async () => {
    const { client, network, clock } = newClient();
    const socket = await network.accepted(1);
    socket.frames({ type: 'going_away', reconnect_after_ms: 3210 });
    expect(client.status.state).toBe('open');
    socket.end(1001);
    expect(client.status).toMatchObject({ state: 'waiting', reconnectInMs: 3210 });
    clock.advanceMs(3210);
    (await network.socket(2)).fail();
    expect(client.status.reconnectInMs).toBe(200);
    clock.advanceMs(200);
    (await network.accepted(3)).end(1006);
    expect(client.status.reconnectInMs).toBe(400);
  });

  it('waits a minute at most, whatever a gateway asks for', async () => {
    const { client, network } = newClient();
    const socket = await network.accepted(1);
    socket.frames({ type: 'going_away', reconnect_after_ms: 1e12 });
    socket.end(1001);
    expect(client.status.reconnectInMs).toBe(60_000);
  });

  it.each([1000, 1001, 1006, 1009, 1011, 4000, 4008, 4009, 4010, 4029, 4499])(
    'closed with %d comes back',
    async code => {
      const { client, network, clock } = newClient();
      (await network.accepted(1)).end(code);
      expect(client.status.state).toBe('waiting');
      clock.advanceMs(100);
      await network.socket(2);
    },
  );

  it.each([4500, 4503, 4508, 4999])('closed with %d does not come back, and says why', async code => {
    const { client, network, clock } = newClient();
    const closings: unknown[] = [];
    client.on('closed', closing => closings.push(closing));
    const stream = client.quotes(['AAPL']);
    const iteration = stream[Symbol.asyncIterator]();
    (await network.accepted(1)).end(code, 'credential revoked');
    expect(client.status.state).toBe('closed');
    expect(closings).toEqual([{ code, reason: 'credential revoked' }]);
    await expect(stream.ready).rejects.toMatchObject({ code: 'closed' });
    await expect(iteration.next()).rejects.toMatchObject({ message: expect.stringContaining('credential revoked') });
    clock.advanceMs(100_000);
    await settled();
    expect(network.sockets.length).toBe(1);
    expect(clock.timerCount).toBe(0);
    expect(() => client.quotes(['AAPL'])).toThrow(MillraceError);
  });

  it('that the application closes ends streams without an error', async () => {
    const { client, network, clock } = newClient();
    const socket = await network.accepted(1);
    const closings: unknown[] = [];
    client.on('closed', closing => closings.push(closing));
    const stream = client.trades();
    const ends: unknown[] = [];
    stream.on('closed', error => ends.push(error));
    const next = stream[Symbol.asyncIterator]().next();
    client.close();
    client.close();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(ends).toEqual([undefined]);
    expect(closings).toEqual([{ code: 1000, reason: 'closed by the application' }]);
    expect(socket.closedWith).toBe(1000);
    expect(clock.timerCount).toBe(0);
  });

  it('may be closed before it is open, also while a token is awaited', async () => {
    let give: (token: string) => void = () => {};
    const { client, network, clock } = newClient({
      token: () =>
        new Promise(resolve => {
          give = resolve;
        }),
    });
    client.close();
    give('t');
    await settled();
    expect(network.sockets.length).toBe(0);
    const other = newClient();
    const socket = await other.network.socket(1);
    other.client.close();
    expect(socket.closedWith).toBe(1000);
    expect(clock.timerCount + other.clock.timerCount).toBe(0);
  });

  it('that takes too long to open is given up', async () => {
    const { client, network, clock } = newClient();
    const first = await network.socket(1);
    clock.advanceMs(15_000);
    expect(first.isTerminated).toBe(true);
    expect(client.status.state).toBe('waiting');
    clock.advanceMs(100);
    const second = await network.socket(2);
    // What the first one still says concerns nobody.
    first.accept();
    first.fail();
    first.end(4503);
    expect(client.status.state).toBe('connecting');
    second.accept();
    expect(client.status.state).toBe('open');
  });

  it('that cannot even be made is tried again', async () => {
    const { sockets, WebSocket } = new FakeNetwork();
    let tries = 0;
    class Failing {
      constructor(url: string) {
        if (++tries === 1) throw new Error('no descriptor');
        // biome-ignore lint/correctness/noConstructorReturn: stands in for the class that works
        return new WebSocket(url);
      }
    }
    const { client, clock, errors } = newClient({ WebSocket: Failing as unknown as typeof WebSocket });
    await until(() => client.status.state === 'waiting');
    clock.advanceMs(100);
    await until(() => sockets.length === 1);
    expect(errors).toEqual(['connection_failed']);
  });
});
