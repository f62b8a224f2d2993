import { describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../src/client/index.js';
import { answering, connected, newClient, settled, subscribed, withoutId } from '../../support/client-harness.js';
import { quotesDelta, quotesSnapshot, roomMessage, trade } from '../../support/market-frames.js';

describe('R34 after a reconnect', () => {
  it('state topics are subscribed together and begin with a snapshot', async () => {
    const { client, network, clock, socket } = await connected();
    const stream = client.quotes(['AAPL', 'MSFT']);
    await stream.ready;
    socket.frames(quotesSnapshot({ AAPL: 1, MSFT: 1 }));
    socket.end(1006);
    expect(stream.get('AAPL')?.current_price).toBe(100);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    expect(withoutId(second.commands)).toEqual([{ action: 'subscribe', stream: 'quotes', symbols: ['AAPL', 'MSFT'] }]);
    const changes: unknown[] = [];
    stream.on('change', ({ symbol, isSnapshot }) => changes.push([symbol, isSnapshot]));
    // What belongs to the chain of the old connection is not taken for the new one's.
    second.frames(quotesDelta('AAPL', 1, 999));
    expect(stream.get('AAPL')?.current_price).toBe(100);
    second.frames(quotesSnapshot({ AAPL: 3, MSFT: 1 }, 103), quotesDelta('AAPL', 3, 104));
    expect(changes).toEqual([
      ['AAPL', true],
      ['MSFT', true],
      ['AAPL', false],
    ]);
    expect(stream.get('AAPL')?.current_price).toBe(104);
  });

  it('a topic that was left meanwhile is forgotten', async () => {
    const { client, network, clock, socket } = await connected();
    const first = client.quotes(['AAPL']);
    await first.ready;
    socket.frames(quotesSnapshot({ AAPL: 1 }));
    socket.end(1006);
    first.close();
    const second = client.quotes(['AAPL']);
    expect(second.get('AAPL')).toBeUndefined();
    second.close();
    clock.advanceMs(100);
    expect((await network.accepted(2)).commands).toEqual([]);
  });

  it('nothing is asked for about a topic that is not answered yet', async () => {
    const { client, network, clock, socket } = await connected();
    await client.quotes(['AAPL']).ready;
    socket.frames(quotesSnapshot({ AAPL: 1 }));
    network.onCommand = () => {};
    socket.end(1006);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    second.frames(quotesDelta('AAPL', 1, 2));
    expect(second.commands.map(({ action }) => action)).toEqual(['subscribe']);
  });

  it('event topics resume one by one from where they were, before all others', async () => {
    const { client, network, clock, socket } = await connected();
    const events: StreamEvent<unknown>[] = [];
    const gaps: unknown[] = [];
    const stream = client.trades(['X', 'Y', 'SILENT']);
    stream.on('event', event => events.push(event)).on('gap', gap => gaps.push(gap));
    client.quotes(['AAPL']);
    await stream.ready;
    socket.frames(trade('X', 40), trade('Y', 6));
    socket.end(1006);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    expect(withoutId(second.commands)).toEqual([
      { action: 'subscribe', stream: 'trades', symbols: ['X'], since: { epoch: 'e1', seq: 41 } },
      { action: 'subscribe', stream: 'trades', symbols: ['Y'], since: { epoch: 'e1', seq: 7 } },
      { action: 'subscribe', stream: 'trades', symbols: ['SILENT'] },
      { action: 'subscribe', stream: 'quotes', symbols: ['AAPL'] },
    ]);
    second.frames(trade('X', 41), trade('X', 42), trade('Y', 7));
    expect(events.map(({ name, seq }) => [name, seq])).toEqual([
      ['X', 41],
      ['Y', 7],
      ['X', 42],
      ['X', 43],
      ['Y', 8],
    ]);
    // Nothing is known of where it stood, so nothing can be promised.
    expect(gaps).toEqual([{ topic: 'trades:SILENT', from: 0, to: 0, reason: 'not_recovered', epoch: undefined }]);
  });

  it('a silent event topic resumes from the position that it was subscribed at', async () => {
    const { client, network, clock } = newClient();
    network.onCommand = answering(({ id, since }) => [
      subscribed(
        id,
        ['rooms:r'],
        since === undefined ? { positions: { 'rooms:r': { epoch: 'e1', seq: 5 } } } : { recovered: true },
      ),
    ]);
    const stream = client.rooms('r');
    const gaps: unknown[] = [];
    stream.on('gap', gap => gaps.push(gap));
    const socket = await network.accepted(1);
    await stream.ready;
    socket.end(1006);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    expect(withoutId(second.commands)).toEqual([
      { action: 'subscribe', stream: 'rooms', symbols: ['r'], since: { epoch: 'e1', seq: 5 } },
    ]);
    second.frames(roomMessage('r', 5));
    expect(gaps).toEqual([]);
  });

  it.each([
    ['in the same epoch', { epoch: 'e1', seq: 50 }, { from: 42, to: 50, epoch: 'e1' }],
    ['in another epoch', { epoch: 'e2', seq: 3 }, { from: 0, to: 0, epoch: 'e2' }],
    ['of which nothing is known', { epoch: 'e1', seq: 41 }, { from: 0, to: 0, epoch: 'e1' }],
  ])('events that cannot be given back are a gap, %s', async (_, position, gap) => {
    const { client, network, clock, socket } = await connected();
    const stream = client.trades(['X']);
    const told: unknown[] = [];
    stream.on('gap', lost => told.push(lost)).on('event', ({ seq }) => told.push(seq));
    await stream.ready;
    socket.frames(trade('X', 40));
    network.onCommand = answering(({ id }) => [
      subscribed(id, ['trades:X'], { recovered: false, positions: { 'trades:X': position } }),
    ]);
    socket.end(1006);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    second.frames(trade('X', position.seq, position.epoch));
    expect(told).toEqual([41, { topic: 'trades:X', reason: 'not_recovered', ...gap }, position.seq + 1]);
  });

  it('the trades of all symbols cannot be resumed, which is a gap', async () => {
    const { client, network, clock, socket } = await connected();
    const stream = client.trades();
    const told: unknown[] = [];
    stream.on('gap', gap => told.push(gap)).on('event', ({ seq }) => told.push(seq));
    await stream.ready;
    socket.frames(trade('X', 40));
    socket.end(1006);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    expect(withoutId(second.commands)).toEqual([{ action: 'subscribe', stream: 'trades' }]);
    second.frames(trade('X', 50));
    expect(told).toEqual([41, { topic: 'trades:*', from: 0, to: 0, reason: 'not_recovered', epoch: undefined }, 51]);
  });

  it('what all trades missed is not told again as a loss of a symbol that was being subscribed', async () => {
    const { client, network, clock, socket } = await connected();
    const told: unknown[] = [];
    const all = client.trades();
    await all.ready;
    all.on('gap', gap => told.push(gap));
    socket.frames(trade('X', 40));
    network.onCommand = () => {};
    const one = client.trades(['X']);
    one.on('gap', gap => told.push(gap));
    await settled();
    socket.end(1006);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    expect(withoutId(second.commands)).toEqual([
      { action: 'subscribe', stream: 'trades' },
      { action: 'subscribe', stream: 'trades', symbols: ['X'] },
    ]);
    second.frames(subscribed(second.commands[0]?.id, ['trades:*']), trade('X', 50));
    expect(told).toEqual([{ topic: 'trades:*', from: 0, to: 0, reason: 'not_recovered', epoch: undefined }]);
  });

  it('orders resume under the name that the gateway gave them', async () => {
    const { client, network, clock, socket } = await connected();
    const stream = client.orders();
    await stream.ready;
    expect(stream.names).toEqual(['alice']);
    socket.frames({ type: 'order_update', user_id: 'alice', epoch: 'e1', prev_seq: 4, seq: 5 });
    socket.end(1006);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    expect(withoutId(second.commands)).toEqual([
      { action: 'subscribe', stream: 'orders', since: { epoch: 'e1', seq: 5 } },
    ]);
  });
});
