import * as messagePack from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { MillraceClient, MillraceError, type MillraceOptions } from '../../../src/client/index.js';
import { connected, newClient } from '../../support/client-harness.js';
import { FakeNetwork } from '../../support/fake-socket.js';

describe('R34 the address', () => {
  it.each([
    ['ws://h:8080', 'ws://h:8080/ws?format=json'],
    ['wss://h', 'wss://h/ws?format=json'],
    ['https://h/', 'wss://h/ws?format=json'],
    ['http://h:1', 'ws://h:1/ws?format=json'],
    ['wss://h/feeds/a', 'wss://h/feeds/a/ws?format=json'],
    ['wss://h/feeds/ws', 'wss://h/feeds/ws?format=json'],
    ['wss://h/ws?region=eu', 'wss://h/ws?region=eu&format=json'],
    ['wss://h/#top', 'wss://h/ws?format=json'],
  ])('of %s is %s', async (url, address) => {
    const { network } = newClient({ url });
    expect((await network.socket(1)).url.href).toBe(address);
  });

  it('names class, timestamps and the credential', async () => {
    const { network } = newClient({ class: '100ms', timestamps: true, token: 'a b' });
    const { searchParams } = (await network.socket(1)).url;
    expect(Object.fromEntries(searchParams)).toEqual({ format: 'json', class: '100ms', timestamps: '1', token: 'a b' });
    const other = newClient({ apiKey: 'k' });
    expect((await other.network.socket(1)).url.searchParams.get('api_key')).toBe('k');
  });
});

describe('R34 options that cannot be used', () => {
  const { WebSocket } = new FakeNetwork();
  it.each<[string, Partial<MillraceOptions>, RegExp]>([
    ['msgpack without an implementation', { format: 'msgpack' }, /^format: msgpack needs the option messagePack/],
    ['an unknown format', { format: 'xml' as 'json' }, /^format/],
    ['an unknown class', { class: '1ms' as '16ms' }, /^class/],
    ['no address', { url: 'h' }, /^url/],
    ['the address of a file', { url: 'file:///x' }, /^url/],
    ['two credentials', { token: 't', apiKey: 'k' }, /^token and apiKey/],
    ['a delay of 0', { reconnect: { baseMs: 0 } }, /^baseMs/],
    [
      'a longest delay below the first',
      { reconnect: { baseMs: 50, maxMs: 10 } },
      /^maxMs: must be at least baseMs, which is 50/,
    ],
    ['a silence that is no number', { watchdog: { silenceMs: Number.NaN } }, /^silenceMs/],
    ['no buffer', { eventBufferMax: 0 }, /^eventBufferMax/],
  ])('throw at construction: %s', (_, options, message) => {
    const construct = () => new MillraceClient({ url: 'ws://h', WebSocket, ...options });
    expect(construct).toThrow(MillraceError);
    expect(construct).toThrow(message);
  });

  it.runIf((globalThis as { WebSocket?: unknown }).WebSocket === undefined)('include none where Node has none', () => {
    expect(() => new MillraceClient({ url: 'ws://h' })).toThrow(/^WebSocket: .*the package ws/);
  });
});

describe('R34 MessagePack', () => {
  it('carries commands and frames', async () => {
    const { client, socket } = await connected({ format: 'msgpack', messagePack });
    expect(socket.url.searchParams.get('format')).toBe('msgpack');
    expect(socket.binaryType).toBe('arraybuffer');
    const stream = client.trades(['X']);
    const events: unknown[] = [];
    stream.on('event', ({ message }) => events.push(message.trade_id));
    await stream.ready;
    expect(socket.sent('subscribe')).toMatchObject([{ stream: 'trades', symbols: ['X'] }]);
    socket.frames({ type: 'trade_executed', trade_id: 't1', symbol: 'X', epoch: 'e', prev_seq: 0, seq: 1 });
    expect(events).toEqual(['t1']);
  });
});
