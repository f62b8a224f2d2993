import { describe, expect, it } from 'vitest';
import type { Alert } from '../../../src/surveillance/alert.js';
import { Depths } from '../../../src/surveillance/depths.js';
import { Layering } from '../../../src/surveillance/detectors/layering.js';
import { OrderToTrade } from '../../../src/surveillance/detectors/order-to-trade.js';
import { QuoteStuffing } from '../../../src/surveillance/detectors/quote-stuffing.js';
import { type OrderEvent, pairKey } from '../../../src/surveillance/events.js';
import { parseOrder, parseTrade } from '../../../src/surveillance/parse.js';
import { Surveillance } from '../../../src/surveillance/surveillance.js';
import { DEFAULT_THRESHOLDS } from '../../../src/surveillance/thresholds.js';

const SECOND = 1_000_000;
const START = Date.UTC(2026, 10, 2, 10) * 1000;
const MIDNIGHT = Date.UTC(2026, 10, 3) * 1000;

function order(orderId: string, changes: Partial<OrderEvent> = {}): OrderEvent {
  return {
    kind: 'order',
    atMicros: START,
    user: 'mallory',
    symbol: 'A',
    orderId,
    action: 'created',
    side: 'buy',
    price: 100,
    quantity: 10,
    filled: 0,
    isQuote: false,
    isByVenue: false,
    ...changes,
  };
}

describe('odd events under surveillance (R72)', () => {
  it('R72 parties that are left empty are no wash trade, nor is a quantity of nothing', () => {
    const trade = { trade_id: 1, symbol: 'A', price: '1', quantity: '1', buyer_id: 'a', seller_id: 'b' };
    expect(parseTrade(trade, START)).toMatchObject({ buyer: 'a', seller: 'b' });
    expect(parseTrade({ ...trade, buyer_id: '', seller_id: '' }, START)).toBeUndefined();
    expect(parseTrade({ ...trade, quantity: '0' }, START)).toBeUndefined();
    expect(parseTrade({ ...trade, quantity: '-1' }, START)).toBeUndefined();
    expect(parseOrder({ action: 'created', order_id: '', symbol: 'A', side: 'buy' }, 'u', START)).toBeUndefined();
  });

  it('R72 names without end are not watched, and ids are cut', () => {
    const [long, order] = ['x'.repeat(100_000), { action: 'created', order_id: 'o', symbol: 'A', side: 'buy' }];
    const trade = { trade_id: long, symbol: 'A', price: '1', quantity: '1', buyer_id: 'a', seller_id: 'b' };
    expect(parseTrade(trade, START)?.tradeId).toHaveLength(128);
    expect(parseTrade({ ...trade, seller_id: long }, START)).toBeUndefined();
    expect(parseOrder(order, long, START)).toBeUndefined();
    expect(parseOrder({ ...order, symbol: long }, 'u', START)).toBeUndefined();
  });

  it('R72 orders without quantities have no ratio by volume that crosses a limit by itself', () => {
    const alerts: Alert[] = [];
    const detector = new OrderToTrade(DEFAULT_THRESHOLDS, alert => alerts.push(alert));
    for (let n = 0; n < 101; n++) detector.order(order(`o${n}`, { quantity: 0 }));
    expect(alerts).toEqual([]);
    detector.order(order('last', { quantity: 0 }));
    expect(alerts).toMatchObject([{ figures: { ratio_by_number: 101, ratio_by_volume: 101 } }]);
  });

  it('R72 an event that comes late, after midnight, does not begin the session again', () => {
    const alerts: Alert[] = [];
    const detector = new OrderToTrade(DEFAULT_THRESHOLDS, alert => alerts.push(alert));
    for (let n = 0; n < 102; n++) {
      detector.order(order(`o${n}`, { atMicros: n % 2 === 0 ? MIDNIGHT + n : MIDNIGHT - SECOND }));
    }
    expect(alerts).toHaveLength(1);
  });

  it('R72 a layer whose price alone was replaced keeps its quantity', () => {
    const alerts: Alert[] = [];
    const detector = new Layering(DEFAULT_THRESHOLDS, alert => alerts.push(alert));
    for (const [n, price] of [101, 102, 103].entries()) {
      detector.order(order(`l${n}`, { side: 'sell', price }));
      detector.order(order(`l${n}`, { side: 'sell', action: 'replaced', price: price + 1, quantity: 0 }));
      detector.order(order(`l${n}`, { side: 'sell', action: 'replaced', price: undefined, quantity: 20 }));
    }
    detector.order(order('bought', { action: 'filled', filled: 10, atMicros: START + SECOND }));
    for (let n = 0; n < 3; n++) {
      detector.order(order(`l${n}`, { side: 'sell', action: 'cancelled', atMicros: START + 2 * SECOND }));
    }
    expect(alerts).toMatchObject([{ users: ['mallory'], figures: { levels: 3 } }]);
  });

  it('R72 layers that were moved to their prices are as new as those that were created there', () => {
    const alerts: Alert[] = [];
    const detector = new Layering(DEFAULT_THRESHOLDS, alert => alerts.push(alert));
    const layers = [101, 102, 103].map((price, n) => order(`l${n}`, { side: 'sell', price: price + 50 }));
    for (const layer of layers) detector.order({ ...layer, atMicros: START - 60 * SECOND });
    for (const [n, layer] of layers.entries()) detector.order({ ...layer, action: 'replaced', price: 101 + n });
    detector.order(order('bought', { action: 'filled', filled: 10, atMicros: START + SECOND }));
    for (const layer of layers) detector.order({ ...layer, action: 'cancelled', atMicros: START + 2 * SECOND });
    expect(alerts).toMatchObject([{ users: ['mallory'], figures: { levels: 3, cancelled_share: 1 } }]);
  });

  it('R72 users and symbols with blanks are not taken for each other', () => {
    const keys = [pairKey('A B', 'C', 'D'), pairKey('A', 'B C', 'D'), pairKey('A', 'B', 'C D')];
    expect(new Set(keys).size).toBe(3);
  });

  it('R72 a burst is reported once a second, with the median life of its orders', () => {
    const alerts: Alert[] = [];
    const detector = new QuoteStuffing(DEFAULT_THRESHOLDS, alert => alerts.push(alert));
    for (let n = 0; n < 200; n++) {
      const atMicros = START + n * 1_000;
      detector.order(order(`o${n}`, { atMicros }));
      detector.order(order(`o${n}`, { atMicros: atMicros + 400, action: 'cancelled' }));
    }
    expect(alerts).toMatchObject([{ figures: { messages: 50, cancelled: 25, median_life_ms: 0 } }]);
    detector.order(order('next', { atMicros: START + 3 * SECOND }));
    expect(alerts).toHaveLength(1);
  });

  it('R72 users that were forgotten in the end do not make it forget the others', () => {
    const alerts: Alert[] = [];
    const detector = new QuoteStuffing(DEFAULT_THRESHOLDS, alert => alerts.push(alert));
    const burst = (user: string, messages: number) => {
      const event = order('o', { user });
      for (let n = 0; n < messages; n++) detector.order(event);
    };
    for (let n = 0; n < 112; n++) burst(`busy ${n}`, 4_000);
    // More than it watches: it forgets the busy ones.
    for (let n = 0; n < 50_000; n++) burst(`u${n}`, 1);
    burst('last', 1_975);
    for (let n = 0; n < 25; n++) {
      detector.order(order(`o${n}`));
      detector.order(order(`o${n}`, { action: 'cancelled' }));
    }
    expect(alerts).toMatchObject([{ users: ['mallory'], figures: { messages: 50 } }]);
  });

  it.each([
    [45, 0],
    [46, 1],
  ])('R72 %i of 90 short lives are %i reports', (short, reports) => {
    const alerts: Alert[] = [];
    const detector = new QuoteStuffing(DEFAULT_THRESHOLDS, alert => alerts.push(alert));
    for (let n = 0; n < 100; n++) detector.order(order(`o${n}`, { atMicros: START }));
    for (let n = 0; n < 100; n++) {
      detector.order(order(`o${n}`, { atMicros: START + (n < short ? 499_000 : 500_000), action: 'cancelled' }));
    }
    expect(alerts).toHaveLength(reports);
  });

  it('R72 a report from the future silences nothing, and an older one of another gateway does not repeat it', () => {
    const alerts: Alert[] = [];
    const surveillance = new Surveillance(DEFAULT_THRESHOLDS, alert => alerts.push(alert));
    const wash = (at: number) =>
      surveillance.take({
        kind: 'trade',
        atMicros: START + at * SECOND,
        symbol: 'A',
        tradeId: `t${at}`,
        price: 1,
        quantity: 1,
        buyer: 'a',
        seller: 'a',
        aggressor: undefined,
      });
    wash(4_000);
    wash(0);
    wash(100);
    expect(alerts).toHaveLength(2);
    const elsewhere = { detector: 'wash_trades', symbol: 'A', users: ['a'], evidence: [] } as const;
    surveillance.reportedElsewhere({ ...elsewhere, atMicros: START - 299 * SECOND });
    wash(101);
    expect(alerts).toHaveLength(2);
  });

  it('R72 the ten best levels are those of a sorted book, and a book with too many levels keeps its best', () => {
    const levels = Array.from({ length: 6_000 }, (_, n) => [((n * 7_919) % 6_000) + 1, n + 1] as const);
    const book = new Depths().take({ snapshot: true, bids: levels, asks: levels }, 'A', START);
    const sum = (sorted: readonly (readonly [number, number])[]) =>
      sorted.slice(0, 10).reduce((total, [, quantity]) => total + quantity, 0);
    expect(book?.bidQuantity).toBe(sum(levels.toSorted(([a], [b]) => b - a)));
    expect(book?.askQuantity).toBe(sum(levels.toSorted(([a], [b]) => a - b)));
  });
});
