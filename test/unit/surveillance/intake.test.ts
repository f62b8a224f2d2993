import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { Intake } from '../../../src/surveillance/intake.js';

const NOW_MICROS = Date.UTC(2026, 10, 2, 10) * 1000;
const packr = new Packr({ useRecords: false });
const ORDER = { action: 'created', order_id: 'o1', symbol: 'ACME', side: 'buy', quantity: '5', price: 10 };

const json = (subject: string, value: unknown, tsEventMicros = 0) => ({
  subject,
  payload: new TextEncoder().encode(JSON.stringify(value)),
  tsEventMicros,
});

describe('what surveillance reads (R72)', () => {
  it('R72 reads orders in JSON and MessagePack, of the user in the subject', () => {
    const intake = new Intake(true);
    const expected = { kind: 'order', user: 'a b', orderId: 'o1', side: 'buy', quantity: 5, price: 10 };
    expect(intake.read(json('orders.a%20b', ORDER), NOW_MICROS)).toMatchObject(expected);
    const packed = { subject: 'orders.a%20b', payload: packr.pack(ORDER), tsEventMicros: 0 };
    expect(intake.read(packed, NOW_MICROS)).toMatchObject(expected);
    expect(intake.unreadable).toBe(0);
  });

  it.each([
    ['its own time', { timestamp: '2026-11-02T10:00:01Z' }, 0, NOW_MICROS + 1e6],
    ['its own time as a number', { timestamp: NOW_MICROS / 1e6 + 1 }, 0, NOW_MICROS + 1e6],
    ['the time of its header', {}, NOW_MICROS + 2e6, NOW_MICROS + 2e6],
    ['the time it came, because its own is far off', { timestamp: '2036-11-02T10:00:00Z' }, 0, NOW_MICROS],
    ['the time it came', {}, 0, NOW_MICROS],
  ])('R72 gives an order %s', (_what, members, tsEventMicros, expected) => {
    const event = new Intake(true).read(json('orders.a', { ...ORDER, ...members }, tsEventMicros), NOW_MICROS);
    expect(event?.atMicros).toBe(expected);
  });

  it('R72 tells ids apart that a double would not', () => {
    const idOf = (id: string) => {
      const payload = new TextEncoder().encode(JSON.stringify(ORDER).replace('"o1"', id));
      return new Intake(true).read({ subject: 'orders.a', payload, tsEventMicros: 0 }, NOW_MICROS);
    };
    expect(idOf('9007199254740993')).toMatchObject({ orderId: '9007199254740993', user: 'a' });
    expect(idOf('90071992547409931234')).toMatchObject({ orderId: '90071992547409931234' });
  });

  it('R72 keeps the times of a recording, however old', () => {
    const event = new Intake(false).read(json('orders.a', { ...ORDER, timestamp: '2020-01-01T00:00:00Z' }), NOW_MICROS);
    expect(event?.atMicros).toBe(Date.UTC(2020, 0, 1) * 1000);
  });

  it.each([
    ['orders.a', '{"action":"created"}'],
    ['orders.a', 'not JSON'],
    ['orders.a', '\xc1\xff'],
    ['md.trades.A', '{"symbol":"A","trade_id":"1","price":"1","quantity":"1"}'],
    ['md.books.A', '[]'],
  ])('R72 counts what it cannot read on %s: %s', (subject, text) => {
    const intake = new Intake(true);
    expect(
      intake.read({ subject, payload: Buffer.from(text, 'latin1'), tsEventMicros: 0 }, NOW_MICROS),
    ).toBeUndefined();
    expect(intake.unreadable).toBe(1);
  });

  it('R72 sums the ten best levels of a book that is published whole and then by changes', () => {
    const intake = new Intake(true);
    const book = (members: object) => intake.read(json('md.books.A', { symbol: 'A', ...members }), NOW_MICROS);
    expect(book({ bids: [['1', '1']] })).toBeUndefined();
    expect(intake.unreadable).toBe(0);
    const bids = Array.from({ length: 12 }, (_, n) => [String(100 - n), '2']);
    expect(book({ bids, asks: [['101', '7']], snapshot: true })).toMatchObject({ bidQuantity: 20, askQuantity: 7 });
    expect(
      book({
        bids: [
          ['100', '0'],
          ['99', '5'],
        ],
        asks: [],
      }),
    ).toMatchObject({ bidQuantity: 23 });
    intake.missed('md.books.A');
    expect(book({ bids: [['98', '5']] })).toBeUndefined();
  });
});
