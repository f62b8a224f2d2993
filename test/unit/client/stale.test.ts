/** D6: topics that the gateway holds back because it lacks a message of their publisher. */
import { describe, expect, it } from 'vitest';
import type { Resync, StateChange } from '../../../src/client/index.js';
import { bestLevel, connected, settled } from '../../support/client-harness.js';
import type { FakeSocket } from '../../support/fake-socket.js';
import { quotesDelta, quotesSnapshot } from '../../support/market-frames.js';

const SINCE = '2026-01-02T03:04:05.678Z';

const stale = (topic: string, seq: number, more: object = {}) => ({
  type: 'stale',
  topic,
  epoch: 'e1',
  seq,
  since: SINCE,
  reason: 'publisher_gap',
  ...more,
});

const heartbeat = (topic: string, seq: number, more: object = {}) => ({
  type: 'heartbeat',
  topic,
  epoch: 'e1',
  seq,
  ...more,
});

const book = (seq: number) => ({
  type: 'depth_patch',
  snapshot: true,
  symbol: 'X',
  epoch: 'e1',
  prev_seq: seq,
  seq,
  operations: [
    { op: 'add', path: '/bids', value: { '99': '1' } },
    { op: 'add', path: '/asks', value: { '100': '2' } },
  ],
});

async function following(symbols: readonly string[] = ['AAPL', 'MSFT']) {
  const harness = await connected();
  const stream = harness.client.quotes(symbols);
  const told: unknown[] = [];
  const resyncs: Resync[] = [];
  stream
    .on('change', ({ symbol, seq, isStale }) => told.push(['change', symbol, seq, isStale]))
    .on('stale', ({ symbol, seq, reason }) => told.push(['stale', symbol, seq, reason]))
    .on('whole', ({ symbol }) => told.push(['whole', symbol]))
    .on('resync', resync => resyncs.push(resync));
  await stream.ready;
  return { ...harness, stream, told, resyncs };
}

const resyncsOf = (socket: FakeSocket) => socket.sent('resync').length;

describe('D6: a stale topic', () => {
  it('D6: keeps its document, is told of, and ends with its next snapshot', async () => {
    const { socket, stream, told } = await following();
    const events: unknown[] = [];
    stream.on('stale', event => events.push(event)).on('whole', event => events.push(event));
    socket.frames(quotesSnapshot({ AAPL: 12, MSFT: 7 }), stale('quotes:AAPL', 12));
    expect(events).toEqual([
      { topic: 'quotes:AAPL', symbol: 'AAPL', epoch: 'e1', seq: 12, since: SINCE, reason: 'publisher_gap' },
    ]);
    expect([stream.isStale('AAPL'), stream.isStale('MSFT'), stream.isStale('NONE')]).toEqual([true, false, false]);
    expect(stream.get('AAPL')?.current_price).toBe(100);
    socket.frames(quotesDelta('MSFT', 7, 50), quotesSnapshot({ AAPL: 20 }, 101));
    expect(stream.isStale('AAPL')).toBe(false);
    expect(events[1]).toEqual({ topic: 'quotes:AAPL', symbol: 'AAPL' });
    expect(told).toEqual([
      ['change', 'AAPL', 12, false],
      ['change', 'MSFT', 7, false],
      ['stale', 'AAPL', 12, 'publisher_gap'],
      ['change', 'MSFT', 8, false],
      ['change', 'AAPL', 20, false],
      ['whole', 'AAPL'],
    ]);
    socket.frames(quotesDelta('AAPL', 20, 102));
    expect(stream.get('AAPL')?.current_price).toBe(102);
    expect(resyncsOf(socket)).toBe(0);
  });

  it('D6: is not ended by the snapshot of other symbols', async () => {
    const { socket, stream } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12, MSFT: 7 }), stale('quotes:AAPL', 12), stale('quotes:MSFT', 7));
    socket.frames(quotesSnapshot({ MSFT: 9 }));
    expect([stream.isStale('AAPL'), stream.isStale('MSFT')]).toEqual([true, false]);
  });

  it('D6: is told of before it ever had a document', async () => {
    const { socket, stream, told, clock } = await following();
    socket.frames(stale('quotes:AAPL', 0, { reason: 'no_snapshot' }));
    expect(stream.isStale('AAPL')).toBe(true);
    expect(stream.get('AAPL')).toBeUndefined();
    for (let n = 0; n < 10; n++) {
      clock.advanceMs(1_000);
      socket.frames(heartbeat('quotes:AAPL', 0, { stale: true }));
    }
    expect(resyncsOf(socket)).toBeLessThanOrEqual(1);
    socket.frames(quotesSnapshot({ AAPL: 1 }));
    expect(told).toEqual([
      ['stale', 'AAPL', 0, 'no_snapshot'],
      ['change', 'AAPL', 1, false],
      ['whole', 'AAPL'],
    ]);
  });

  it('D6: is told once, unless there is something new to say', async () => {
    const { socket, told } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }), stale('quotes:AAPL', 12), stale('quotes:AAPL', 12));
    socket.frames(heartbeat('quotes:AAPL', 12, { stale: true }), stale('quotes:AAPL', 12, { reason: 'refused' }));
    expect(told.slice(1)).toEqual([
      ['stale', 'AAPL', 12, 'publisher_gap'],
      ['stale', 'AAPL', 12, 'refused'],
    ]);
  });

  it('D6: is no broken chain: nothing is asked for while it lasts', async () => {
    const { socket, clock, stream, resyncs } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }), stale('quotes:AAPL', 12));
    for (let n = 0; n < 30; n++) {
      clock.advanceMs(1_000);
      socket.frames(heartbeat('quotes:AAPL', 12, { stale: true }));
      expect(stream.stalenessMs('AAPL')).toBe(0);
    }
    expect(resyncs).toEqual([]);
    expect(resyncsOf(socket)).toBe(0);
  });

  it('D6: whose frame was missed is told by its heartbeat', async () => {
    const { socket, stream, told } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }), heartbeat('quotes:AAPL', 12, { stale: true }));
    expect(stream.isStale('AAPL')).toBe(true);
    expect(told.slice(1)).toEqual([['stale', 'AAPL', 12, 'unknown']]);
    expect(resyncsOf(socket)).toBe(0);
  });

  it('D6: whose last frames were missed as well is asked for once for each place where it stands', async () => {
    const { socket, clock, stream, told } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }));
    for (let n = 0; n < 10; n++) {
      clock.advanceMs(1_000);
      socket.frames(heartbeat('quotes:AAPL', 14, { stale: true }));
    }
    expect(resyncsOf(socket)).toBe(1);
    expect(told.slice(1)).toEqual([['stale', 'AAPL', 14, 'unknown']]);
    // The answer is the old state, and that it is old.
    socket.frames(quotesSnapshot({ AAPL: 14 }, 105), stale('quotes:AAPL', 14));
    for (let n = 0; n < 10; n++) {
      clock.advanceMs(1_000);
      socket.frames(heartbeat('quotes:AAPL', 14, { stale: true }));
    }
    expect(stream.isStale('AAPL')).toBe(true);
    expect(stream.get('AAPL')?.current_price).toBe(105);
    expect(resyncsOf(socket)).toBe(1);
  });

  it('D6: whose snapshot was missed is asked for when its heartbeat no longer says that it is stale', async () => {
    const { socket, stream, clock, told } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }), stale('quotes:AAPL', 12), heartbeat('quotes:AAPL', 12));
    expect(socket.sent('resync')).toMatchObject([{ stream: 'quotes', symbol: 'AAPL' }]);
    expect(stream.isStale('AAPL')).toBe(true);
    clock.advanceMs(500);
    socket.frames(heartbeat('quotes:AAPL', 12));
    expect(resyncsOf(socket)).toBe(1);
    socket.frames(quotesSnapshot({ AAPL: 12 }), heartbeat('quotes:AAPL', 12));
    expect(stream.isStale('AAPL')).toBe(false);
    expect(told.at(-1)).toEqual(['whole', 'AAPL']);
    clock.advanceMs(5_000);
    socket.frames(heartbeat('quotes:AAPL', 12));
    expect(resyncsOf(socket)).toBe(1);
  });

  it('D6: with a snapshot that cannot be applied stays stale, and asks for another', async () => {
    const { socket, stream, clock } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }), stale('quotes:AAPL', 12));
    const wrong = { ...quotesSnapshot({ AAPL: 20 }), operations: [{ op: 'remove', path: '/quotes/NONE' }] };
    socket.frames(wrong);
    expect(resyncsOf(socket)).toBe(1);
    clock.advanceMs(1_000);
    socket.frames(quotesDelta('AAPL', 20, 5));
    expect(resyncsOf(socket)).toBe(2);
    expect(stream.isStale('AAPL')).toBe(true);
    socket.frames(quotesSnapshot({ AAPL: 21 }));
    expect(stream.isStale('AAPL')).toBe(false);
  });

  it('D6: stays so over a reconnect until the next gateway sends a snapshot, and says it again if it is', async () => {
    const { network, clock, socket, stream, told } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12, MSFT: 7 }), stale('quotes:AAPL', 12), stale('quotes:MSFT', 7));
    told.length = 0;
    socket.end(1006);
    expect(stream.isStale('AAPL')).toBe(true);
    clock.advanceMs(10_000);
    const next = await network.accepted(2);
    next.frames(quotesSnapshot({ AAPL: 3, MSFT: 5 }, 90, 'e2'), stale('quotes:MSFT', 5, { epoch: 'e2' }));
    expect([stream.isStale('AAPL'), stream.isStale('MSFT')]).toEqual([false, true]);
    expect(told).toEqual([
      ['change', 'AAPL', 3, false],
      ['change', 'MSFT', 5, false],
      ['whole', 'AAPL'],
      ['whole', 'MSFT'],
      ['stale', 'MSFT', 5, 'publisher_gap'],
    ]);
  });

  it('D6: is told at once to a stream that begins later, and no more to one that was closed', async () => {
    const { client, socket, stream, told } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12, MSFT: 7 }), stale('quotes:AAPL', 12));
    const late = client.quotes(['AAPL']);
    const heard: unknown[] = [];
    late.on('stale', event => heard.push(event)).on('change', ({ isStale }) => heard.push(isStale));
    expect(late.isStale('AAPL')).toBe(true);
    await late.ready;
    await settled();
    expect(heard).toEqual([true, expect.objectContaining({ symbol: 'AAPL', since: SINCE, reason: 'publisher_gap' })]);
    stream.close();
    const before = told.length;
    socket.frames(quotesSnapshot({ AAPL: 20 }));
    expect(told.length).toBe(before);
    expect([stream.isStale('AAPL'), late.isStale('AAPL')]).toEqual([false, false]);
  });

  it('D6: that is left and followed again begins without its past', async () => {
    const { client, socket, stream } = await following(['AAPL']);
    socket.frames(quotesSnapshot({ AAPL: 12 }), stale('quotes:AAPL', 12));
    stream.close();
    const again = client.quotes(['AAPL']);
    await again.ready;
    expect(again.isStale('AAPL')).toBe(false);
  });

  it('D6: shows in an iteration as a change without operations, and ends with the next', async () => {
    const { client, socket } = await connected();
    const stream = client.quotes(['AAPL']);
    await stream.ready;
    const iteration = stream[Symbol.asyncIterator]();
    const next = async () => (await iteration.next()).value as StateChange<unknown>;
    socket.frames(quotesSnapshot({ AAPL: 12 }));
    expect(await next()).toMatchObject({ seq: 12, isStale: false });
    socket.frames(stale('quotes:AAPL', 12));
    expect(await next()).toMatchObject({ seq: 12, isStale: true, isSnapshot: false, operations: [] });
    socket.frames(quotesSnapshot({ AAPL: 20 }));
    expect(await next()).toMatchObject({ seq: 20, isStale: false, isSnapshot: true });
  });

  it('D6: may be a book or a best level', async () => {
    const { client, socket } = await connected();
    const depth = client.depth(['X']);
    const best = client.orderbook(['X']);
    const told: unknown[] = [];
    for (const stream of [depth, best]) {
      stream
        .on('stale', ({ topic, reason }) => told.push([topic, reason]))
        .on('whole', ({ topic }) => told.push(topic));
    }
    await Promise.all([depth.ready, best.ready]);
    socket.frames(book(5), bestLevel(0, 5, { snapshot: true }));
    socket.frames(stale('depth:X', 5, { reason: 'too_large' }), stale('orderbook:X', 5, { reason: 'refused' }));
    expect([depth.isStale('X'), best.isStale('X')]).toEqual([true, true]);
    expect(depth.best('X', 'bids')).toEqual([['99', '1']]);
    socket.frames(book(9));
    expect([depth.isStale('X'), best.isStale('X')]).toEqual([false, true]);
    socket.frames(bestLevel(9, 9, { snapshot: true }));
    expect(told).toEqual([['depth:X', 'too_large'], ['orderbook:X', 'refused'], 'depth:X', 'orderbook:X']);
  });

  it('D6: a stale frame of what is no state topic is a malformed frame', async () => {
    const { client, socket, errors } = await connected();
    await client.trades(['AAPL']).ready;
    socket.frames(stale('trades:AAPL', 1), stale('AAPL', 1), { type: 'stale' });
    expect(errors).toEqual(['malformed_frame', 'malformed_frame', 'malformed_frame']);
  });
});

describe('D8: an event topic', () => {
  it('D8: tells what the gateway refused as a gap', async () => {
    const { client, socket } = await connected();
    const stream = client.trades(['X']);
    const gaps: unknown[] = [];
    stream.on('gap', gap => gaps.push(gap));
    await stream.ready;
    socket.frames({ type: 'gap', topic: 'trades:X', from: 3, to: 6, reason: 'refused', epoch: 'e1' });
    expect(gaps).toEqual([{ topic: 'trades:X', from: 3, to: 6, reason: 'refused', epoch: 'e1' }]);
  });
});
