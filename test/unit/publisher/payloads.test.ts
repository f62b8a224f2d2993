/** What each method of the publisher puts on which subject, and what it refuses. */
import type { NatsConnection } from 'nats';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  LEVELS_MAX,
  MEMBER_VALUE_LENGTH_MAX,
  MESSAGE_BYTES_DEFAULT,
  QUOTE_MEMBERS_MAX,
} from '../../../src/protocol/content-limits.js';
import { parseExact } from '../../../src/protocol/exact-json.js';
import { MsgpackReader } from '../../../src/protocol/msgpack-reader.js';
import { SubjectPrefix } from '../../../src/protocol/subject-prefix.js';
import { encoderOf } from '../../../src/publisher/connect.js';
import type { BookLevel, OrderUpdate, Trade } from '../../../src/publisher/index.js';
import { Publisher } from '../../../src/publisher/publisher.js';
import { type Outgoing, type Sender, Waiting } from '../../../src/publisher/sender.js';

const NOW_MICROS = 1_795_000_000_123_456;
const NOW_TEXT = '2026-11-18T11:06:40.123Z';

/** `{`; what begins otherwise is MessagePack. */
const JSON_START = 0x7b;

/** Keeps what it is given. */
class KeepingSender implements Sender {
  readonly kept: Outgoing[] = [];
  readonly waiting = new Waiting(1);
  readonly retries = 0;
  readonly unconfirmed = 0;

  send(message: Outgoing) {
    this.kept.push(message);
    return Promise.resolve({ subject: message.subject, seq: 0, duplicate: false });
  }

  async flush() {}

  stop() {}
}

let sender: KeepingSender;
let publisher: Publisher;
beforeEach(() => {
  sender = new KeepingSender();
  publisher = publisherOf('json');
});

function publisherOf(format: 'json' | 'msgpack'): Publisher {
  return new Publisher({
    connection: { close: async () => {} } as unknown as NatsConnection,
    ownsConnection: true,
    prefix: new SubjectPrefix(''),
    sender,
    encode: encoderOf(format),
    messageBytesMax: MESSAGE_BYTES_DEFAULT,
    nowMicros: () => NOW_MICROS,
  });
}

/** Subject and decoded payload of the last message. */
function last(): [string, unknown] {
  const { subject = '', payload = new Uint8Array(0) } = sender.kept.at(-1) ?? {};
  return [subject, decoded(payload)];
}

function decoded(payload: Uint8Array): unknown {
  if (payload[0] === JSON_START) return parseExact(Buffer.from(payload).toString());
  return new MsgpackReader().read(payload, 0, payload.length);
}

const quote = { symbol: 'BTC/USDT', current_price: 64993.5, bid: '64993.00', venue: { id: 7, open: true } };
const trade: Trade = { symbol: 'AAPL', trade_id: 'T1', price: '229.60', quantity: 50, buyer_id: 'alice' };
const update: OrderUpdate = {
  action: 'created',
  order_id: 'O1',
  symbol: 'AAPL',
  side: 'buy',
  status: 'open',
  quantity: '50',
  filled_quantity: '0',
  price: '229.60',
};

describe('R38 the publisher', () => {
  it('puts a whole quote on md.quotes.<symbol>, with its own members', () => {
    publisher.quote(quote);
    expect(last()).toEqual(['md.quotes.BTC/USDT', quote]);
  });

  it('takes a quote of a type of its caller’s, and no other type than a quote', () => {
    interface VenueQuote {
      readonly symbol: string;
      readonly current_price: number;
      readonly venue: string;
    }
    const own: VenueQuote = { symbol: 'AAPL', current_price: 229.6, venue: 'XNAS' };
    publisher.quote(own);
    expect(last()).toEqual(['md.quotes.AAPL', own]);
    // @ts-expect-error: a price is a number or a text
    expect(() => publisher.quote({ symbol: 'AAPL', current_price: true })).toThrow(TypeError);
    // @ts-expect-error: so is a changed one
    expect(() => publisher.partialQuote('AAPL', { bid: true })).toThrow(TypeError);
    expect(() => publisher.quote({ symbol: 'AAPL' })).toThrow(TypeError);
  });

  it('R72 passes on what surveillance needs', () => {
    publisher.trade({ ...trade, aggressor_side: 'sell' });
    expect(last()[1]).toMatchObject({ aggressor_side: 'sell' });
    publisher.order('alice', { ...update, action: 'replaced', order_type: 'limit' });
    expect(last()[1]).toMatchObject({ action: 'replaced', order_type: 'limit' });
    publisher.order('alice', { ...update, action: 'cancelled', cancelled_by: 'exchange' });
    expect(last()[1]).toMatchObject({ action: 'cancelled', cancelled_by: 'exchange' });
  });

  it('marks a quote of changed members as partial', () => {
    publisher.partialQuote('AAPL', { bid: 229.1 });
    expect(last()).toEqual(['md.quotes.AAPL', { symbol: 'AAPL', bid: 229.1, partial: true }]);
    publisher.partialQuote('AAPL', { venue: 'XNAS' });
    expect(last()).toEqual(['md.quotes.AAPL', { symbol: 'AAPL', venue: 'XNAS', partial: true }]);
  });

  it('marks a whole book as a snapshot', () => {
    publisher.bookSnapshot('AAPL', [['229.1', '5']], [[229.3, 2]]);
    expect(last()).toEqual([
      'md.books.AAPL',
      { symbol: 'AAPL', bids: [['229.1', '5']], asks: [[229.3, 2]], snapshot: true },
    ]);
  });

  it('puts changed levels on the same subject, without that mark', () => {
    publisher.bookChange('AAPL', [['229.1', '0']], []);
    expect(last()).toEqual(['md.books.AAPL', { symbol: 'AAPL', bids: [['229.1', '0']], asks: [] }]);
  });

  it('says when a trade was executed, where its publisher does not', () => {
    publisher.trade(trade);
    const filledIn = { ...trade, type: 'trade_executed', executed_at: NOW_TEXT };
    expect(last()).toEqual(['md.trades.AAPL', filledIn]);
    publisher.trade({ ...trade, executed_at: '2026-01-01T00:00:00Z' });
    expect(last()[1]).toMatchObject({ executed_at: '2026-01-01T00:00:00Z' });
  });

  it('puts an order update on its user’s subject', () => {
    publisher.order('alice', update);
    const filledIn = { ...update, type: 'order_update', user_id: 'alice', timestamp: NOW_TEXT };
    expect(last()).toEqual(['orders.alice', filledIn]);
  });

  it.each([
    ['routing-metrics', 'routing-decision'],
    ['lp-performance', 'lp-metrics'],
    ['exposure-updates', 'exposure-update'],
    ['alerts', 'alert'],
  ] as const)('gives messages of the channel %s the type %s', (channel, type) => {
    publisher.analytics(channel, { level: 3 });
    expect(last()).toEqual([`analytics.${channel}`, { type, timestamp: NOW_TEXT, data: { level: 3 } }]);
  });

  it('takes an analytics message as it is when it has data', () => {
    const message = { type: 'alert', timestamp: '2026-01-01T00:00:00Z', data: [1] };
    publisher.analytics('alerts', message);
    expect(last()).toEqual(['analytics.alerts', message]);
  });

  it('takes analytics data that is no object', () => {
    publisher.analytics('alerts', 'halted');
    expect(last()[1]).toMatchObject({ type: 'alert', data: 'halted' });
  });

  it('puts what is said in a room on its subject, and never numbers it', () => {
    publisher.room('desk-7', 'alice', { text: 'hi' });
    const message = { type: 'room_message', room: 'desk-7', from: 'alice', data: { text: 'hi' }, timestamp: NOW_TEXT };
    expect(last()).toEqual(['rooms.desk-7', message]);
    expect(sender.kept.at(-1)?.isNumbered).toBe(false);
  });

  it('stamps every message with the time of its event, µs', () => {
    publisher.quote(quote);
    expect(sender.kept[0]?.headers.get('Ts-Event')).toBe(String(NOW_MICROS));
    publisher.trade(trade, { tsEventMicros: 1_795_000_000_000_001 });
    expect(sender.kept[1]?.headers.get('Ts-Event')).toBe('1795000000000001');
    expect(last()[1]).toMatchObject({ executed_at: '2026-11-18T11:06:40.000Z' });
  });

  it('hands on an id and a trace context as headers', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    publisher.trade(trade, { messageId: 'T1', traceparent });
    expect(sender.kept[0]?.headers.get('Nats-Msg-Id')).toBe('T1');
    expect(sender.kept[0]?.headers.get('traceparent')).toBe(traceparent);
  });

  it.each(['json', 'msgpack'] as const)('leaves out members that are undefined, as %s', format => {
    publisher = publisherOf(format);
    publisher.quote({ symbol: 'AAPL', current_price: 1, own: { a: undefined, b: [null, true] } });
    expect(last()[1]).toStrictEqual({ symbol: 'AAPL', current_price: 1, own: { b: [null, true] } });
  });

  describe.each(['json', 'msgpack'] as const)('as %s', format => {
    beforeEach(() => {
      publisher = publisherOf(format);
    });

    it('D4: writes whole numbers of any size exactly', () => {
      const trade_id = 8389766145050670869n;
      publisher.trade({ ...trade, trade_id, price: 9007199254740993n, executed_at: 1_795_000_000_123_456_789n });
      expect(last()[1]).toMatchObject({ trade_id, price: 9007199254740993n, executed_at: 1795000000123456789n });
      publisher.order('alice', { ...update, order_id: trade_id + 1n });
      expect(last()[1]).toMatchObject({ order_id: trade_id + 1n });
      publisher.quote({ symbol: 'AAPL', volume: 2n ** 63n, own: { deep: [-(2n ** 62n), 2 ** 53 - 1] } });
      expect(last()[1]).toEqual({ symbol: 'AAPL', volume: 2n ** 63n, own: { deep: [-(2n ** 62n), 2 ** 53 - 1] } });
      publisher.room('desk-7', 'alice', { id: 2n ** 64n - 1n });
      expect(last()[1]).toMatchObject({ data: { id: 2n ** 64n - 1n } });
      publisher.analytics('alerts', trade_id);
      expect(last()[1]).toMatchObject({ data: trade_id });
    });

    it('D5: writes a whole number from 2^32 on as one', () => {
      publisher.quote({ symbol: 'AAPL', volume: 5_000_000_001 });
      const text = Buffer.from(sender.kept[0]?.payload ?? []).toString(format === 'json' ? 'utf8' : 'hex');
      // uint 64
      expect(text).toContain(format === 'json' ? '5000000001' : 'cf000000012a05f201');
    });

    it('D3: takes amounts in every form, as they are written', () => {
      const forms = ['0E-8', '1E-7', '1.5E+3', '.5', '100.', '+1', '-0', `1${'0'.repeat(63)}`];
      for (const form of forms) {
        publisher.quote({ symbol: 'AAPL', current_price: form });
        publisher.trade({ ...trade, price: form, quantity: form });
        publisher.bookChange('AAPL', [[form, form]], [[form, 5e-324]]);
        expect(last()[1]).toMatchObject({ bids: [[form, form]], asks: [[form, 5e-324]] });
      }
    });

    it('D11: takes quotes without a price, and amounts without a value', () => {
      const quote = { symbol: 'EUR/USD', bid: '1.0812', ask: null, current_price: '' };
      publisher.quote(quote);
      expect(last()[1]).toEqual(quote);
      publisher.partialQuote('EUR/USD', { bid: null });
      expect(last()[1]).toEqual({ symbol: 'EUR/USD', bid: null, partial: true });
      publisher.order('alice', { ...update, price: null });
      expect(last()[1]).toMatchObject({ price: null });
      publisher.trade({ ...trade, buyer_fee: null });
      expect(last()[1]).toMatchObject({ buyer_fee: null });
    });

    it('D12: takes negative prices in books, quotes and trades', () => {
      const level: BookLevel = [-37.63, '5'];
      publisher.bookSnapshot('CL', [level], [['-37.60', 2n]]);
      expect(last()[1]).toMatchObject({ bids: [level], asks: [['-37.60', 2]] });
      publisher.quote({ symbol: 'CL', current_price: '-37.63' });
      publisher.trade({ ...trade, price: -37.63 });
      expect(last()[1]).toMatchObject({ price: -37.63 });
    });

    it('D14: leaves a type of the publisher’s own as it is', () => {
      publisher.trade({ ...trade, type: 'match', seq: 7 } as never);
      expect(last()[1]).toMatchObject({ type: 'match', seq: 7 });
      publisher.order('alice', { ...update, type: 'fill', user_id: 'alice' } as never);
      expect(last()[1]).toMatchObject({ type: 'fill', user_id: 'alice' });
    });

    it('D16: takes times as numbers since the Unix epoch', () => {
      publisher.quote({ symbol: 'AAPL', bid: 1, last_updated: 1_795_000_000_123 });
      expect(last()[1]).toMatchObject({ last_updated: 1_795_000_000_123 });
      publisher.analytics('alerts', { data: 1, timestamp: 1_795_000_000_123_456 });
      expect(last()[1]).toMatchObject({ timestamp: 1_795_000_000_123_456 });
    });

    it('D17: takes members that are called as those every object has', () => {
      const own = { constructor: 1, prototype: 2, toString: 'x', hasOwnProperty: [3], toJSON: 'no function' };
      publisher.quote({ symbol: 'AAPL', bid: 1, own, ...own } as never);
      expect(last()[1]).toEqual({ symbol: 'AAPL', bid: 1, own, ...own });
    });
  });

  it('takes nothing once it is closed', async () => {
    await publisher.close();
    expect(() => publisher.quote(quote)).toThrow(expect.objectContaining({ name: 'PublisherError', code: 'closed' }));
  });
});

describe('D18: what is no amount', () => {
  const wrong = [
    '  ',
    '0x10',
    '0b11',
    ' 5\n',
    '1_000',
    '1,5',
    'NaN',
    'Infinity',
    '.',
    '-',
    '1e',
    '٣',
    '1'.repeat(65),
    '1e65',
  ];

  it.each(wrong)('D18: is refused everywhere: %j', text => {
    expect(() => publisher.quote({ symbol: 'AAPL', bid: text })).toThrow(/quote\.bid/);
    expect(() => publisher.partialQuote('AAPL', { volume: text })).toThrow(/changes\.volume/);
    expect(() => publisher.trade({ ...trade, price: text })).toThrow(/trade\.price/);
    expect(() => publisher.order('alice', { ...update, filled_quantity: text })).toThrow(/update\.filled_quantity/);
    expect(() => publisher.bookChange('AAPL', [[text, '1']], [])).toThrow(/bids\[0\]/);
    expect(() => publisher.bookChange('AAPL', [], [['1', text]])).toThrow(/asks\[0\]/);
    expect(sender.kept).toEqual([]);
  });
});

describe('R38 the publisher refuses', () => {
  const level = (price: unknown, quantity: unknown) => [[price, quantity]] as never;
  const given = <T extends object>(whole: T, member: string, value: unknown) =>
    ({ ...whole, [member]: value }) as never;
  const deep = JSON.parse(`${'{"a":'.repeat(10)}1${'}'.repeat(10)}`) as object;

  it.each<[string, () => unknown, RegExp]>([
    ['a symbol with a space', () => publisher.quote({ ...quote, symbol: 'BTC USDT' }), /symbol 'BTC USDT'/],
    ['a symbol that is a wildcard', () => publisher.partialQuote('>', { bid: 1 }), /symbol '>'/],
    ['a symbol that ends in a dot', () => publisher.bookChange('BRK.', [], []), /symbol 'BRK\.'/],
    ['no symbol', () => publisher.trade(given(trade, 'symbol', undefined)), /symbol undefined/],
    ['a quote of nothing', () => publisher.quote({ symbol: 'AAPL' }), /quote: must have a member besides the symbol/],
    ['a change of nothing', () => publisher.partialQuote('AAPL', {}), /changes: must have a member besides the symbol/],
    ['a negative volume', () => publisher.partialQuote('AAPL', { volume: -1 }), /changes\.volume -1.*from 0/],
    ['a trade without a price', () => publisher.trade(given(trade, 'price', null)), /trade\.price null/],
    ['a trade of a negative quantity', () => publisher.trade({ ...trade, quantity: '-1' }), /trade\.quantity '-1'/],
    ['a time that is none', () => publisher.trade({ ...trade, executed_at: 'yesterday' }), /executed_at 'yesterday'/],
    ['half a character', () => publisher.room('r', 'alice', '\ud83d'), /data '\\uD83D'/i],
    [
      'too many members',
      () =>
        publisher.quote({
          symbol: 'A',
          ...Object.fromEntries(Array.from({ length: QUOTE_MEMBERS_MAX }, (_, n) => [n, n])),
        }),
      /65 members, at most 64/,
    ],
    [
      'a member that is too long',
      () => publisher.quote({ ...quote, note: 'x'.repeat(MEMBER_VALUE_LENGTH_MAX + 1) }),
      /quote\.note: 4097 characters, at most 4096/,
    ],
    [
      'too many levels',
      () =>
        publisher.bookSnapshot(
          'A',
          Array.from({ length: LEVELS_MAX + 1 }, (_, n) => [n, 1] as const),
          [],
        ),
      /20001 levels, at most 20000/,
    ],
    ['a price that is no number', () => publisher.quote({ ...quote, current_price: Number.NaN }), /current_price NaN/],
    ['an infinite bid', () => publisher.partialQuote('AAPL', { bid: 1 / 0 }), /changes\.bid Infinity/],
    ['a price in words', () => publisher.trade({ ...trade, price: 'ten' }), /trade\.price 'ten'/],
    [
      'a trade without a quantity',
      () => publisher.trade(given(trade, 'quantity', undefined)),
      /trade\.quantity undefined/,
    ],
    ['a trade without an id', () => publisher.trade(given(trade, 'trade_id', null)), /trade\.trade_id null/],
    ['a negative quantity', () => publisher.bookSnapshot('AAPL', level(1, -1), []), /bids\[0\]/],
    ['a level without a price', () => publisher.bookSnapshot('AAPL', level(null, 1), []), /bids\[0\]/],
    ['half a level', () => publisher.bookSnapshot('AAPL', [], [['1']] as never), /asks\[0\]/],
    ['a side that is missing', () => publisher.bookChange('AAPL', [], undefined as never), /asks undefined/],
    ['a user that is none', () => publisher.order('', update), /userId ''/],
    [
      'an unknown action',
      () => publisher.order('alice', given(update, 'action', 'lost')),
      /update\.action 'lost'.*created/,
    ],
    [
      'an order of another user',
      () => publisher.order('alice', given(update, 'user_id', 'bob')),
      /user_id 'bob'.*alice/,
    ],
    [
      'an aggressor who is neither',
      () => publisher.trade(given(trade, 'aggressor_side', 'maker')),
      /trade\.aggressor_side 'maker'/,
    ],
    [
      'a canceller who is neither',
      () => publisher.order('alice', given(update, 'cancelled_by', 'mallory')),
      /update\.cancelled_by 'mallory'/,
    ],
    ['an unknown side', () => publisher.order('alice', given(update, 'side', 'long')), /update\.side 'long'/],
    ['an unknown channel', () => publisher.analytics('news' as never, {}), /channel 'news'.*alerts/],
    ['another channel’s type', () => publisher.analytics('alerts', { type: 'lp-metrics', data: 1 }), /message\.type/],
    ['analytics without data', () => publisher.analytics('alerts', undefined), /data undefined/],
    ['a room that is no subject', () => publisher.room('a*', 'alice', 1), /room 'a\*'/],
    [
      'a number that JSON has not',
      () => publisher.room('r', 'alice', { deep: [1, Number.NaN] }),
      /data\.deep\[1\] NaN/,
    ],
    ['a date', () => publisher.quote({ ...quote, opened: new Date(0) }), /quote\.opened 1970/],
    ['a function', () => publisher.room('r', 'alice', () => 1), /data/],
    ['what is nested too deep', () => publisher.room('r', 'alice', deep), /nested too deep/],
    ['a member called __proto__', () => publisher.room('r', 'a', JSON.parse('{"__proto__":1}')), /__proto__/],
    [
      'a time in milliseconds',
      () => publisher.trade(trade, { tsEventMicros: 1_795_000_000_000 }),
      /tsEventMicros 1795000000000/,
    ],
    ['an id with a line break', () => publisher.trade(trade, { messageId: 'a\r\nb' }), /messageId/],
    ['no trace context', () => publisher.trade(trade, { traceparent: 'x' }), /traceparent/],
    [
      'what is too long',
      () => publisher.room('r', 'alice', 'x'.repeat(MESSAGE_BYTES_DEFAULT)),
      /rooms\.r: 10486\d\d bytes/,
    ],
  ])('%s', (_what, publish, message) => {
    expect(publish).toThrow(TypeError);
    expect(publish).toThrow(message);
    expect(sender.kept).toEqual([]);
  });
});
