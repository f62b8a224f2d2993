import { describe, expect, it } from 'vitest';
import type { StateChange } from '../../../src/client/index.js';
import { connected, newClient, refused, settled, subscribed, withoutId } from '../../support/client-harness.js';
import { quotesDelta, quotesSnapshot, roomMessage, trade } from '../../support/market-frames.js';

describe('R34 subscribing', () => {
  it('sends what one turn of the application asks for in few commands', async () => {
    const { client, socket } = await connected();
    client.quotes(['AAPL', 'MSFT']);
    client.quotes(['NVDA']);
    client.orderbook(['AAPL']);
    client.depth(['AAPL', 'MSFT']);
    client.depth(['NVDA'], { levels: 25 });
    client.trades(['X']);
    client.trades();
    client.orders();
    client.analytics(['alerts', 'routing-metrics']);
    client.rooms('desk-7');
    await settled();
    expect(withoutId(socket.commands)).toEqual([
      { action: 'subscribe', stream: 'quotes', symbols: ['AAPL', 'MSFT', 'NVDA'] },
      { action: 'subscribe', stream: 'orderbook', symbols: ['AAPL'] },
      { action: 'subscribe', stream: 'depth', symbols: ['AAPL', 'MSFT'], depth: 10 },
      { action: 'subscribe', stream: 'depth', symbols: ['NVDA'], depth: 25 },
      { action: 'subscribe', stream: 'trades', symbols: ['X'] },
      { action: 'subscribe', stream: 'trades' },
      { action: 'subscribe', stream: 'orders' },
      { action: 'subscribe', stream: 'analytics', symbols: ['alerts', 'routing-metrics'] },
      { action: 'subscribe', stream: 'rooms', symbols: ['desk-7'] },
    ]);
    expect(new Set(socket.commands.map(({ id }) => id)).size).toBe(socket.commands.length);
  });

  it('waits for the connection', async () => {
    const { client, network } = newClient();
    client.quotes(['AAPL']);
    await settled();
    const socket = await network.accepted(1);
    expect(withoutId(socket.commands)).toEqual([{ action: 'subscribe', stream: 'quotes', symbols: ['AAPL'] }]);
  });

  it('splits what is too much for one command', async () => {
    const { client, socket } = await connected();
    client.quotes(Array.from({ length: 1201 }, (_, n) => `S${n}`));
    await settled();
    expect(socket.commands.map(({ symbols }) => (symbols as string[]).length)).toEqual([500, 500, 201]);
  });

  it('leaves no more commands unanswered than a gateway keeps', async () => {
    const { client, network, clock } = newClient();
    const topics = Array.from({ length: 100 }, (_, n) => `rooms:r${n}`);
    const streams = topics.map(topic => client.rooms(topic.slice('rooms:'.length)));
    const first = await network.accepted(1);
    // With a position to resume from, each has a command of its own.
    const positions = Object.fromEntries(topics.map(topic => [topic, { epoch: 'e1', seq: 1 }]));
    first.frames(subscribed(first.commands[0]?.id, topics, { positions }));
    await Promise.all(streams.map(({ ready }) => ready));
    first.end(1006);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    const { commands } = second;
    expect(commands.length).toBe(32);
    let answered = 0;
    for (; answered < commands.length; answered++) {
      expect(commands.length - answered).toBeLessThanOrEqual(32);
      const { id, symbols } = commands[answered] ?? {};
      second.frames(subscribed(id, [`rooms:${symbols}`], { recovered: true }));
    }
    expect(answered).toBe(100);
    second.end(1006);
    clock.advanceMs(200);
    const third = await network.accepted(3);
    // None of these is answered; the next connection begins anew all the same.
    expect(third.commands.length).toBe(32);
    third.end(1006);
    clock.advanceMs(400);
    const fourth = await network.accepted(4);
    expect(fourth.commands.map(({ symbols }) => symbols)).toEqual(third.commands.map(({ symbols }) => symbols));
  });

  it('counts a command that has several answers once', async () => {
    const { client, network } = newClient();
    const socket = await network.accepted(1);
    // Each of these is a command of its own, as it comes in a turn of its own.
    for (let n = 0; n < 100; n++) {
      client.quotes([`S${n}`]);
      await settled();
    }
    const { commands } = socket;
    for (let answered = 0; answered < 100; answered++) {
      expect(commands.length - answered).toBeLessThanOrEqual(32);
      const { id } = commands[answered] ?? {};
      socket.frames(subscribed(id, []), refused(id, 'forbidden'));
    }
    expect(commands.length).toBe(100);
  });

  it('of no name is a mistake of the caller', async () => {
    const { client } = await connected();
    expect(() => client.quotes([])).toThrow(expect.objectContaining({ code: 'missing_symbol' }));
    expect(() => client.analytics([])).toThrow(/analytics: name at least one/);
  });

  it('is done once the gateway has answered', async () => {
    const { client, network } = newClient();
    const stream = client.quotes(['AAPL']);
    let isReady = false;
    const done = stream.ready.then(() => {
      isReady = true;
    });
    const socket = await network.accepted(1);
    await settled();
    expect(isReady).toBe(false);
    socket.frames(subscribed(socket.commands[0]?.id, ['quotes:AAPL']));
    await done;
  });
});

describe('R34 two streams on one topic', () => {
  it('share one subscription, which ends with the second', async () => {
    const { client, socket } = await connected();
    const first = client.quotes(['AAPL', 'MSFT']);
    const second = client.quotes(['AAPL']);
    const seen: string[] = [];
    first.on('change', ({ symbol }) => seen.push(`first ${symbol}`));
    second.on('change', ({ symbol }) => seen.push(`second ${symbol}`));
    await second.ready;
    expect(socket.sent('subscribe').length).toBe(1);
    socket.frames(quotesSnapshot({ AAPL: 1, MSFT: 1 }));
    expect(seen).toEqual(['first AAPL', 'second AAPL', 'first MSFT']);

    first.close();
    await settled();
    expect(withoutId(socket.sent('unsubscribe'))).toEqual([
      { action: 'unsubscribe', stream: 'quotes', symbols: ['MSFT'] },
    ]);
    socket.frames(quotesDelta('AAPL', 1, 101));
    expect(seen.slice(3)).toEqual(['second AAPL']);
    expect(first.get('AAPL')).toBeUndefined();
    expect(second.get('AAPL')?.current_price).toBe(101);

    second.close();
    second.close();
    expect(withoutId(socket.sent('unsubscribe')).slice(1)).toEqual([
      { action: 'unsubscribe', stream: 'quotes', symbols: ['AAPL'] },
    ]);
  });

  it('both have the document at once when one of them comes later', async () => {
    const { client, socket } = await connected();
    await client.quotes(['AAPL']).ready;
    socket.frames(quotesSnapshot({ AAPL: 7 }));
    const later = client.quotes(['AAPL']);
    const changes: StateChange<unknown>[] = [];
    later.on('change', change => changes.push(change));
    await later.ready;
    expect(socket.sent('subscribe').length).toBe(1);
    expect(later.get('AAPL')?.current_price).toBe(100);
    expect(changes).toMatchObject([{ symbol: 'AAPL', seq: 7, epoch: 'e1', isSnapshot: true, operations: [] }]);
  });

  it('of depth get the most levels that one of them asked for', async () => {
    const { client, socket } = await connected();
    await client.depth(['X'], { levels: 25 }).ready;
    await client.depth(['X']).ready;
    await client.depth(['X'], { levels: 100 }).ready;
    await settled();
    expect(socket.sent('subscribe').map(({ depth }) => depth)).toEqual([25, 100]);
  });

  it('of depth get the most levels after a reconnect as well', async () => {
    const { client, network, clock, socket } = await connected();
    await client.depth(['X'], { levels: 25 }).ready;
    await client.depth(['X']).ready;
    socket.end(1006);
    clock.advanceMs(100);
    expect((await network.accepted(2)).sent('subscribe').map(({ depth }) => depth)).toEqual([25]);
  });

  it('of trades, one of all and one of a symbol, both get the symbol’s', async () => {
    const { client, socket } = await connected();
    const seen: string[] = [];
    client.trades().on('event', ({ topic }) => seen.push(`all ${topic}`));
    client.trades(['X']).on('event', ({ topic }) => seen.push(`one ${topic}`));
    await settled();
    socket.frames(trade('X', 0), trade('Y', 0));
    expect(seen).toEqual(['one trades:X', 'all trades:X', 'all trades:Y']);
  });

  it('subscribe again what was left and is wanted again', async () => {
    const { client, socket } = await connected();
    const first = client.rooms('r');
    await first.ready;
    first.close();
    const second = client.rooms('r');
    await second.ready;
    expect(socket.commands.map(({ action }) => action)).toEqual(['subscribe', 'unsubscribe', 'subscribe']);
    const events: unknown[] = [];
    second.on('event', ({ seq }) => events.push(seq));
    socket.frames(roomMessage('r', 8));
    expect(events).toEqual([9]);
  });
});
