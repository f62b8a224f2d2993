import fc from 'fast-check';
import { createPatch } from 'rfc6902';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ServerFrame, TopicChains } from '../../../src/client/chain.js';
import { bookChecksum } from '../../../src/protocol/checksum.js';

let chains: TopicChains;
beforeEach(() => {
  chains = new TopicChains();
});

function quotesSnapshot(seqs: Record<string, number>, epoch = 'e1', price = 100): ServerFrame {
  const operations = Object.keys(seqs).map(symbol => ({
    op: 'add',
    path: `/quotes/${symbol}`,
    value: { symbol, current_price: price },
  }));
  return { type: 'quotes_patch', snapshot: true, epoch, seqs, operations };
}

function quotesDelta(prevSeq: number, seq: number, price: number, more: object = {}): ServerFrame {
  const operations = [{ op: 'replace', path: '/quotes/AAPL/current_price', value: price }];
  return { type: 'quotes_patch', symbol: 'AAPL', epoch: 'e1', prev_seq: prevSeq, seq, operations, ...more };
}

function trade(symbol: string, prevSeq: number, seq: number, epoch = 'e1'): ServerFrame {
  return { type: 'trade_executed', trade_id: `t${seq}`, symbol, price: '1', epoch, prev_seq: prevSeq, seq };
}

describe('quotes', () => {
  it('start with a snapshot of several symbols', () => {
    expect(chains.feed(quotesSnapshot({ AAPL: 12, MSFT: 7 }))).toEqual({
      kind: 'snapshot',
      topics: ['quotes:AAPL', 'quotes:MSFT'],
    });
    expect(chains.position('quotes:AAPL')).toEqual({ epoch: 'e1', seq: 12 });
    expect(chains.position('quotes:MSFT')).toEqual({ epoch: 'e1', seq: 7 });
    expect(chains.documents.quotes).toEqual({
      quotes: { AAPL: { symbol: 'AAPL', current_price: 100 }, MSFT: { symbol: 'MSFT', current_price: 100 } },
    });
  });

  it('follow the deltas whose prev_seq is the held seq', () => {
    chains.feed(quotesSnapshot({ AAPL: 12 }));
    expect(chains.feed(quotesDelta(12, 15, 101))).toEqual({ kind: 'delta', topics: ['quotes:AAPL'] });
    expect(chains.feed(quotesDelta(15, 16, 102)).kind).toBe('delta');
    expect(chains.documents.quotes.quotes.AAPL).toEqual({ symbol: 'AAPL', current_price: 102 });
    expect(chains.position('quotes:AAPL')).toEqual({ epoch: 'e1', seq: 16 });
  });

  it.each([
    ['a delta is missing', quotesDelta(15, 16, 999), { epoch: 'e1', seq: 15 }],
    ['a delta comes twice', quotesDelta(11, 12, 999), { epoch: 'e1', seq: 11 }],
    ['the epoch is another', quotesDelta(12, 13, 999, { epoch: 'e2' }), { epoch: 'e2', seq: 12 }],
  ])('are broken when %s, and the document is left as it was', (_, frame, got) => {
    chains.feed(quotesSnapshot({ AAPL: 12 }));
    expect(chains.feed(frame)).toEqual({
      kind: 'broken',
      topic: 'quotes:AAPL',
      expected: { epoch: 'e1', seq: 12 },
      got,
    });
    expect(chains.documents.quotes.quotes.AAPL).toEqual({ symbol: 'AAPL', current_price: 100 });
  });

  it('are broken by a delta before any snapshot', () => {
    expect(chains.feed(quotesDelta(1, 2, 1))).toMatchObject({ kind: 'broken', expected: undefined });
  });

  it('ignore deltas after a break until the snapshot that repairs it', () => {
    chains.feed(quotesSnapshot({ AAPL: 12 }));
    chains.feed(quotesDelta(14, 15, 999));
    expect(chains.position('quotes:AAPL')).toBeUndefined();
    expect(chains.feed(quotesDelta(12, 13, 998))).toEqual({ kind: 'ignored', topics: ['quotes:AAPL'] });
    expect(chains.feed(quotesSnapshot({ AAPL: 15 }, 'e1', 103)).kind).toBe('snapshot');
    expect(chains.feed(quotesDelta(15, 16, 104)).kind).toBe('delta');
    expect(chains.documents.quotes.quotes.AAPL).toEqual({ symbol: 'AAPL', current_price: 104 });
  });

  it('keep the chains of their symbols apart', () => {
    chains.feed(quotesSnapshot({ AAPL: 12, MSFT: 7 }));
    chains.feed(quotesDelta(99, 100, 999));
    const operations = [{ op: 'replace', path: '/quotes/MSFT/current_price', value: 5 }];
    const delta = { type: 'quotes_patch', symbol: 'MSFT', epoch: 'e1', prev_seq: 7, seq: 8, operations };
    expect(chains.feed(delta)).toEqual({ kind: 'delta', topics: ['quotes:MSFT'] });
  });

  it('take a snapshot of one symbol in the midst, in a new epoch, and leave the others alone', () => {
    chains.feed(quotesSnapshot({ AAPL: 12, MSFT: 7 }));
    chains.feed(quotesSnapshot({ AAPL: 1 }, 'e2', 50));
    expect(chains.position('quotes:AAPL')).toEqual({ epoch: 'e2', seq: 1 });
    expect(chains.position('quotes:MSFT')).toEqual({ epoch: 'e1', seq: 7 });
    expect(Object.keys(chains.documents.quotes.quotes).sort()).toEqual(['AAPL', 'MSFT']);
  });

  it('forget members that the next snapshot does not have', () => {
    const value = { symbol: 'AAPL', current_price: 1, note: 'halted' };
    const operations = [{ op: 'add', path: '/quotes/AAPL', value }];
    chains.feed({ type: 'quotes_patch', snapshot: true, epoch: 'e1', seqs: { AAPL: 1 }, operations });
    chains.feed(quotesSnapshot({ AAPL: 2 }));
    expect(chains.documents.quotes.quotes.AAPL).toEqual({ symbol: 'AAPL', current_price: 100 });
  });

  it('unescape a symbol with a slash', () => {
    const operations = [{ op: 'add', path: '/quotes/BTC~1USDT', value: { symbol: 'BTC/USDT' } }];
    chains.feed({ type: 'quotes_patch', snapshot: true, epoch: 'e1', seqs: { 'BTC/USDT': 1 }, operations });
    expect(chains.documents.quotes.quotes).toEqual({ 'BTC/USDT': { symbol: 'BTC/USDT' } });
  });

  it('say so when an operation does not fit the document', () => {
    chains.feed(quotesSnapshot({ AAPL: 12 }));
    const operations = [{ op: 'replace', path: '/quotes/AAPL/nothing_there', value: 1 }];
    const outcome = chains.feed(quotesDelta(12, 13, 1, { operations }));
    expect(outcome).toMatchObject({ kind: 'patch_failed', topic: 'quotes:AAPL' });
    expect(chains.position('quotes:AAPL')).toBeUndefined();
  });
});

describe('depth', () => {
  const bids = { '99.50': '1', '99.00': '2' };
  const asks = { '100.00': '3', '100.50': '4' };
  const snapshot = (checksum?: number): ServerFrame => ({
    type: 'depth_patch',
    snapshot: true,
    symbol: 'X',
    epoch: 'e1',
    prev_seq: 4,
    seq: 5,
    operations: [
      { op: 'add', path: '/bids', value: bids },
      { op: 'add', path: '/asks', value: asks },
    ],
    ...(checksum === undefined ? {} : { checksum }),
  });
  const delta = (checksum: number): ServerFrame => ({
    type: 'depth_patch',
    symbol: 'X',
    epoch: 'e1',
    prev_seq: 5,
    seq: 6,
    operations: [
      { op: 'remove', path: '/bids/99.50' },
      { op: 'add', path: '/asks/99.90', value: '9' },
    ],
    checksum,
  });
  const before = bookChecksum(
    [
      ['100.00', '3'],
      ['100.50', '4'],
    ],
    [
      ['99.50', '1'],
      ['99.00', '2'],
    ],
  );
  const after = bookChecksum(
    [
      ['99.90', '9'],
      ['100.00', '3'],
      ['100.50', '4'],
    ],
    [['99.00', '2']],
  );

  it('keeps the book and verifies its checksum', () => {
    expect(chains.feed(snapshot(before))).toEqual({ kind: 'snapshot', topics: ['depth:X'] });
    expect(chains.feed(delta(after))).toEqual({ kind: 'delta', topics: ['depth:X'] });
    expect(chains.documents.depth.get('X')).toEqual({
      bids: { '99.00': '2' },
      asks: { '99.90': '9', '100.00': '3', '100.50': '4' },
    });
  });

  it('reports a book that is not the server’s, and waits for a snapshot', () => {
    chains.feed(snapshot(before));
    expect(chains.feed(delta(after ^ 1))).toEqual({
      kind: 'checksum_mismatch',
      topic: 'depth:X',
      expected: after ^ 1,
      got: after,
    });
    expect(chains.feed(delta(after)).kind).toBe('ignored');
    expect(chains.feed(snapshot(before)).kind).toBe('snapshot');
  });

  it('does without a checksum where none is sent', () => {
    expect(chains.feed(snapshot()).kind).toBe('snapshot');
  });

  it('survives operations that leave no book', () => {
    chains.feed(snapshot(before));
    const operations = [{ op: 'remove', path: '/bids' }];
    expect(chains.feed({ ...delta(after), operations }).kind).toBe('patch_failed');
    expect(chains.feed(snapshot(before)).kind).toBe('snapshot');
  });

  it('starts anew at a snapshot, with nothing of the old book', () => {
    chains.feed(snapshot(before));
    chains.feed(delta(after));
    chains.feed(snapshot(before));
    expect(chains.documents.depth.get('X')).toEqual({ bids, asks });
  });
});

describe('orderbook', () => {
  const frame = (prevSeq: number, seq: number, more: object = {}): ServerFrame => ({
    type: 'orderbook_update',
    symbol: 'X',
    best_bid: String(seq),
    epoch: 'e1',
    prev_seq: prevSeq,
    seq,
    ...more,
  });

  it('holds the last message whole', () => {
    expect(chains.feed(frame(0, 5, { snapshot: true })).kind).toBe('snapshot');
    expect(chains.feed(frame(5, 9)).kind).toBe('delta');
    expect(chains.documents.orderbook.get('X')).toMatchObject({ best_bid: '9', seq: 9 });
  });

  it('reports a hole, takes the whole message all the same and goes on from it', () => {
    chains.feed(frame(0, 5, { snapshot: true }));
    expect(chains.feed(frame(7, 9))).toEqual({
      kind: 'broken',
      topic: 'orderbook:X',
      expected: { epoch: 'e1', seq: 5 },
      got: { epoch: 'e1', seq: 7 },
    });
    expect(chains.documents.orderbook.get('X')).toMatchObject({ seq: 9 });
    expect(chains.feed(frame(9, 10)).kind).toBe('delta');
  });
});

describe('trades', () => {
  it('begin their chain with the first message, each symbol its own', () => {
    expect(chains.feed(trade('A', 41, 42))).toEqual({ kind: 'event', topics: ['trades:A'] });
    expect(chains.feed(trade('B', 0, 1)).kind).toBe('event');
    expect(chains.feed(trade('A', 42, 43)).kind).toBe('event');
  });

  it('report a loss nobody announced once, and go on', () => {
    chains.feed(trade('A', 0, 1));
    expect(chains.feed(trade('A', 2, 3))).toEqual({
      kind: 'broken',
      topic: 'trades:A',
      expected: { epoch: 'e1', seq: 1 },
      got: { epoch: 'e1', seq: 2 },
    });
    expect(chains.feed(trade('A', 3, 4)).kind).toBe('event');
  });

  it('go on after the end of an announced gap', () => {
    chains.feed(trade('A', 0, 11));
    const gap = { type: 'gap', topic: 'trades:A', from: 12, to: 40, reason: 'slow_consumer' };
    expect(chains.feed(gap)).toEqual({ kind: 'gap', topics: ['trades:A'], from: 12, to: 40 });
    expect(chains.feed(trade('A', 40, 41)).kind).toBe('event');
  });

  it('are broken where the loss is larger than announced', () => {
    chains.feed(trade('A', 0, 11));
    chains.feed({ type: 'gap', topic: 'trades:A', from: 12, to: 40, reason: 'slow_consumer' });
    expect(chains.feed(trade('A', 41, 42)).kind).toBe('broken');
  });

  it('may follow a gap into the epoch that it names', () => {
    chains.feed(trade('A', 0, 11));
    chains.feed({ type: 'gap', topic: 'trades:A', from: 12, to: 12, epoch: 'e2', reason: 'encoder_restart' });
    expect(chains.feed(trade('A', 12, 13, 'e2')).kind).toBe('event');
  });

  it('begin anew after an unsubscribe, of one symbol or of all', () => {
    for (const topic of ['trades:A', 'trades:*']) {
      chains.feed(trade('A', 0, 1));
      chains.feed({ type: 'unsubscribed', topics: [topic] });
      expect(chains.feed(trade('A', 70, 71)).kind).toBe('event');
      chains.feed({ type: 'unsubscribed', topics: ['trades:*'] });
    }
  });

  it('begin anew when a resume did not recover everything', () => {
    chains.feed(trade('A', 0, 1));
    chains.feed({ type: 'subscribed', topics: ['trades:A'], recovered: false });
    expect(chains.feed(trade('A', 70, 71)).kind).toBe('event');
  });
});

describe('control frames', () => {
  it.each(['subscribed', 'ack', 'pong', 'warning', 'error', 'status', 'going_away', 'something new'])(
    'carry no data: %s',
    type => {
      expect(chains.feed({ type })).toEqual({ kind: 'control', topics: [] });
    },
  );

  it('include a heartbeat that says what is held', () => {
    chains.feed(quotesSnapshot({ AAPL: 12 }));
    expect(chains.feed({ type: 'heartbeat', topic: 'quotes:AAPL', epoch: 'e1', seq: 12 }).kind).toBe('control');
    expect(chains.feed({ type: 'heartbeat', topic: 'quotes:OTHER', epoch: 'e1', seq: 3 }).kind).toBe('control');
  });

  it('show by a heartbeat that the last frames were lost', () => {
    chains.feed(quotesSnapshot({ AAPL: 12 }));
    expect(chains.feed({ type: 'heartbeat', topic: 'quotes:AAPL', epoch: 'e1', seq: 14 })).toMatchObject({
      kind: 'broken',
      topic: 'quotes:AAPL',
      got: { epoch: 'e1', seq: 14 },
    });
    expect(chains.position('quotes:AAPL')).toBeUndefined();
  });

  it('forget the document of a topic that was left', () => {
    chains.feed(quotesSnapshot({ AAPL: 12, MSFT: 7 }));
    chains.feed({ type: 'unsubscribed', topics: ['quotes:AAPL'] });
    expect(Object.keys(chains.documents.quotes.quotes)).toEqual(['MSFT']);
    expect(chains.position('quotes:AAPL')).toBeUndefined();
  });
});

describe('whatever a server sends', () => {
  it.each([
    { type: 'quotes_patch' },
    { type: 'quotes_patch', snapshot: true },
    { type: 'quotes_patch', snapshot: true, epoch: 'e', seqs: { A: 'x' }, operations: [] },
    { type: 'quotes_patch', symbol: 'A', epoch: 'e', prev_seq: 0, seq: 1.5, operations: [] },
    { type: 'depth_patch', symbol: 'A' },
    { type: 'orderbook_update' },
    { type: 'trade_executed', symbol: 7 },
    { type: 'gap', topic: 'trades:A' },
    { type: 'heartbeat' },
  ])('without the members of its type is malformed: %j', frame => {
    expect(chains.feed(frame).kind).toBe('malformed');
  });

  it('never makes feed throw', () => {
    const type = fc.constantFrom(
      'quotes_patch',
      'depth_patch',
      'orderbook_update',
      'trade_executed',
      'order_update',
      'alert',
      'room_message',
      'subscribed',
      'gap',
      'heartbeat',
    );
    const operation = fc.oneof(
      fc.jsonValue(),
      fc.record({
        op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'),
        path: fc.constantFrom('', '/', '/bids', '/quotes/A', '/quotes/A/x/y', '/__proto__/x', 'no pointer'),
        from: fc.constantFrom('/quotes', '/bids'),
        value: fc.jsonValue(),
      }),
    );
    const frame = fc.record(
      {
        type,
        snapshot: fc.boolean(),
        symbol: fc.constantFrom('A', 'B'),
        user_id: fc.constantFrom('A', 'B'),
        channel: fc.constantFrom('A', 'B'),
        room: fc.constantFrom('A', 'B'),
        topic: fc.constantFrom('quotes:A', 'depth:A', 'trades:A'),
        topics: fc.array(fc.constantFrom('quotes:A', 'depth:A', 'trades:A', 'rooms:A')),
        recovered: fc.boolean(),
        positions: fc.jsonValue(),
        epoch: fc.constant('e'),
        prev_seq: fc.nat(2),
        seq: fc.nat(2),
        from: fc.nat(2),
        to: fc.nat(2),
        seqs: fc.dictionary(fc.constantFrom('A', 'B'), fc.nat(2)),
        operations: fc.array(operation, { maxLength: 4 }),
        checksum: fc.nat(),
      },
      { requiredKeys: ['type'] },
    );
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), frames => {
        const keeper = new TopicChains();
        for (const each of frames) keeper.feed(each);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a stream with losses', () => {
  const update = fc.record({ price: fc.nat(5), note: fc.option(fc.constantFrom('a', 'b')), isLost: fc.boolean() });

  it('ends in the server’s document or is known to be broken, never in a wrong document', () => {
    fc.assert(
      fc.property(fc.array(update, { maxLength: 30 }), updates => {
        const keeper = new TopicChains();
        let server: Record<string, unknown> = { symbol: 'AAPL', price: 0 };
        const value = structuredClone(server);
        const operations = [{ op: 'add', path: '/quotes/AAPL', value }];
        keeper.feed({ type: 'quotes_patch', snapshot: true, epoch: 'e1', seqs: { AAPL: 0 }, operations });
        let lost = false;
        updates.forEach(({ price, note, isLost }, at) => {
          const next = { symbol: 'AAPL', price, ...(note === null ? {} : { note }) };
          const changes = createPatch({ quotes: { AAPL: server } }, { quotes: { AAPL: next } });
          server = next;
          lost ||= isLost;
          if (isLost) return;
          const chain = { symbol: 'AAPL', epoch: 'e1', prev_seq: at, seq: at + 1 };
          keeper.feed({ type: 'quotes_patch', ...chain, operations: changes });
          if (lost) expect(keeper.position('quotes:AAPL')).toBeUndefined();
          else expect(keeper.documents.quotes.quotes.AAPL).toEqual(server);
        });
      }),
      { numRuns: 300 },
    );
  });
});
