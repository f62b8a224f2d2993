import { beforeEach, describe, expect, it } from 'vitest';
import { TopicChains } from '../../../src/client/chain.js';
import { alert, order, quotesDelta, quotesSnapshot, roomMessage, trade } from '../../support/market-frames.js';

let chains: TopicChains;
beforeEach(() => {
  chains = new TopicChains();
});

describe('R34 orders, analytics and rooms', () => {
  it.each([
    ['orders:alice', (seq: number) => order('alice', seq)],
    ['analytics:alerts', (seq: number) => alert(seq)],
    ['analytics:routing-metrics', (seq: number) => alert(seq, 'routing-metrics', 'routing-decision')],
    ['analytics:alerts', (seq: number) => alert(seq, 'alerts', 'a type of the future')],
    ['rooms:desk-7', (seq: number) => roomMessage('desk-7', seq)],
  ])('are event topics: %s', (topic, message) => {
    expect(chains.feed(message(4))).toEqual({ kind: 'event', topics: [topic] });
    expect(chains.feed(message(5)).kind).toBe('event');
    expect(chains.feed(message(8))).toEqual({
      kind: 'broken',
      topic,
      expected: { epoch: 'e1', seq: 6 },
      got: { epoch: 'e1', seq: 8 },
    });
    expect(chains.position(topic)).toEqual({ epoch: 'e1', seq: 9 });
    expect(chains.feed({ type: 'gap', topic, from: 10, to: 12, reason: 'overrun' }).kind).toBe('gap');
    expect(chains.feed(message(12)).kind).toBe('event');
    expect(chains.feed({ type: 'heartbeat', topic, epoch: 'e1', seq: 13 }).kind).toBe('control');
    expect(chains.feed({ type: 'heartbeat', topic, epoch: 'e1', seq: 15 })).toMatchObject({ kind: 'broken', topic });
    expect(chains.feed(message(15)).kind).toBe('event');
  });

  it('are malformed without the name of their topic', () => {
    for (const frame of [order('alice', 1), alert(1), roomMessage('desk-7', 1)]) {
      const { user_id: _user, room: _room, seq: _seq, ...rest } = { user_id: '', room: '', ...frame };
      expect(chains.feed(rest).kind).toBe('malformed');
    }
  });
});

describe('R34 a subscription', () => {
  const topics = ['trades:A', 'orders:alice'];
  const positions = { 'trades:A': { epoch: 'e1', seq: 41 }, 'orders:alice': { epoch: 'e1', seq: 7 } };

  it('begins event topics at the positions that it names', () => {
    chains.feed({ type: 'subscribed', topics, positions });
    expect(chains.position('trades:A')).toEqual({ epoch: 'e1', seq: 41 });
    expect(chains.feed(trade('A', 41)).kind).toBe('event');
    expect(chains.feed(order('alice', 9))).toMatchObject({ kind: 'broken', expected: { epoch: 'e1', seq: 7 } });
  });

  it('that was recovered leaves the client’s own position, which the missed events follow', () => {
    chains.feed(trade('A', 0));
    chains.feed({ type: 'subscribed', topics: ['trades:A'], recovered: true, positions });
    expect(chains.position('trades:A')).toEqual({ epoch: 'e1', seq: 1 });
    expect(chains.feed(trade('A', 1)).kind).toBe('event');
    expect(chains.feed(trade('A', 4)).kind).toBe('broken');
  });

  it('that was not recovered begins anew at the positions', () => {
    chains.feed(trade('A', 0));
    chains.feed({ type: 'subscribed', topics: ['trades:A'], recovered: false, positions });
    expect(chains.position('trades:A')).toEqual({ epoch: 'e1', seq: 41 });
    expect(chains.feed(trade('A', 41)).kind).toBe('event');
  });

  it.each([null, 7, [], { 'trades:A': null }, { 'trades:A': { epoch: 1, seq: 1 } }, { 'trades:A': { epoch: 'e' } }])(
    'with positions %j is as one without',
    bad => {
      chains.feed(trade('A', 0));
      chains.feed({ type: 'subscribed', topics: ['trades:A'], positions: bad });
      expect(chains.position('trades:A')).toEqual({ epoch: 'e1', seq: 1 });
    },
  );

  it('has no positions of state topics: they begin with a snapshot', () => {
    chains.feed({
      type: 'subscribed',
      topics: ['quotes:AAPL'],
      positions: { 'quotes:AAPL': { epoch: 'e1', seq: 12 } },
    });
    expect(chains.position('quotes:AAPL')).toBeUndefined();
  });
});

describe('R34 a new connection', () => {
  it('keeps documents, lets no delta in before a snapshot, and goes on with the resumed event topics', () => {
    chains.feed(quotesSnapshot({ AAPL: 12 }));
    chains.feed(trade('A', 0));
    chains.feed(trade('B', 0));
    chains.reconnecting(new Set(['trades:A', 'quotes:AAPL']));
    expect(chains.documentOf('quotes:AAPL')).toEqual({ symbol: 'AAPL', current_price: 100 });
    expect(chains.feed(quotesDelta('AAPL', 12, 999)).kind).toBe('ignored');
    expect(chains.feed(quotesSnapshot({ AAPL: 13 })).kind).toBe('snapshot');
    expect(chains.position('trades:A')).toEqual({ epoch: 'e1', seq: 1 });
    expect(chains.position('trades:B')).toBeUndefined();
  });
});

describe('R34 a document', () => {
  it('is found by its topic', () => {
    chains.feed(quotesSnapshot({ AAPL: 12 }));
    const best = { type: 'orderbook_update', snapshot: true, symbol: 'X', epoch: 'e1', seq: 1 };
    chains.feed(best);
    expect(chains.documentOf('quotes:AAPL')).toEqual({ symbol: 'AAPL', current_price: 100 });
    expect(chains.documentOf('orderbook:X')).toEqual(best);
    for (const topic of ['quotes:constructor', 'depth:X', 'trades:X', 'orders:', 'nothing']) {
      expect(chains.documentOf(topic)).toBeUndefined();
    }
  });

  it('that is known to be wrong is not held', () => {
    chains.feed(quotesSnapshot({ AAPL: 12 }));
    const operations = [
      { op: 'replace', path: '/quotes/AAPL/current_price', value: 1 },
      { op: 'replace', path: '/quotes/AAPL/not_there', value: 1 },
    ];
    expect(chains.feed({ ...quotesDelta('AAPL', 12, 1), operations }).kind).toBe('patch_failed');
    expect(chains.documentOf('quotes:AAPL')).toBeUndefined();
  });

  it('may be replaced whole', () => {
    chains.feed(quotesSnapshot({ AAPL: 12 }));
    const value = { symbol: 'AAPL', current_price: 7 };
    const operations = [{ op: 'replace', path: '/quotes/AAPL', value }];
    expect(chains.feed({ ...quotesDelta('AAPL', 12, 1), operations }).kind).toBe('delta');
    expect(chains.documentOf('quotes:AAPL')).toEqual({ symbol: 'AAPL', current_price: 7 });
  });
});
