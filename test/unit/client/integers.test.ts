/** D4 and D5: whole numbers of any size, in both formats, as the option `integers` says. */
import fc from 'fast-check';
import * as messagePack from 'msgpackr';
import { describe, expect, it } from 'vitest';
import type { Gap, Integers, MillraceOptions, StreamEvent } from '../../../src/client/index.js';
import { bookChecksum } from '../../../src/protocol/checksum.js';
import { mayHoldLongNumber, parseExact, parseLong, stringifyExact } from '../../../src/protocol/exact-json.js';
import { connected, newClient, settled } from '../../support/client-harness.js';
import type { FakeSocket } from '../../support/fake-socket.js';

type Format = 'json' | 'msgpack';
const FORMATS: readonly Format[] = ['json', 'msgpack'];

const ID = 8389766145050670869n;
const VOLUME = 9007199254740993n;

/** Delivers frames as a gateway writes them: every whole number exactly, in MessagePack as an integer. */
function deliver(socket: FakeSocket, format: Format, ...frames: readonly object[]): void {
  for (const frame of frames) {
    if (format === 'json') socket.message(stringifyExact(frame));
    else socket.message(new Uint8Array(messagePack.pack(integral(frame))).buffer);
  }
}

/** Numbers that msgpackr would write as floats become bigints, which it writes as integers. */
function integral(value: unknown): unknown {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 2 ** 32) return BigInt(value);
  if (Array.isArray(value)) return value.map(integral);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, integral(member)]));
}

const options = (format: Format, integers?: Integers): Partial<MillraceOptions> => ({
  format,
  ...(format === 'msgpack' ? { messagePack } : {}),
  ...(integers === undefined ? {} : { integers }),
});

const trade = (seq: number, more: object = {}) => ({
  type: 'trade_executed',
  trade_id: ID + BigInt(seq),
  symbol: 'X',
  price: 5,
  quantity: '2',
  epoch: 'e1',
  prev_seq: seq - 1,
  seq,
  ...more,
});

/** What a stream of trades is told of one trade and its members. */
async function received(
  format: Format,
  integers: Integers | undefined,
  more: object,
): Promise<Record<string, unknown>> {
  const { client, socket } = await connected(options(format, integers));
  const stream = client.trades(['X']);
  const events: StreamEvent<unknown>[] = [];
  stream.on('event', event => events.push(event));
  await stream.ready;
  deliver(socket, format, trade(1, more));
  return events[0]?.message as Record<string, unknown>;
}

describe.each(FORMATS)('D4: whole numbers in %s', format => {
  it('D4: beyond 2^53 are bigints, and two ids that differ are two', async () => {
    const { client, socket } = await connected(options(format));
    const stream = client.trades(['X']);
    const ids: unknown[] = [];
    stream.on('event', ({ message }) => ids.push(message.trade_id));
    await stream.ready;
    deliver(socket, format, trade(0), trade(1));
    expect(ids).toEqual([ID, ID + 1n]);
  });

  it.each([
    ['auto', ID, VOLUME, 5],
    ['number', Number(ID), Number(VOLUME), 5],
    ['bigint', ID, VOLUME, 5n],
    ['string', String(ID), String(VOLUME), '5'],
  ] as const)('D4: are as the option says: %s', async (integers, id, volume, small) => {
    const own = { deep: [{ volume: VOLUME, small: 5, ratio: 0.5, text: '7', none: null, yes: true }] };
    const message = await received(format, integers, { trade_id: ID, own });
    expect(message).toMatchObject({ trade_id: id, price: small, quantity: '2', prev_seq: 0, seq: 1 });
    expect(message.own).toEqual({ deep: [{ volume, small, ratio: 0.5, text: '7', none: null, yes: true }] });
  });

  it('D4: up to 2^53 − 1 are numbers, and negative ones alike', async () => {
    const { MAX_SAFE_INTEGER: max } = Number;
    const own = [BigInt(max), BigInt(max) + 1n, -BigInt(max), -BigInt(max) - 1n, 2 ** 32, 0, -5];
    const message = await received(format, undefined, { own });
    expect(message.own).toEqual([max, BigInt(max) + 1n, -max, -BigInt(max) - 1n, 2 ** 32, 0, -5]);
  });

  it('D4: in quotes reach the document by snapshots and deltas', async () => {
    const { client, socket } = await connected(options(format));
    const stream = client.quotes(['X']);
    await stream.ready;
    const add = { op: 'add', path: '/quotes/X', value: { symbol: 'X', volume: VOLUME, own: { nanos: ID } } };
    const snapshot = { type: 'quotes_patch', snapshot: true, epoch: 'e1', seqs: { X: 2 ** 33 }, operations: [add] };
    deliver(socket, format, snapshot);
    expect(stream.get('X')).toEqual({ symbol: 'X', volume: VOLUME, own: { nanos: ID } });
    const operations = [{ op: 'replace', path: '/quotes/X/volume', value: VOLUME + 2n }];
    const chain = { epoch: 'e1', prev_seq: 2 ** 33, seq: 2 ** 33 + 1 };
    deliver(socket, format, { type: 'quotes_patch', symbol: 'X', ...chain, operations });
    expect(stream.get('X')?.volume).toBe(VOLUME + 2n);
    expect(socket.sent('resync')).toEqual([]);
  });

  it('D4: in the data of analytics and rooms are exact, and in an order', async () => {
    const { client, socket } = await connected(options(format));
    const seen: unknown[] = [];
    const alerts = client.analytics(['alerts']).on('event', ({ message }) => seen.push(message.data));
    const room = client.rooms('desk').on('event', ({ message }) => seen.push(message.data));
    const orders = client.orders().on('event', ({ message }) => seen.push(message.order_id));
    await Promise.all([alerts.ready, room.ready, orders.ready]);
    const chain = { epoch: 'e1', prev_seq: 0, seq: 1 };
    deliver(socket, format, [{ type: 'alert', channel: 'alerts', data: { id: ID }, ...chain }]);
    deliver(socket, format, { type: 'room_message', room: 'desk', from: 'bob', data: [ID], ...chain });
    deliver(socket, format, { type: 'order_update', user_id: 'alice', order_id: ID, ...chain });
    expect(seen).toEqual([{ id: ID }, [ID], ID]);
  });

  it('D4: that an application publishes are written exactly', async () => {
    const { client, socket } = await connected(options(format));
    const raw: (string | Uint8Array)[] = [];
    const { send } = socket;
    socket.send = data => {
      raw.push(data);
      if (typeof data !== 'string') send.call(socket, data);
    };
    const room = client.rooms('desk');
    void room.publish({ id: ID, list: [-VOLUME, 1], big: 2n ** 70n, small: 5n }).catch(() => {});
    await settled();
    const [published] = raw;
    if (format === 'json') {
      expect(published).toContain(`"data":{"id":${ID},"list":[-${VOLUME},1],"big":${2n ** 70n},"small":5}`);
    } else {
      expect(messagePack.unpack(published as Uint8Array)).toMatchObject({
        // MessagePack has no integer of more than 64 bits.
        data: { id: ID, list: [-VOLUME, 1], big: String(2n ** 70n) },
      });
    }
  });
});

describe.each(FORMATS)('D5: the protocol’s own numbers in %s', format => {
  it.each(['auto', 'number', 'bigint', 'string'] as const)(
    'D5: are numbers whatever the option says: %s',
    async integers => {
      const { client, socket, clock } = await connected({ ...options(format, integers), timestamps: true });
      const stream = client.trades(['X']);
      const events: StreamEvent<unknown>[] = [];
      const gaps: Gap[] = [];
      stream.on('event', event => events.push(event)).on('gap', gap => gaps.push(gap));
      await stream.ready;
      const sent = clock.nowMicros();
      const first = 5_000_000_001;
      deliver(socket, format, trade(first, { ts_event: sent - 3_000, ts_sent: sent }), trade(first + 1));
      deliver(socket, format, {
        type: 'gap',
        topic: 'trades:X',
        from: first + 2,
        to: first + 9,
        reason: 'refused',
        epoch: 'e1',
      });
      deliver(socket, format, trade(first + 10));
      expect(events.map(({ seq }) => seq)).toEqual([first, first + 1, first + 10]);
      expect(events[0]).toMatchObject({ lag: { sinceSentMs: 0, sinceEventMs: 3 }, seq: first });
      expect(events[0]?.message).toMatchObject({
        prev_seq: first - 1,
        seq: first,
        ts_event: sent - 3_000,
        ts_sent: sent,
      });
      expect(gaps).toEqual([{ topic: 'trades:X', from: first + 2, to: first + 9, reason: 'refused', epoch: 'e1' }]);
    },
  );

  it('D5: chain books, heartbeats, acks and positions', async () => {
    const { client, socket, network } = await connected(options(format, 'string'));
    const seq = 2 ** 40;
    const depth = client.depth(['X']);
    const changes: number[] = [];
    depth.on('change', change => changes.push(change.seq));
    await depth.ready;
    const operations = [
      { op: 'add', path: '/bids', value: { 99: '1' } },
      { op: 'add', path: '/asks', value: { 100: '2' } },
    ];
    const checksum = BigInt(bookChecksum([['100', '2']], [['99', '1']]));
    const snapshot = { type: 'depth_patch', snapshot: true, symbol: 'X', epoch: 'e1', prev_seq: seq, seq, operations };
    deliver(socket, format, { ...snapshot, checksum }, { type: 'heartbeat', topic: 'depth:X', epoch: 'e1', seq });
    expect(changes).toEqual([seq]);
    expect(socket.sent('resync')).toEqual([]);
    deliver(socket, format, { ...snapshot, checksum: checksum + 1n });
    expect(socket.sent('resync').length).toBe(1);
    network.onCommand = ({ action, id }, asked) => {
      if (action === 'publish') deliver(asked, format, { type: 'ack', id, topic: 'rooms:desk', epoch: 'e1', seq });
    };
    expect(await client.rooms('desk').publish('hi')).toEqual({ seq, epoch: 'e1' });
  });
});

describe('D4: decimals', () => {
  it('D4: that a double would alter are text, in every mode', async () => {
    for (const integers of ['auto', 'number', 'bigint', 'string'] as const) {
      const { client, socket } = await connected(options('json', integers));
      const stream = client.trades(['X']);
      const prices: unknown[] = [];
      stream.on('event', ({ message }) => prices.push(message.price));
      await stream.ready;
      const text = (price: string) =>
        `{"type":"trade_executed","trade_id":"t","symbol":"X","price":${price},"epoch":"e1","prev_seq":0,"seq":1}`;
      for (const price of ['0.12345678901234567890', '1e400', '0.1', '150.25', '1234567890.123456']) {
        socket.message(text(price));
      }
      expect(prices).toEqual(['0.12345678901234567890', '1e400', 0.1, 150.25, 1234567890.123456]);
    }
  });
});

describe('D4: JSON', () => {
  it.each([
    ['{"ts_sent":1795000000123456,"n":-9007199254740991,"t":"2026-01-02T03:04:05.678Z"}', false],
    ['{"price":229.51,"ratio":1e5,"epoch":"b6a02026"}', false],
    ['{"id":9007199254740992}', true],
    ['{"id":-9007199254740993}', true],
    ['{"id":12345678901234567}', true],
    ['{"ts_sent":1795000000123456,"id":12345678901234567}', true],
    ['{"price":1234567890.123456}', true],
    ['{"price":1234567890123456e5}', true],
    ['{"price":1.5E-300}', true],
    ['{"price":1e400}', true],
  ])('D4: is read by the platform alone where that is exact: %s', (text, mayBe) => {
    expect(mayHoldLongNumber(text)).toBe(mayBe);
  });

  it('D4: of any number is exact, whichever way it is read', () => {
    const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,24})(\.\d{1,24})?([eE][+-]?\d{1,3})?$/);
    fc.assert(
      fc.property(digits, fc.nat(20), (text, blanks) => {
        const json = `{"n":${' '.repeat(blanks)}${text}}`;
        expect(mayHoldLongNumber(json) ? parseExact(json) : JSON.parse(json)).toEqual(parseLong(json));
        const { n } = parseLong(json) as { n: unknown };
        if (!mayHoldLongNumber(json)) expect(n).toBe(JSON.parse(text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('D4: the option integers', () => {
  it('D4: refuses what it does not know', () => {
    expect(() => newClient({ integers: 'float' as Integers })).toThrow(
      'integers: must be one of auto, number, bigint, string',
    );
  });
});
