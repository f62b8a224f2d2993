/** PROTOCOL.md section 5.1: what publishers may write, in whatever form, and what clients get of it. */
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { type Frame, refusedUpgrade } from '../support/client.js';
import { Documents } from '../support/documents.js';
import { liveGateway } from '../support/live-gateway.js';
import { until } from '../support/until.js';

const packr = new Packr({ useRecords: false });
const live = liveGateway(
  { SYMBOLS: 'S*,币安人生USDT', ENCODERS: '2' },
  {
    entitlements: ['quotes:*', 'depth:*', 'orderbook:*', 'trades:full', 'analytics:*', 'rooms:*'],
  },
);

let symbols = 0;
const newSymbol = (): string => `S${++symbols}`;
const FORMATS = ['json', 'msgpack'] as const;

const { open } = live;

/** What a client that comes now holds of the quote. */
async function quoteOf(symbol: string, format: string): Promise<unknown> {
  await live.publisher.settled(live.gateway);
  const client = await open('/ws/quotes', { symbols: symbol, format });
  await client.arrived('quotes_patch');
  return new Documents().follow(client).document.quotes[symbol];
}

describe.each(FORMATS)('in %s', format => {
  it('D11: no value is a value, and one price is enough', async () => {
    const [none, one] = [newSymbol(), newSymbol()];
    live.publisher.put(`md.quotes.${none}`, { symbol: none, current_price: '', bid: null, ask: 1, last_updated: '' });
    live.publisher.put(`md.quotes.${one}`, { symbol: one, bid: '1.0850' });
    live.publisher.put(`md.quotes.${one}`, { symbol: one, ask: null, partial: true });
    const nothing = { symbol: none, current_price: null, bid: null, ask: 1, last_updated: null };
    expect(await quoteOf(none, format)).toEqual(nothing);
    expect(await quoteOf(one, format)).toEqual({ symbol: one, bid: '1.0850', ask: null });
  });

  it('D12: prices may be negative, everywhere; their order and checksum are right', async () => {
    const symbol = newSymbol();
    const bids = [['-37.63', '1'], ['-40', '2'], ['-9.5', '3']]; // biome-ignore format: one line
    live.publisher.put(`md.books.${symbol}`, { symbol, bids, asks: [['-1', '1'], ['2', '1']], snapshot: true }); // biome-ignore format: one line
    live.publisher.put(`md.books.${symbol}`, { symbol, bids: [['-9.50', '0']] });
    await live.publisher.settled(live.gateway);
    const best = await open(`/ws/markets/${symbol}`, { format });
    const depth = await open(`/ws/markets/${symbol}`, { depth: '10', format });
    expect((await best.arrived('orderbook_update'))[0]).toMatchObject({
      best_bid: '-37.63',
      best_ask: '-1',
      spread: '36.63',
    });
    await depth.arrived('depth_patch');
    expect(new Documents().follow(depth).books.get(symbol)?.bids).toEqual({ '-37.63': '1', '-40': '2' });
    const trades = await open('/ws/trades', { symbols: symbol, format });
    live.publisher.put(`md.trades.${symbol}`, { symbol, trade_id: 1, price: '-37.63', quantity: 2, buyer_fee: '-0.1' });
    expect((await trades.arrived('trade_executed'))[0]).toMatchObject({ price: '-37.63', buyer_fee: '-0.1' });
  });

  it('D13: symbols are UTF-8 of up to 128 bytes', async () => {
    const names = ['币安人生USDT', `S${'7'.repeat(127)}`, 'Sé/ñ', 'Sconstructor'];
    for (const symbol of names) live.publisher.put(`md.quotes.${symbol}`, { symbol, bid: 1 });
    for (const symbol of names) expect(await quoteOf(symbol, format)).toEqual({ symbol, bid: 1 });
    const market = await open(`/ws/markets/${encodeURIComponent('币安人生USDT')}`, { format });
    live.publisher.put('md.books.币安人生USDT', {
      symbol: '币安人生USDT',
      bids: [['1', '1']],
      asks: [],
      snapshot: true,
    });
    expect((await market.arrived('orderbook_update')).at(-1)).toMatchObject({ symbol: '币安人生USDT' });
  });

  it('D14: members of a reserved name are passed on under another', async () => {
    const symbol = newSymbol();
    const trades = await open('/ws/trades', { symbols: symbol, format });
    const own = { type: 'match', seq: 7, epoch: 'x', prev_seq: 6, ts_event: 5, ts_sent: 4 };
    live.publisher.put(`md.trades.${symbol}`, {
      symbol,
      trade_id: 1,
      price: '1',
      quantity: '1',
      source_seq: 's',
      ...own,
    });
    const [trade] = await trades.arrived('trade_executed');
    expect(trade).toMatchObject({
      source_type: 'match',
      source_source_seq: 7,
      source_seq: 's',
      source_epoch: 'x',
      source_prev_seq: 6,
      source_ts_event: 5,
      source_ts_sent: 4,
    });
    const alerts = await open('/ws/analytics', { channels: 'alerts', format });
    live.publisher.put('analytics.alerts', { type: 'fill', channel: 'c', seq: 1, data: symbol });
    const alert = await alerts.next('alert', ({ data }) => data === symbol);
    expect(alert).toMatchObject({
      type: 'alert',
      channel: 'alerts',
      source_type: 'fill',
      source_channel: 'c',
      source_seq: 1,
    });
    const room = await open('/ws', { format });
    room.send({ action: 'subscribe', stream: 'rooms', room: symbol, id: 's' });
    await room.next('answer', ({ id }) => id === 's');
    live.publisher.put(`rooms.${symbol}`, { type: 'note', room: 'another', from: 7, data: 1 });
    expect((await room.arrived('room_message'))[0]).toMatchObject({
      room: symbol,
      from: '',
      source_type: 'note',
      source_room: 'another',
      source_from: 7,
    });
  });

  it('D16: times in any form, and a byte order mark', async () => {
    const forms: readonly [unknown, string][] = [
      [1_700_000_000, '2023-11-14T22:13:20.000Z'],
      [1_700_000_000_123, '2023-11-14T22:13:20.123Z'],
      [1_700_000_000_123_456, '2023-11-14T22:13:20.123456Z'],
      ['1700000000123456789', '2023-11-14T22:13:20.123456789Z'],
      ['2023-11-14T23:13:20.5+01:00', '2023-11-14T22:13:20.500Z'],
      ['2023-11-14 22:13:20', '2023-11-14T22:13:20.000Z'],
      ['2023-11-14T22:13:20.123456789Z', '2023-11-14T22:13:20.123456789Z'],
      ['2023-11-14T22:13:20Z', '2023-11-14T22:13:20Z'],
    ];
    for (const [given, told] of forms) {
      const symbol = newSymbol();
      live.publisher.put(`md.quotes.${symbol}`, { symbol, bid: 1, last_updated: given });
      expect(await quoteOf(symbol, format)).toMatchObject({ last_updated: told });
      live.publisher.put(`md.books.${symbol}`, { symbol, bids: [['1', '1']], timestamp: given, snapshot: true });
      const best = await open(`/ws/markets/${symbol}`, { format });
      expect((await best.arrived('orderbook_update'))[0]).toMatchObject({ timestamp: told });
    }
    const marked = newSymbol();
    live.publisher.raw(`md.quotes.${marked}`, `\ufeff{"symbol":"${marked}","bid":1}`);
    expect(await quoteOf(marked, format)).toEqual({ symbol: marked, bid: 1 });
    const packed = newSymbol();
    live.publisher.raw(
      `md.quotes.${packed}`,
      packr.pack({ symbol: packed, bid: 1, last_updated: new Date(1_700_000_000_123) }),
    );
    expect(await quoteOf(packed, format)).toMatchObject({ last_updated: '2023-11-14T22:13:20.123Z' });
    live.publisher.raw(`md.quotes.${packed}`, `{"symbol":"${packed}","bid":1,"last_updated":1700000000123456789}`);
    expect(await quoteOf(packed, format)).toMatchObject({ last_updated: '2023-11-14T22:13:20.123456789Z' });
  });

  it('D17: members called constructor and prototype are members like any other', async () => {
    const symbol = newSymbol();
    const own = { constructor: 'Lotus', prototype: { constructor: 1 }, toString: 'x', hasOwnProperty: 2 };
    live.publisher.put(`md.quotes.${symbol}`, { symbol, bid: 1, ...own });
    expect(await quoteOf(symbol, format)).toEqual({ symbol, bid: 1, ...own });
  });

  it('K1: alerts of 100 kB in one burst all come, in arrays of less than a frame can hold', async () => {
    const client = await open('/ws/analytics', { channels: 'alerts', format });
    const data = `${format} ${'x'.repeat(100_000)}`;
    for (let n = 0; n < 50; n++) live.publisher.put('analytics.alerts', { data: { n, data } });
    const isOurs = (frame: Frame) => (frame.data as { data?: string } | undefined)?.data === data;
    await until(() => client.ofType('alert').filter(isOurs).length === 50, 30_000);
    const alerts = client.ofType('alert').filter(isOurs);
    expect(alerts.slice(1).map(({ prev_seq }) => prev_seq)).toEqual(alerts.slice(0, -1).map(({ seq }) => seq));
    expect(Math.max(...client.batches)).toBeLessThanOrEqual(3);
    expect(client.ofType('gap')).toEqual([]);
  });

  it('K1: a message that no frame can hold is a gap, and what comes behind it still comes', async () => {
    const client = await open('/ws/analytics', { channels: 'alerts', format, timestamps: '1' });
    // Each control character takes six bytes in JSON.
    live.publisher.put('analytics.alerts', { data: '\u0001'.repeat(150_000) });
    live.publisher.raw('analytics.alerts', packr.pack({ data: '\u0001'.repeat(500_000) }));
    live.publisher.put('analytics.alerts', { data: `behind ${format}` });
    await client.next('alert', ({ data }) => data === `behind ${format}`);
    expect(client.ofType('gap')).toMatchObject([{ reason: 'refused', topic: 'analytics:alerts' }]);
    expect(Math.abs(Number(client.ofType('gap')[0]?.ts_sent) / 1000 - Date.now())).toBeLessThan(60_000);
    expect(client.ofType('alert')).toHaveLength(2);
  });
});

it('D18: one meaning of amount, also in ?depth=', async () => {
  const symbol = newSymbol();
  for (const depth of ['0x19', '1e1.0', ' 10', '']) {
    const refused = await refusedUpgrade(
      `${live.gateway.url}/ws/markets/${symbol}?${new URLSearchParams({ token: live.token, depth })}`,
    );
    expect([depth, refused.status]).toEqual([depth, 400]);
  }
});
