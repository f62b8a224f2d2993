import { describe, expect, it } from 'vitest';
import { BatchLines } from '../../../src/journal/batch-lines.js';
import { KINDS, type NewRecord, type ViewMembers } from '../../../src/journal/kinds.js';
import { EmitRecorder } from '../../../src/threads/emit-recorder.js';
import { createJournalCells, ProducerCells } from '../../../src/threads/journal-cells.js';
import type { JournalBatch } from '../../../src/threads/journal-records.js';

const NOW_MICROS = 1_793_613_600_000_000;
const QUOTES: ViewMembers = { topic: 'quotes:AAPL', class: '100ms', format: 'json', tier: 'institutional' };
const TRADES: ViewMembers = { topic: 'trades:AAPL', class: 'event', format: 'msgpack' };

/** Collects like an outlet, and makes the lines of what it collected. */
class Producer {
  readonly emits = new EmitRecorder(new ProducerCells(createJournalCells(1), 0), () => undefined);
  isDiskFull = false;
  readonly #records: string[] = [];
  readonly #rowsBefore: number[] = [];
  readonly #lines = new BatchLines(
    3,
    {
      pseudonym: (kind, text) => {
        if (this.isDiskFull) throw new Error('ENOSPC');
        return `${kind[0]}_${text.length}`;
      },
    },
    () => NOW_MICROS,
  );

  record(record: NewRecord): void {
    this.#records.push(JSON.stringify({ t: NOW_MICROS, ...record }));
    this.#rowsBefore.push(this.emits.count);
    this.emits.cut();
  }

  batch(dropped = 0): JournalBatch {
    const records = this.#records.splice(0);
    return { records, rowsBefore: this.#rowsBefore.splice(0), ...this.emits.take(), dropped, bytes: 0 };
  }

  lines(batch = this.batch()): Record<string, unknown>[] {
    return this.#lines.of(batch).lines.map(line => JSON.parse(line));
  }
}

describe('the lines of a batch (R70)', () => {
  it('R70 hold one emit record for each view and epoch, in the form of the table of kinds', () => {
    const producer = new Producer();
    const { emits } = producer;
    const [quotes, trades] = [emits.view(QUOTES), emits.view(TRADES)];
    emits.beginEpoch(quotes, 'e"1');
    emits.beginEpoch(trades, 't1');
    emits.emitted(quotes, 0, 1, NOW_MICROS + 1);
    emits.emitted(trades, 6, 7, NOW_MICROS + 2);
    emits.emitted(quotes, 1, 2, NOW_MICROS + 3);
    emits.emitted(quotes, 2, 9, NOW_MICROS + 4);
    emits.whole(quotes, 9, NOW_MICROS + 5);
    emits.beginEpoch(quotes, 'e2');
    emits.emitted(quotes, 0, 1, NOW_MICROS + 6);
    const lines = producer.lines();
    const common = { k: 'emit', w: 3, ...QUOTES };
    expect(lines).toEqual([
      {
        t: NOW_MICROS + 3,
        ...common,
        epoch: 'e"1',
        runs: [[0, 2]],
        stepwise: true,
      },
      { t: NOW_MICROS + 4, ...common, epoch: 'e"1', runs: [[2, 9]] },
      { t: NOW_MICROS + 5, ...common, epoch: 'e"1', runs: [[9, 9]], whole: true },
      { t: NOW_MICROS + 6, ...common, epoch: 'e2', runs: [[0, 1]] },
      { t: NOW_MICROS + 2, k: 'emit', w: 3, ...TRADES, epoch: 't1', runs: [[6, 7]] },
    ]);
    for (const { t: _t, k: _k, ...members } of lines) expect(KINDS.emit.schema.parse(members)).toEqual(members);
  });

  it('R70 keep the order of records and of what was published to their topic, over batches too', () => {
    const producer = new Producer();
    const { emits } = producer;
    const [quotes, trades] = [emits.view(QUOTES), emits.view(TRADES)];
    emits.beginEpoch(quotes, 'e1');
    const both = (seq: number) => {
      emits.emitted(quotes, seq - 1, seq, NOW_MICROS);
      emits.emitted(trades, seq - 1, seq, NOW_MICROS);
    };
    both(1);
    producer.record({ k: 'unsubscribed', c: 'c1', topic: 'quotes:AAPL' });
    both(2);
    producer.record({ k: 'fresh', c: 'c1' });
    both(3);
    producer.record({ k: 'closed', c: 'c1', code: 1000, reason: '', by: 'client', buffered: 0 });
    both(4);
    const shown = ({ k, topic, epoch, runs }: Record<string, unknown>) =>
      k === 'emit' ? `${topic} ${epoch} ${JSON.stringify(runs)}` : k;
    expect(producer.lines().map(shown)).toEqual([
      'quotes:AAPL e1 [[0,1]]',
      'unsubscribed',
      'fresh',
      'trades:AAPL  [[0,1],[1,2],[2,3]]',
      'quotes:AAPL e1 [[1,2],[2,3]]',
      'closed',
      'quotes:AAPL e1 [[3,4]]',
      'trades:AAPL  [[3,4]]',
    ]);
    emits.emitted(quotes, 4, 5, NOW_MICROS);
    expect(producer.lines().map(shown)).toEqual(['quotes:AAPL e1 [[4,5]]']);
  });

  it('R70 name no user and no address', () => {
    const producer = new Producer();
    const { emits } = producer;
    const orders = emits.view({ topic: 'orders:alice', class: 'event', format: 'json' });
    emits.emitted(orders, 0, 1, NOW_MICROS);
    producer.record({
      k: 'connected',
      c: 'c1',
      w: 3,
      transport: 'ws',
      endpoint: 'general',
      format: 'json',
      address: '203.0.113.9',
      user: 'alice',
      tier: 'retail',
    });
    const entitlements = ['quotes:*', 'orders:alice', 'orders:*'];
    producer.record({ k: 'authenticated', c: 'c1', user: 'alice', tier: 'retail', by: 'token', entitlements });
    producer.record({ k: 'command', c: 'c1', action: 'subscribe', stream: 'orders', symbols: ['alice', '*'] });
    producer.record({ k: 'refused', what: 'topic', code: 'forbidden', topic: 'orders:alice' });
    const summary = 'the buyer is the seller';
    const evidence = ['c-1', 'orders:alice', 'quotes:A'];
    producer.record({ k: 'alert', alert: { users: ['alice'], summary, figures: {}, evidence } });
    const lines = producer.lines();
    expect(JSON.stringify(lines)).not.toMatch(/alice|203\.0/);
    expect(lines).toMatchObject([
      { k: 'connected', user: 'u_5', address: 'a_11' },
      { k: 'authenticated', user: 'u_5', entitlements: ['quotes:*', 'orders:u_5', 'orders:*'] },
      { k: 'command', symbols: ['u_5', '*'] },
      { k: 'emit', topic: 'orders:u_5' },
      { k: 'refused', topic: 'orders:u_5' },
      {
        k: 'alert',
        alert: {
          users: ['u_5'],
          summary,
          figures: {},
          evidence: ['c-1', 'orders:u_5', 'quotes:A'],
        },
      },
    ]);
  });

  it('R70 are the same when a batch is given again because the disk refused a pseudonym', () => {
    const producer = new Producer();
    const { emits } = producer;
    const orders = emits.view({ topic: 'orders:alice', class: 'event', format: 'json' });
    emits.beginEpoch(orders, 'e1');
    emits.emitted(orders, 0, 1, NOW_MICROS);
    emits.beginEpoch(orders, 'e2');
    emits.emitted(orders, 0, 1, NOW_MICROS);
    const batch = producer.batch(7);
    producer.isDiskFull = true;
    expect(() => producer.lines(batch)).toThrow('ENOSPC');
    producer.isDiskFull = false;
    expect(producer.lines(batch)).toMatchObject([
      { k: 'dropped', w: 3, records: 7 },
      { k: 'emit', epoch: 'e1' },
      { k: 'emit', epoch: 'e2' },
    ]);
  });
});
