import { describe, expect, it } from 'vitest';
import type { Book, Resync, StateChange } from '../../../src/client/index.js';
import { bookChecksum } from '../../../src/protocol/checksum.js';
import { bestLevel, connected, settled } from '../../support/client-harness.js';
import { quotesDelta, quotesSnapshot } from '../../support/market-frames.js';

const book = (seq: number, levels: number, checksum?: number) => ({
  type: 'depth_patch',
  snapshot: true,
  symbol: 'X',
  epoch: 'e1',
  prev_seq: seq,
  seq,
  operations: [
    {
      op: 'add',
      path: '/bids',
      value: Object.fromEntries(Array.from({ length: levels }, (_, n) => [`${99 - n}.0`, '1'])),
    },
    { op: 'add', path: '/asks', value: { '100.0': '2', '9999.0': '3', '101.0': '4' } },
  ],
  ...(checksum === undefined ? {} : { checksum }),
});

const bookDelta = (prevSeq: number, path: string, value: string, checksum: number) => ({
  type: 'depth_patch',
  symbol: 'X',
  epoch: 'e1',
  prev_seq: prevSeq,
  seq: prevSeq + 1,
  operations: [{ op: 'add', path, value }],
  checksum,
});

async function following() {
  const harness = await connected();
  const stream = harness.client.quotes(['AAPL', 'BTC/USDT']);
  const changes: StateChange<unknown>[] = [];
  const resyncs: Resync[] = [];
  stream.on('change', change => changes.push(change)).on('resync', resync => resyncs.push(resync));
  await stream.ready;
  return { ...harness, stream, changes, resyncs };
}

describe('R34 quotes', () => {
  it('tell of each change with its symbol, document, operations and place', async () => {
    const { socket, stream, changes } = await following();
    expect(stream.get('AAPL')).toBeUndefined();
    socket.frames(quotesSnapshot({ AAPL: 12, 'BTC/USDT': 7 }), quotesDelta('AAPL', 12, 101));
    const quote = { symbol: 'AAPL', current_price: 101 };
    const place = { isStale: false, epoch: 'e1', lag: undefined, skipped: 0 };
    expect(changes).toEqual([
      {
        topic: 'quotes:AAPL',
        symbol: 'AAPL',
        document: quote,
        isSnapshot: true,
        operations: [{ op: 'add', path: '/quotes/AAPL', value: { symbol: 'AAPL', current_price: 100 } }],
        seq: 12,
        ...place,
      },
      {
        topic: 'quotes:BTC/USDT',
        symbol: 'BTC/USDT',
        document: { symbol: 'BTC/USDT', current_price: 100 },
        isSnapshot: true,
        operations: [{ op: 'add', path: '/quotes/BTC~1USDT', value: { symbol: 'BTC/USDT', current_price: 100 } }],
        seq: 7,
        ...place,
      },
      {
        topic: 'quotes:AAPL',
        symbol: 'AAPL',
        document: quote,
        isSnapshot: false,
        operations: [{ op: 'replace', path: '/quotes/AAPL/current_price', value: 101 }],
        seq: 13,
        ...place,
      },
    ]);
    expect(stream.get('AAPL')).toEqual(quote);
  });

  it('give no document of a name that objects have by themselves', async () => {
    const { stream } = await following();
    for (const name of ['constructor', '__proto__', 'toString']) expect(stream.get(name)).toBeUndefined();
  });

  it('D17: have symbols and members that are called as those every object has', async () => {
    const { client, socket } = await connected();
    const names = ['constructor', 'prototype', 'toString', 'hasOwnProperty'];
    const stream = client.quotes(names);
    const resyncs: Resync[] = [];
    stream.on('resync', resync => resyncs.push(resync));
    await stream.ready;
    const add = (name: string) => ({
      op: 'add',
      path: `/quotes/${name}`,
      value: { symbol: name, [name]: { [name]: 1 } },
    });
    const seqs = Object.fromEntries(names.map(name => [name, 12]));
    socket.frames({ type: 'quotes_patch', snapshot: true, epoch: 'e1', seqs, operations: names.map(add) });
    for (const name of names) {
      const operations = [
        { op: 'replace', path: `/quotes/${name}/${name}/${name}`, value: 2 },
        { op: 'add', path: `/quotes/${name}/current_price`, value: 5 },
      ];
      socket.frames({ type: 'quotes_patch', symbol: name, epoch: 'e1', prev_seq: 12, seq: 13, operations });
      expect(stream.get(name)).toEqual({ symbol: name, [name]: { [name]: 2 }, current_price: 5 });
    }
    expect(resyncs).toEqual([]);
    expect(({} as Record<string, unknown>).current_price).toBeUndefined();
  });

  it('that miss a frame ask for a snapshot, keep the old document until then and go on from it', async () => {
    const { socket, stream, changes, resyncs } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }), quotesDelta('AAPL', 13, 999));
    expect(socket.sent('resync')).toEqual([
      { action: 'resync', stream: 'quotes', symbol: 'AAPL', id: 'resync quotes:AAPL' },
    ]);
    expect(resyncs).toEqual([{ topic: 'quotes:AAPL', symbol: 'AAPL', reason: 'broken' }]);
    expect(stream.get('AAPL')?.current_price).toBe(100);
    socket.frames(quotesDelta('AAPL', 14, 998), quotesSnapshot({ AAPL: 15 }, 103), quotesDelta('AAPL', 15, 104));
    expect(stream.get('AAPL')?.current_price).toBe(104);
    expect(changes.map(({ seq, isSnapshot }) => [seq, isSnapshot])).toEqual([
      [12, true],
      [15, true],
      [16, false],
    ]);
    expect(socket.sent('resync').length).toBe(1);
  });

  it('that cannot be patched ask for a snapshot, and hold no wrong document', async () => {
    const { socket, stream, resyncs } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }), {
      ...quotesDelta('AAPL', 12, 1),
      operations: [
        { op: 'replace', path: '/quotes/AAPL/current_price', value: 1 },
        { op: 'remove', path: '/quotes/AAPL/not_there' },
      ],
    });
    expect(resyncs).toMatchObject([{ reason: 'patch_failed' }]);
    expect(stream.get('AAPL')).toBeUndefined();
    socket.frames(quotesSnapshot({ AAPL: 13 }, 103));
    expect(stream.get('AAPL')?.current_price).toBe(103);
  });

  it('show by a heartbeat that their last frames were lost', async () => {
    const { socket, resyncs } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }), { type: 'heartbeat', topic: 'quotes:AAPL', epoch: 'e1', seq: 13 });
    expect(resyncs).toMatchObject([{ reason: 'broken' }]);
    expect(socket.sent('resync').length).toBe(1);
  });

  it('are asked for again, a second apart, while the snapshot does not come', async () => {
    const { socket, clock } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }), quotesDelta('AAPL', 13, 999));
    socket.frames(quotesDelta('AAPL', 14, 999), quotesDelta('AAPL', 15, 999));
    clock.advanceMs(999);
    socket.frames({ type: 'heartbeat', topic: 'quotes:AAPL', epoch: 'e1', seq: 16 });
    expect(socket.sent('resync').length).toBe(1);
    clock.advanceMs(1);
    socket.frames({ type: 'heartbeat', topic: 'quotes:AAPL', epoch: 'e1', seq: 16 });
    expect(socket.sent('resync').length).toBe(2);
  });

  it('are subscribed again where the gateway says that they are not', async () => {
    const { socket } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }), quotesDelta('AAPL', 13, 999));
    const [{ id } = {}] = socket.sent('resync');
    socket.frames({ type: 'error', id, code: 'not_subscribed', message: 'not subscribed: AAPL' });
    await settled();
    expect(socket.sent('subscribe').slice(1)).toMatchObject([{ stream: 'quotes', symbols: ['AAPL'] }]);
    socket.frames(quotesSnapshot({ AAPL: 20 }));
  });

  it('age visibly, and less so by heartbeats', async () => {
    const { client, socket, clock, stream } = await following();
    clock.advanceMs(50);
    socket.frames(quotesSnapshot({ AAPL: 12 }));
    clock.advanceMs(1_500);
    expect(stream.stalenessMs('AAPL')).toBe(1_500);
    expect(stream.stalenessMs('BTC/USDT')).toBe(1_550);
    expect(stream.stalenessMs('NONE')).toBeUndefined();
    socket.frames({ type: 'heartbeat', topic: 'quotes:AAPL', epoch: 'e1', seq: 12 });
    expect(stream.stalenessMs('AAPL')).toBe(0);
    expect(socket.sent('resync')).toEqual([]);
    clock.advanceMs(10);
    expect(stream.stalenessMs()).toBe(10);
    expect(client.status.lastFrameAgeMs).toBe(10);
    socket.end(1006);
    clock.advanceMs(90);
    expect(stream.stalenessMs('AAPL')).toBe(100);
  });

  it('D10: have a lag by the time of day, and an age by no clock that can be set', async () => {
    const { client, clock, socket } = await connected({ timestamps: true });
    const stream = client.quotes(['AAPL']);
    const lags: unknown[] = [];
    stream.on('change', ({ lag }) => lags.push(lag?.sinceSentMs));
    await stream.ready;
    clock.stepMs(-5_000);
    socket.frames({ ...quotesSnapshot({ AAPL: 1 }), ts_sent: clock.nowMicros() - 7_000 });
    clock.stepMs(3_600_000);
    clock.advanceMs(20);
    expect(lags).toEqual([7]);
    expect(stream.stalenessMs('AAPL')).toBe(20);
  });

  it('have a lag where frames are stamped', async () => {
    const { client, clock, socket } = await connected({ timestamps: true });
    const stream = client.quotes(['AAPL']);
    const lags: unknown[] = [];
    stream.on('change', ({ lag }) => lags.push(lag));
    await stream.ready;
    const sent = clock.nowMicros();
    clock.advanceMs(5);
    socket.frames({ ...quotesSnapshot({ AAPL: 1 }), ts_sent: sent });
    socket.frames({ ...quotesDelta('AAPL', 1, 2), ts_event: sent - 2_000, ts_sent: sent });
    expect(lags).toEqual([
      { sinceSentMs: 5, sinceEventMs: undefined },
      { sinceSentMs: 5, sinceEventMs: 7 },
    ]);
  });
});

describe('R34 depth', () => {
  async function depth() {
    const harness = await connected();
    const stream = harness.client.depth(['X'], { levels: 25 });
    const changes: StateChange<Book>[] = [];
    const resyncs: Resync[] = [];
    stream.on('change', change => changes.push(change)).on('resync', resync => resyncs.push(resync));
    await stream.ready;
    return { ...harness, stream, changes, resyncs };
  }

  it('has its best levels sorted by value', async () => {
    const { socket, stream } = await depth();
    expect(stream.best('X', 'bids')).toEqual([]);
    socket.frames(book(5, 12));
    expect(stream.best('X', 'bids', 2)).toEqual([
      ['99.0', '1'],
      ['98.0', '1'],
    ]);
    expect(stream.best('X', 'asks').map(([price]) => price)).toEqual(['100.0', '101.0', '9999.0']);
    expect(stream.best('X', 'bids').length).toBe(12);
  });

  it('D12: sorts negative prices by value', async () => {
    const { socket, stream } = await depth();
    const side = { '-37.63': '1', '0': '2', '5': '3', '-100': '4', '-5.0': '5' };
    const operations = ['bids', 'asks'].map(name => ({ op: 'add', path: `/${name}`, value: side }));
    socket.frames({ ...book(5, 1), operations });
    const prices = ['-100', '-37.63', '-5.0', '0', '5'];
    expect(stream.best('X', 'asks').map(([price]) => price)).toEqual(prices);
    expect(stream.best('X', 'bids').map(([price]) => price)).toEqual(prices.toReversed());
  });

  it('whose checksum is another asks for a snapshot, and holds no wrong book', async () => {
    const { socket, stream, changes, resyncs } = await depth();
    const checksum = bookChecksum(
      [
        ['100.0', '2'],
        ['101.0', '4'],
        ['9999.0', '3'],
      ],
      [
        ['99.5', '7'],
        ['99.0', '1'],
      ],
    );
    socket.frames(book(5, 1), bookDelta(5, '/bids/99.5', '7', checksum));
    expect(resyncs).toEqual([]);
    socket.frames(bookDelta(6, '/bids/99.6', '7', checksum));
    expect(resyncs).toEqual([{ topic: 'depth:X', symbol: 'X', reason: 'checksum_mismatch' }]);
    expect(socket.sent('resync')).toMatchObject([{ stream: 'depth', symbol: 'X' }]);
    expect(stream.get('X')).toBeUndefined();
    socket.frames(book(8, 2));
    expect(stream.best('X', 'bids').length).toBe(2);
    expect(changes.map(({ seq }) => seq)).toEqual([5, 6, 8]);
  });

  it('whose snapshots are wrong, too, is asked for once a second at most', async () => {
    const { socket, clock } = await depth();
    for (let n = 0; n < 20; n++) socket.frames(book(n, 1, 1));
    expect(socket.sent('resync').length).toBe(1);
    clock.advanceMs(1_000);
    for (let n = 0; n < 20; n++) socket.frames(book(n, 1, 1));
    expect(socket.sent('resync').length).toBe(2);
  });
});

describe('R34 orderbook', () => {
  it('takes each frame whole, after a hole as well', async () => {
    const { client, socket } = await connected();
    const stream = client.orderbook(['X']);
    const changes: unknown[] = [];
    stream.on('change', ({ seq, isSnapshot, operations }) => changes.push([seq, isSnapshot, operations]));
    await stream.ready;
    socket.frames(bestLevel(0, 5, { snapshot: true }), bestLevel(5, 6), bestLevel(8, 9));
    expect(changes).toEqual([
      [5, true, []],
      [6, false, []],
      [9, true, []],
    ]);
    expect(stream.get('X')).toMatchObject({ best_bid: '9', best_ask: null });
    expect(socket.sent('resync')).toEqual([]);
  });
});

describe('R34 iterating over documents', () => {
  it('begins with what is there, then gives each change', async () => {
    const { socket, stream } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }));
    const iteration = stream[Symbol.asyncIterator]();
    expect((await iteration.next()).value).toMatchObject({ symbol: 'AAPL', seq: 12, isSnapshot: true, skipped: 0 });
    const next = iteration.next();
    socket.frames(quotesDelta('AAPL', 12, 101));
    expect((await next).value).toMatchObject({ symbol: 'AAPL', seq: 13, skipped: 0 });
  });

  it('keeps the newest change of each symbol while the consumer is busy', async () => {
    const { socket, stream } = await following();
    const iteration = stream[Symbol.asyncIterator]();
    socket.frames(quotesSnapshot({ AAPL: 0, 'BTC/USDT': 7 }));
    for (let seq = 0; seq < 1000; seq++) socket.frames(quotesDelta('AAPL', seq, seq));
    const first = (await iteration.next()).value;
    expect(first).toMatchObject({ symbol: 'AAPL', seq: 1000, skipped: 1000, document: { current_price: 999 } });
    expect((await iteration.next()).value).toMatchObject({ symbol: 'BTC/USDT', seq: 7, skipped: 0 });
  });

  it('gives each loop every symbol, and ends with the stream', async () => {
    const { socket, stream } = await following();
    const seen: string[] = [];
    const loop = async (name: string) => {
      for await (const { symbol } of stream) seen.push(`${name} ${symbol}`);
      seen.push(`${name} ends`);
    };
    const loops = Promise.all([loop('a'), loop('b')]);
    socket.frames(quotesSnapshot({ AAPL: 12 }));
    await settled();
    stream.close();
    await loops;
    expect(seen.sort()).toEqual(['a AAPL', 'a ends', 'b AAPL', 'b ends']);
  });

  it('closes the stream when the loop is left and nobody listens', async () => {
    const { client, socket } = await connected();
    const stream = client.quotes(['AAPL']);
    await stream.ready;
    socket.frames(quotesSnapshot({ AAPL: 12 }));
    for await (const { symbol } of stream) if (symbol === 'AAPL') break;
    expect(stream.isClosed).toBe(true);
    expect(socket.sent('unsubscribe').length).toBe(1);
  });

  it('leaves the stream open when the loop is left and somebody listens', async () => {
    const { socket, stream } = await following();
    socket.frames(quotesSnapshot({ AAPL: 12 }));
    for await (const _ of stream) break;
    expect(stream.isClosed).toBe(false);
    stream.close();
    for await (const _ of stream) throw new Error('a closed stream gives nothing');
  });
});
