import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { HalfSipHash } from '../../../../src/gateway/limits/key-hash.js';
import { createSharedDebts, debtKeyOf, SharedDebts } from '../../../../src/gateway/limits/shared-debts.js';
import { type Payer, WorkBudgets } from '../../../../src/gateway/limits/work-budgets.js';
import { ADDRESS_FACTOR, BURST_SECONDS, INSTITUTIONAL_FACTOR, USER_FACTOR } from '../../../../src/protocol/costs.js';
import type { Tier } from '../../../../src/protocol/view-options.js';

const SEED = [7, 8] as const;
const RATE = 1000;
const START_MICROS = 1e15;

describe('J1 J2 R40a budgets of work', () => {
  let nowMicros = START_MICROS;
  const pass = (seconds: number) => {
    nowMicros += seconds * 1e6;
  };
  const debts = () => createSharedDebts(64);
  const budgetsOn = (table: SharedArrayBuffer) =>
    new WorkBudgets({ unitsPerSecond: RATE, debts: table, seed: SEED, nowMicros: () => nowMicros });
  const payer = (budgets: WorkBudgets, sub: string, tier: Tier = 'retail', address = '10.0.0.1'): Payer => ({
    account: budgets.open(address),
    tier,
    credential: { sub },
  });

  it('lets a connection use its rate steadily, and a burst at once', () => {
    const budgets = budgetsOn(debts());
    const client = payer(budgets, '');
    budgets.charge(client, BURST_SECONDS * RATE);
    expect(budgets.waitMs(client)).toBe(0);
    budgets.charge(client, RATE);
    expect(budgets.waitMs(client)).toBe(1000);
    pass(0.4);
    expect(budgets.waitMs(client)).toBe(600);
    pass(0.6);
    expect(budgets.waitMs(client)).toBe(0);
    for (let second = 0; second < 100; second++) {
      budgets.charge(client, RATE);
      pass(1);
      expect(budgets.waitMs(client)).toBe(0);
    }
  });

  it("calls indebted who owes more than a second of its own rate or its user's, not of its address", () => {
    const budgets = budgetsOn(debts());
    const [own, other, neighbour] = [payer(budgets, 'alice'), payer(budgets, 'alice'), payer(budgets, 'bob')];
    budgets.charge(own, RATE);
    expect(budgets.isIndebted(own)).toBe(false);
    budgets.charge(own, 1);
    expect([own, other].map(client => budgets.isIndebted(client))).toEqual([true, false]);
    budgets.charge(own, RATE * ADDRESS_FACTOR);
    expect([own, other, neighbour].map(client => budgets.isIndebted(client))).toEqual([true, true, false]);
    pass(ADDRESS_FACTOR + 1);
    expect([own, other].map(client => budgets.isIndebted(client))).toEqual([false, false]);
  });

  it('saves nothing up beyond the burst', () => {
    const budgets = budgetsOn(debts());
    const client = payer(budgets, '');
    pass(3600);
    budgets.charge(client, (BURST_SECONDS + 2) * RATE);
    expect(budgets.waitMs(client)).toBe(2000);
  });

  it("charges a user's connections together, whatever threads they are on", () => {
    const table = debts();
    const threads = [budgetsOn(table), budgetsOn(table)];
    const each = (BURST_SECONDS * RATE * USER_FACTOR) / 8 + RATE;
    for (let i = 0; i < 8; i++) {
      const budgets = threads[i % 2] as WorkBudgets;
      budgets.charge(payer(budgets, 'alice', 'retail', `10.0.0.${i}`), each);
    }
    const [first, second] = threads as [WorkBudgets, WorkBudgets];
    expect(first.waitMs(payer(first, 'alice', 'retail', '10.0.0.9'))).toBe((8 * 1000) / USER_FACTOR);
    expect(second.waitMs(payer(second, 'bob', 'retail', '10.0.0.9'))).toBe(0);
  });

  it("charges an address's anonymous and retail connections together, and lets no more of them in", () => {
    const budgets = budgetsOn(debts());
    for (let i = 0; i < 2 * ADDRESS_FACTOR; i++) budgets.charge(payer(budgets, ''), (BURST_SECONDS * RATE) / 2);
    budgets.charge(payer(budgets, ''), ADDRESS_FACTOR * RATE);
    expect(budgets.waitMs(payer(budgets, ''))).toBe(1000);
    budgets.chargeAddress('10.0.0.1', ADDRESS_FACTOR * RATE);
    expect(budgets.waitMs(payer(budgets, ''))).toBe(2000);
    expect(budgets.waitMs(payer(budgets, '', 'retail', '10.0.0.2'))).toBe(0);
  });

  it('J4: what is set aside counts as owed by connection, user and address until it is given back', () => {
    const budgets = budgetsOn(debts());
    const client = payer(budgets, 'alice');
    budgets.reserve(client, 10 * BURST_SECONDS * RATE * ADDRESS_FACTOR);
    const all = [client, payer(budgets, 'alice', 'retail', '10.0.0.2'), payer(budgets, '')];
    for (const each of all) expect(budgets.waitMs(each)).toBeGreaterThan(0);
    expect(budgets.counters.units).toBe(0);
    budgets.reserve(client, -10 * BURST_SECONDS * RATE * ADDRESS_FACTOR);
    for (const each of all) expect(budgets.waitMs(each)).toBe(0);
    // Nothing is given beyond it.
    budgets.reserve(client, -RATE);
    budgets.charge(client, (BURST_SECONDS + 1) * RATE);
    expect(budgets.waitMs(client)).toBe(1000);
  });

  it('charges what is refused to its connection alone', () => {
    const budgets = budgetsOn(debts());
    const greedy = payer(budgets, 'alice');
    budgets.chargeConnection(greedy, 100 * BURST_SECONDS * RATE * ADDRESS_FACTOR);
    expect(budgets.waitMs(greedy)).toBeGreaterThan(0);
    expect(budgets.waitMs(payer(budgets, 'alice'))).toBe(0);
    expect(budgets.waitMs(payer(budgets, ''))).toBe(0);
  });

  it('lets institutional clients use more, and come from an address that is used up', () => {
    const budgets = budgetsOn(debts());
    const firm = payer(budgets, 'firm', 'institutional');
    budgets.charge(payer(budgets, ''), 100 * BURST_SECONDS * RATE * ADDRESS_FACTOR);
    budgets.charge(firm, INSTITUTIONAL_FACTOR * BURST_SECONDS * RATE);
    expect(budgets.waitMs(firm)).toBe(0);
    budgets.charge(firm, INSTITUTIONAL_FACTOR * RATE);
    expect(budgets.waitMs(firm)).toBe(1000);
  });

  it('charges whoever the connection belongs to after auth', () => {
    const budgets = budgetsOn(debts());
    const { account } = payer(budgets, '');
    const as = (sub: string): Payer => ({ account, tier: 'institutional', credential: { sub } });
    const all = INSTITUTIONAL_FACTOR * USER_FACTOR * BURST_SECONDS * RATE;
    budgets.charge({ ...as('a'), account: budgets.open('x') }, 2 * all);
    expect(budgets.waitMs(as(''))).toBe(0);
    expect(budgets.waitMs(as('a'))).toBeGreaterThan(0);
    expect(budgets.waitMs(as('b'))).toBe(0);
  });
});

describe('R40a debts in shared memory', () => {
  const hash = new HalfSipHash(SEED);
  const key = (text: string) => debtKeyOf(hash, text);

  it('forgets what is paid, and gives its slots to others', () => {
    const table = new SharedDebts(createSharedDebts(16));
    for (let i = 0; i < 1000; i++) {
      const now = START_MICROS + i * 10;
      table.add(key(`k${i}`), now, 5);
      expect(table.owed(key(`k${i}`), now)).toBe(5);
    }
    expect(table.overflow).toBe(0);
  });

  it('counts debts that it has no slot for, and keeps those that it has', () => {
    const table = new SharedDebts(createSharedDebts(16));
    for (let i = 0; i < 20; i++) table.add(key(`k${i}`), START_MICROS, 1000);
    expect(table.overflow).toBe(4);
    const owing = Array.from({ length: 20 }, (_, i) => table.owed(key(`k${i}`), START_MICROS));
    expect(owing.filter(micros => micros === 1000)).toHaveLength(16);
  });

  it('loses nothing where threads add at once', async () => {
    const buffer = createSharedDebts(16);
    const { low, high } = key('shared');
    const table = new SharedDebts(buffer);
    table.add({ low, high }, START_MICROS, 1);
    const url = new URL('../../../../dist/gateway/limits/shared-debts.js', import.meta.url).href;
    const code = `import('${url}').then(({ SharedDebts }) => {
      const { workerData } = require('node:worker_threads');
      const table = new SharedDebts(workerData.buffer);
      for (let i = 0; i < 20000; i++) table.add(workerData.key, ${START_MICROS}, 1);
    })`;
    const workerData = { buffer, key: { low, high } };
    const threads = [1, 2, 3].map(() => new Worker(code, { eval: true, workerData }));
    await Promise.all(threads.map(thread => new Promise(resolve => thread.once('exit', resolve))));
    expect(table.owed({ low, high }, START_MICROS)).toBe(60_001);
  });
});
