import { describe, expect, it } from 'vitest';
import { answering, connected, newClient, refused, settled, subscribed } from '../../support/client-harness.js';
import { quotesDelta, quotesSnapshot } from '../../support/market-frames.js';

describe('R34 a refusal', () => {
  it('of every name ends the stream', async () => {
    const { client, network, errors } = newClient();
    network.onCommand = answering(({ id }) => [refused(id, 'invalid_symbol')]);
    const stream = client.quotes(['NOPE']);
    const told: unknown[] = [];
    stream.on('error', error => told.push([error.code, error.names, error.isRetried]));
    stream.on('closed', error => told.push(error?.code));
    const next = stream[Symbol.asyncIterator]().next();
    await network.accepted(1);
    await expect(stream.ready).rejects.toMatchObject({ name: 'MillraceError', code: 'invalid_symbol', message: 'no' });
    await expect(next).rejects.toMatchObject({ code: 'invalid_symbol' });
    expect(told).toEqual([['invalid_symbol', ['NOPE'], false], 'invalid_symbol']);
    expect(stream.isClosed).toBe(true);
    expect(errors).toEqual([]);
  });

  it('of some names leaves the stream with the others', async () => {
    const { client, network } = newClient();
    network.onCommand = answering(({ id }) => [
      subscribed(id, ['quotes:AAPL']),
      refused(id, 'invalid_symbol', { symbols: ['NOPE'] }),
      refused(id, 'forbidden', { symbols: ['SECRET'] }),
    ]);
    const stream = client.quotes(['AAPL', 'NOPE', 'SECRET']);
    const told: unknown[] = [];
    stream.on('error', error => told.push([error.code, error.names]));
    await network.accepted(1);
    await stream.ready;
    expect(told).toEqual([
      ['invalid_symbol', ['NOPE']],
      ['forbidden', ['SECRET']],
    ]);
    expect(stream.names).toEqual(['AAPL']);
    expect(stream.isClosed).toBe(false);
  });

  it('that does not say of which names is of all that were not subscribed', async () => {
    const { client, network } = newClient();
    network.onCommand = answering(({ id }) => [subscribed(id, ['quotes:AAPL']), refused(id, 'invalid_symbol')]);
    const stream = client.quotes(['AAPL', 'NOPE', 'NADA']);
    const told: unknown[] = [];
    stream.on('error', error => told.push(error.names));
    await network.accepted(1);
    await stream.ready;
    expect(told).toEqual([['NOPE'], ['NADA']]);
  });

  it('concerns only the streams that follow the name', async () => {
    const { client, network } = newClient();
    network.onCommand = answering(({ id }) => [
      subscribed(id, ['quotes:AAPL']),
      refused(id, 'invalid_symbol', { symbols: ['NOPE'] }),
    ]);
    const good = client.quotes(['AAPL']);
    const bad = client.quotes(['NOPE']);
    const told: unknown[] = [];
    good.on('error', error => told.push(error));
    await network.accepted(1);
    await expect(bad.ready).rejects.toMatchObject({ code: 'invalid_symbol' });
    await good.ready;
    expect(told).toEqual([]);
  });

  it('for the moment is tried again', async () => {
    const { client, network, clock } = newClient();
    let tries = 0;
    network.onCommand = answering(({ id }) =>
      ++tries < 3 ? [refused(id, 'rate_limited')] : [subscribed(id, ['quotes:AAPL'])],
    );
    const stream = client.quotes(['AAPL']);
    const told: unknown[] = [];
    stream.on('error', error => told.push([error.code, error.isRetried]));
    const socket = await network.accepted(1);
    clock.advanceMs(1_000);
    expect(socket.commands.length).toBe(2);
    clock.advanceMs(1_999);
    expect(socket.commands.length).toBe(2);
    clock.advanceMs(1);
    await stream.ready;
    expect(told).toEqual([
      ['rate_limited', true],
      ['rate_limited', true],
    ]);
    // After a success the first delay is the shortest again.
    tries = 2;
    network.onCommand = answering(({ id }) => [
      ++tries < 4 ? refused(id, 'internal') : subscribed(id, ['quotes:MSFT']),
    ]);
    const other = client.quotes(['MSFT']);
    await settled();
    clock.advanceMs(1_000);
    await other.ready;
  });

  it('J2 says when to try again, and is not tried before', async () => {
    const { client, network, clock } = newClient();
    let tries = 0;
    network.onCommand = answering(({ id }) =>
      ++tries === 1 ? [refused(id, 'rate_limited', { retry_after_ms: 4_200 })] : [subscribed(id, ['quotes:AAPL'])],
    );
    const stream = client.quotes(['AAPL']);
    const socket = await network.accepted(1);
    clock.advanceMs(4_199);
    expect(socket.commands.length).toBe(1);
    clock.advanceMs(1);
    await stream.ready;
  });

  it('J2 of a resync, or of leaving a topic, is repeated when it may be', async () => {
    const { client, network, clock, socket } = await connected();
    const stream = client.quotes(['AAPL']);
    const other = client.quotes(['MSFT']);
    await Promise.all([stream.ready, other.ready]);
    socket.frames(quotesSnapshot({ AAPL: 1, MSFT: 1 }));
    network.onCommand = answering(({ id }) => [refused(id, 'rate_limited', { retry_after_ms: 700 })]);
    // A hole in the chain.
    socket.frames(quotesDelta('AAPL', 8, 2));
    other.close();
    await settled();
    const sent = () => socket.commands.filter(({ action }) => action !== 'subscribe').map(({ action }) => action);
    expect(sent().sort()).toEqual(['resync', 'unsubscribe']);
    clock.advanceMs(699);
    expect(sent()).toHaveLength(2);
    network.onCommand = () => {};
    clock.advanceMs(1);
    expect(sent().sort()).toEqual(['resync', 'resync', 'unsubscribe', 'unsubscribe']);
    client.close();
    expect(clock.timerCount).toBe(0);
  });

  it('that is to be tried again leaves no timer behind when the client closes', async () => {
    const { client, network, clock } = newClient();
    network.onCommand = answering(({ id }) => [refused(id, 'rate_limited')]);
    client.quotes(['AAPL']);
    await network.accepted(1);
    client.close();
    expect(clock.timerCount).toBe(0);
  });

  it('of a symbol that the gateway knew before it was restarted is tried again', async () => {
    const { client, network, clock, socket } = await connected();
    const stream = client.quotes(['AAPL']);
    await stream.ready;
    socket.frames(quotesSnapshot({ AAPL: 1 }));
    const told: unknown[] = [];
    stream.on('error', error => told.push([error.code, error.isRetried]));
    const takesAll = network.onCommand;
    network.onCommand = answering(({ id }) => [refused(id, 'invalid_symbol')]);
    socket.end(1006);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    expect(told).toEqual([['invalid_symbol', true]]);
    expect(stream.get('AAPL')?.current_price).toBe(100);
    network.onCommand = takesAll;
    clock.advanceMs(1_000);
    second.frames(quotesSnapshot({ AAPL: 1 }, 55, 'e2'));
    expect(stream.get('AAPL')?.current_price).toBe(55);
  });

  it('P7 of such a symbol is tried again within 8 s however long it lasts, and within 1 s at the next gateway', async () => {
    const { client, network, clock, socket } = await connected();
    const stream = client.quotes(['AAPL']);
    await stream.ready;
    socket.frames(quotesSnapshot({ AAPL: 1 }));
    network.onCommand = answering(({ id }) => [refused(id, 'invalid_symbol')]);
    socket.end(1006);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    for (const ceilingMs of [1_000, 2_000, 4_000, 8_000, 8_000, 8_000]) {
      const before = second.commands.length;
      clock.advanceMs(ceilingMs - 1);
      expect(second.commands.length).toBe(before);
      clock.advanceMs(1);
      expect(second.commands.length).toBe(before + 1);
    }
    second.end(1006);
    clock.advanceMs(1_000);
    const third = await network.accepted(3);
    const before = third.commands.length;
    clock.advanceMs(1_000);
    expect(third.commands.length).toBe(before + 1);
    client.close();
  });

  it('by a new credential takes the topic away', async () => {
    const { client, socket } = await connected();
    const stream = client.trades(['X', 'Y']);
    await stream.ready;
    const told: unknown[] = [];
    stream.on('error', error => told.push([error.code, error.names]));
    stream.on('closed', error => told.push(error?.code));
    socket.frames({ type: 'warning', code: 'forbidden', message: 'no longer allowed', topics: ['trades:X'] });
    expect(told).toEqual([['forbidden', ['X']]]);
    expect(stream.names).toEqual(['Y']);
    socket.frames({ type: 'warning', code: 'forbidden', message: 'no longer allowed', topics: ['trades:Y'] });
    expect(told.slice(1)).toEqual([['forbidden', ['Y']], 'forbidden']);
  });

  it('of a whole command is divided, so that one name does not cost the others theirs', async () => {
    const { client, network } = newClient();
    network.onCommand = answering(({ id, symbols }) =>
      (symbols as string[]).includes('nonsense')
        ? [refused(id, 'unknown_channel')]
        : [
            subscribed(
              id,
              (symbols as string[]).map(name => `analytics:${name}`),
            ),
          ],
    );
    const good = client.analytics(['alerts', 'exposure-updates']);
    const bad = client.analytics(['nonsense' as 'alerts']);
    const socket = await network.accepted(1);
    await good.ready;
    await expect(bad.ready).rejects.toMatchObject({ code: 'unknown_channel' });
    expect(socket.commands.map(({ symbols }) => symbols)).toEqual([
      ['alerts', 'exposure-updates', 'nonsense'],
      ['alerts'],
      ['exposure-updates'],
      ['nonsense'],
    ]);
  });

  it('of what was subscribed before, where the gateway follows too many, takes the topic away', async () => {
    const { client, socket, errors } = await connected();
    const stream = client.rooms('r');
    await stream.ready;
    socket.frames({ type: 'error', code: 'too_many_subscriptions', message: 'too many', topics: ['rooms:r'] });
    expect(stream.isClosed).toBe(true);
    expect(errors).toEqual([]);
  });

  it('that answers no command is told to the client', async () => {
    const { socket, errors } = await connected();
    socket.frames({ type: 'error', code: 'rate_limited', message: 'too many commands' });
    socket.frames({ type: 'error', id: 'unheard of', code: 'a_code_of_the_future', message: 'x' });
    expect(errors).toEqual(['rate_limited', 'a_code_of_the_future']);
  });
});
