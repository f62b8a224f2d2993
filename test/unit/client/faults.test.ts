import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connected, newClient, settled } from '../../support/client-harness.js';
import { quotesDelta, quotesSnapshot, trade } from '../../support/market-frames.js';

const rejections: unknown[] = [];
const note = (reason: unknown) => rejections.push(reason);
beforeEach(() => {
  rejections.length = 0;
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  await settled();
  process.off('unhandledRejection', note);
  expect(rejections).toEqual([]);
});

describe('R34 a listener that throws', () => {
  it('disturbs neither the others nor the chain, and is told of', async () => {
    const { client, socket } = await connected();
    const faults: unknown[] = [];
    client.on('error', ({ code, message, cause }) => faults.push([code, message, cause]));
    const stream = client.quotes(['AAPL']);
    const cause = new Error('mine');
    const seen: number[] = [];
    stream.on('change', () => {
      throw cause;
    });
    stream.on('change', ({ seq }) => seen.push(seq));
    await stream.ready;
    socket.frames(quotesSnapshot({ AAPL: 1 }), quotesDelta('AAPL', 1, 2));
    expect(seen).toEqual([1, 2]);
    expect(faults).toEqual(Array(2).fill(['listener_failed', "a listener of 'change' threw", cause]));
  });

  it('asynchronously is told of as well', async () => {
    const { client, socket, errors } = await connected();
    const stream = client.trades();
    stream.on('event', async () => {
      throw new Error('mine');
    });
    await stream.ready;
    socket.frames(trade('X', 0));
    await settled();
    expect(errors).toEqual(['listener_failed']);
  });

  it.each<[string, () => unknown]>([
    [
      'at once',
      () => {
        throw new Error('mine');
      },
    ],
    ['later', () => Promise.reject(new Error('mine'))],
  ])('and listens to errors, %s, is written to the console, once', async (_, listener) => {
    const { client, socket } = await connected();
    const written = vi.spyOn(console, 'error').mockImplementation(() => {});
    client.on('error', listener);
    socket.message('not json');
    await settled();
    expect(written).toHaveBeenCalledTimes(1);
    expect(client.status.lastError).toMatchObject({ code: 'listener_failed' });
    written.mockRestore();
  });

  it('of the status does not keep the client from connecting', async () => {
    const { client, network } = newClient();
    client.on('status', () => {
      throw new Error('mine');
    });
    await network.accepted(1);
    expect(client.status.state).toBe('open');
  });
});

describe('R34 a listener that closes', () => {
  it('the client within any event finds it closed', async () => {
    for (const event of ['status', 'error', 'warning'] as const) {
      const { client, network, clock } = newClient();
      const socket = await network.accepted(1);
      client.on(event, () => client.close());
      socket.frames({ type: 'warning', code: 'conflated', message: 'slower' });
      socket.message('not json');
      socket.end(1006);
      expect(client.status.state).toBe('closed');
      expect(clock.timerCount).toBe(0);
    }
  });

  it('the client within a message of several frames gets no more of them', async () => {
    const { client, socket } = await connected();
    const stream = client.trades();
    const seen: unknown[] = [];
    stream.on('event', ({ seq }) => {
      seen.push(seq);
      client.close();
    });
    client.on('warning', ({ code }) => seen.push(code));
    await stream.ready;
    socket.frames([trade('X', 0), trade('X', 1), { type: 'warning', code: 'conflated', message: 'slower' }]);
    expect(seen).toEqual([1]);
  });

  it('the client when it is told of a failure ends the attempts', async () => {
    const { client, network, clock } = newClient({ token: () => Promise.reject(new Error('no session')) });
    client.on('error', () => client.close());
    await settled();
    expect(client.status.state).toBe('closed');
    expect(clock.timerCount + network.sockets.length).toBe(0);
    const other = await connected();
    other.client.on('error', () => other.client.close());
    other.clock.advanceMs(15_000);
    expect(other.client.status.state).toBe('closed');
    expect(other.clock.timerCount).toBe(0);
  });

  it('a stream within its own event leaves the other streams alone', async () => {
    const { client, socket } = await connected();
    const first = client.trades(['X']);
    const second = client.trades(['X']);
    const seen: string[] = [];
    first.on('event', () => {
      seen.push('first');
      first.close();
    });
    second.on('event', () => seen.push('second'));
    await second.ready;
    socket.frames(trade('X', 0), trade('X', 1));
    expect(seen).toEqual(['first', 'second', 'second']);
  });
});

describe('R34 a rejection nobody awaits', () => {
  it('is no unhandled one', async () => {
    const { client, network } = newClient({ token: () => Promise.reject(new Error('no session')) });
    client.quotes(['AAPL']);
    await settled();
    client.close();
    expect(network.sockets.length).toBe(0);
  });
});

describe('R34 whatever a gateway sends', () => {
  it.each([
    ['no JSON', '{'],
    ['a number', '7'],
    ['null', 'null'],
    ['an array of numbers', '[1]'],
    ['an array in an array', '[[]]'],
    ['binary on a JSON connection', new ArrayBuffer(1)],
    ['a Blob', { size: 1 }],
  ])('%s is left out and told of', async (_, data) => {
    const { client, socket, errors } = await connected();
    socket.message(data);
    expect(errors).toEqual(['malformed_frame']);
    expect(client.status.state).toBe('open');
  });

  it('a frame without its members is told of', async () => {
    const { socket, errors } = await connected();
    socket.frames({ type: 'quotes_patch', symbol: 'AAPL' }, { type: 'trade_executed' }, { type: 'heartbeat' });
    expect(errors).toEqual(['malformed_frame', 'malformed_frame', 'malformed_frame']);
  });

  it('never throws into the socket, and leaves a client that still works', async () => {
    const name = fc.constantFrom('A', 'B', '__proto__', 'constructor');
    const anything = fc.oneof(fc.jsonValue({ maxDepth: 2 }), name);
    const type = fc.constantFrom(
      ...['quotes_patch', 'depth_patch', 'orderbook_update', 'trade_executed', 'order_update', 'room_message'],
      ...['alert', 'subscribed', 'unsubscribed', 'ack', 'pong', 'warning', 'error', 'gap', 'heartbeat', 'status'],
      ...['going_away', 'of the future'],
    );
    const member = <T>(expected: fc.Arbitrary<T>) => fc.oneof({ weight: 4, arbitrary: expected }, anything);
    const topic = fc.constantFrom('quotes:A', 'depth:A', 'orderbook:A', 'trades:A', 'trades:*', 'orders:', 'rooms:A');
    const operation = fc.record({
      op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'),
      path: fc.constantFrom('', '/quotes', '/quotes/A', '/bids', '/asks/1', '/__proto__/x', '/quotes/__proto__'),
      from: fc.constantFrom('', '/quotes', '/bids'),
      value: fc.oneof(anything, fc.constant({ '1': '2' })),
    });
    const frame = fc.record(
      {
        type: member(type),
        id: member(fc.constantFrom('1', '2', '3', 'resync quotes:A')),
        snapshot: member(fc.boolean()),
        symbol: member(name),
        room: member(name),
        user_id: member(name),
        channel: member(fc.constantFrom('alerts')),
        topic: member(topic),
        topics: member(fc.array(topic)),
        epoch: member(fc.constant('e')),
        prev_seq: member(fc.nat(2)),
        seq: member(fc.nat(2)),
        seqs: member(fc.dictionary(name, fc.nat(2))),
        from: member(fc.nat(2)),
        to: member(fc.nat(2)),
        operations: member(fc.array(operation, { maxLength: 3 })),
        positions: member(fc.dictionary(topic, fc.record({ epoch: fc.constant('e'), seq: fc.nat(2) }))),
        recovered: member(fc.boolean()),
        code: member(fc.constantFrom('forbidden', 'invalid_symbol', 'rate_limited', 'token_expiring')),
        reconnect_after_ms: member(fc.nat()),
        ts_sent: member(fc.nat()),
      },
      { requiredKeys: ['type'] },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(frame, fc.array(frame, { maxLength: 3 })), { maxLength: 30 }),
        async frames => {
          const { client, network } = newClient({ token: () => 't' });
          const streams = [client.quotes(['A']), client.depth(['A']), client.orderbook(['A'])];
          const events = [client.trades(), client.trades(['A']), client.orders(), client.rooms('A')];
          const iterations = [...streams, ...events].map(stream => stream[Symbol.asyncIterator]());
          const socket = await network.accepted(1);
          for (const each of frames) socket.frames(each);
          await settled();
          expect(client.status.state).toBe('open');
          const after = client.quotes(['Z']);
          await settled();
          const asked = socket
            .sent('subscribe')
            .filter(({ symbols }) => (symbols as string[] | undefined)?.includes('Z'));
          // Behind the others, should too many of them be unanswered.
          for (const { id } of asked) socket.frames({ type: 'subscribed', id, topics: ['quotes:Z'] });
          socket.frames(quotesSnapshot({ Z: 1 }));
          expect(after.get('Z')).toEqual({ symbol: 'Z', current_price: 100 });
          expect(({} as Record<string, unknown>).x).toBeUndefined();
          client.close();
          await Promise.allSettled(iterations.map(iteration => iteration.return()));
        },
      ),
      { numRuns: 200 },
    );
  });
});
