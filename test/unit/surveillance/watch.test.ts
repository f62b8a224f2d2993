import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { AlertRow } from '../../../src/protocol/admin-rows.js';
import { DEFAULT_THRESHOLDS } from '../../../src/surveillance/thresholds.js';
import { QUEUE_BYTES_MAX, Watch } from '../../../src/surveillance/watch.js';
import { QUEUE_MAX } from '../../../src/threads/surveillance-messages.js';
import { until } from '../../support/until.js';

const NOW_MICROS = Date.UTC(2026, 10, 2, 10) * 1000;
const PAYLOAD = new TextEncoder().encode('{"symbol":"A","bids":[["1","1"]],"asks":[],"snapshot":true}');
const book = { subject: 'md.books.A', payload: PAYLOAD, tsEventMicros: 0 };
const wash = (id: number, user = 'mallory') => ({
  subject: 'md.trades.A',
  payload: new TextEncoder().encode(
    JSON.stringify({ symbol: 'A', trade_id: id, price: 1, quantity: 1, buyer_id: user, seller_id: user }),
  ),
  tsEventMicros: 0,
});

function watch() {
  const alerts: AlertRow[] = [];
  const made = new Watch({
    thresholds: DEFAULT_THRESHOLDS,
    node: 'one',
    nowMicros: () => NOW_MICROS,
    isOurs: () => true,
    onAlert: alert => alerts.push(alert),
  });
  return { alerts, made };
}

describe('the queue of surveillance (R72)', () => {
  it('R72 is bounded: books go first, then everything, and what is dropped is counted', async () => {
    const { alerts, made } = watch();
    for (let n = 0; n < QUEUE_MAX; n++) made.take(book);
    expect(made.counters.dropped).toBe(QUEUE_MAX / 2);
    for (let n = 0; n < QUEUE_MAX; n++) made.take(wash(n));
    expect(made.counters.dropped).toBe(QUEUE_MAX);
    await until(() => made.counters.events === QUEUE_MAX);
    expect(alerts).toHaveLength(1);
    made.take(wash(-1, 'trudy'));
    await until(() => alerts.length === 2);
    expect(made.counters).toMatchObject({ dropped: QUEUE_MAX, lagMs: 0, alerts: { wash_trades: 2 } });
  });

  it('R72 is bounded in bytes, too, and takes messages again once it is judged', async () => {
    const { made } = watch();
    const large = { ...wash(1), payload: new Uint8Array(1024 * 1024) };
    for (let n = 0; n < 70; n++) made.take(large);
    expect(made.counters.dropped).toBe(70 - QUEUE_BYTES_MAX / large.payload.length);
    await until(() => made.counters.unreadable === QUEUE_BYTES_MAX / large.payload.length);
    made.take(large);
    await until(() => made.counters.unreadable === QUEUE_BYTES_MAX / large.payload.length + 1);
    expect(made.counters.dropped).toBe(6);
  });

  it('R72 does not repeat what another gateway has reported', async () => {
    const first = watch();
    first.made.take(wash(1));
    await until(() => first.alerts.length === 1);
    const second = watch();
    second.made.foreign(first.alerts[0] as AlertRow);
    second.made.take(wash(2));
    await until(() => second.made.counters.events === 1);
    await nextTurn();
    expect(second.alerts).toEqual([]);
  });

  it('R72 an alert of a node whose clock is ahead does not silence this one until then', async () => {
    const { alerts, made } = watch();
    const other = watch();
    other.made.take(wash(1));
    await until(() => other.alerts.length === 1);
    const ahead = { ...(other.alerts[0] as AlertRow), time: '2027-11-02T10:00:00.000Z' };
    made.foreign(ahead);
    const later = { ...wash(2), tsEventMicros: NOW_MICROS - 299_000_000 };
    made.take(later);
    await until(() => made.counters.events === 1);
    expect(alerts).toEqual([]);
    const old = { ...wash(3), tsEventMicros: NOW_MICROS - 300_000_000 };
    made.take(old);
    await until(() => alerts.length === 1);
  });

  it('R72 two gateways that see the same give an alert the same id', async () => {
    const [first, second] = [watch(), watch()];
    for (const { made } of [first, second]) made.take(wash(1));
    await until(() => first.alerts.length + second.alerts.length === 2);
    expect(first.alerts[0]?.id).toBe(second.alerts[0]?.id);
    expect(first.alerts[0]).toMatchObject({
      detector: 'wash_trades',
      symbol: 'A',
      users: ['mallory'],
      evidence: ['1'],
    });
  });
});
