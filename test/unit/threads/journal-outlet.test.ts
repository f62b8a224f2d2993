import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createJournalCells,
  JOURNAL_BUFFER_BYTES_MAX,
  JournalCells,
  ProducerCells,
} from '../../../src/threads/journal-cells.js';
import { JournalOutlet } from '../../../src/threads/journal-outlet.js';
import type { JournalBatch } from '../../../src/threads/journal-records.js';

const NOW_MICROS = 1_793_613_600_000_000;
const PRODUCER = 1;
const outlets: JournalOutlet[] = [];

afterEach(() => {
  for (const outlet of outlets.splice(0)) outlet.close();
});

function setUp(refuses = true) {
  const cells = createJournalCells(2);
  const { port1, port2 } = new MessageChannel();
  const outlet = new JournalOutlet({ port: port1, cells, refuses }, PRODUCER, () => NOW_MICROS + 0.25);
  outlets.push(outlet);
  return { outlet, port: port2, shared: new JournalCells(cells) };
}

const next = (port: MessagePort) => receiveMessageOnPort(port)?.message as JournalBatch | undefined;
const FRESH = { k: 'fresh', c: 'c1' } as const;

/** Posts so much that no more may wait. */
function fill(outlet: JournalOutlet): void {
  const reason = 'x'.repeat(60 * 1024);
  for (let bytes = 0; bytes < JOURNAL_BUFFER_BYTES_MAX; bytes += reason.length) {
    outlet.record({ k: 'ended', w: 0, reason });
    outlet.flush();
  }
}

describe('the outlet for the journal (R70)', () => {
  it('R70 posts records with their time, and where they stand among the rows', () => {
    const { outlet, port, shared } = setUp();
    const view = outlet.emits.view({ topic: 'quotes:AAPL', class: '16ms', format: 'json' });
    outlet.emits.emitted(view, 0, 1, 1);
    outlet.record(FRESH);
    outlet.emits.emitted(view, 1, 2, 2);
    outlet.record({ k: 'unsubscribed', c: 'c1', topic: 'quotes:AAPL' });
    outlet.flush();
    const batch = next(port);
    expect(batch?.records.map(text => JSON.parse(text))).toEqual([
      { t: NOW_MICROS, ...FRESH },
      { t: NOW_MICROS, k: 'unsubscribed', c: 'c1', topic: 'quotes:AAPL' },
    ]);
    expect(batch).toMatchObject({ rowsBefore: [1, 2], dropped: 0 });
    expect(shared.unwritten(PRODUCER)).toBe(batch?.bytes);
    outlet.flush();
    expect(next(port)).toBeUndefined();
  });

  it('R70 posts by itself, at once when there is much', async () => {
    const { outlet, port } = setUp();
    outlet.record(FRESH);
    const batch = await new Promise(resolve => port.once('message', resolve));
    expect(batch).toMatchObject({ rowsBefore: [0] });
    port.close();
    const { outlet: full, port: other } = setUp();
    for (let i = 0; i < 70; i++) full.record({ k: 'ended', w: 0, reason: 'x'.repeat(1000) });
    expect(next(other)?.records.length).toBeGreaterThan(60);
  });

  it('R70 drops what the journal cannot take, refuses newcomers, and tells it how much once it can', () => {
    const { outlet, port, shared } = setUp();
    fill(outlet);
    expect(outlet.isRefusing).toBe(true);
    expect(shared.isDropping).toBe(true);
    outlet.record(FRESH);
    outlet.flush();
    const posted: JournalBatch[] = [];
    for (let batch = next(port); batch !== undefined; batch = next(port)) posted.push(batch);
    const records = posted.reduce((sum, batch) => sum + batch.records.length, 0);
    for (const { bytes, records: some } of posted) shared.written(PRODUCER, bytes, some.length);
    expect(shared.unwritten(PRODUCER)).toBe(0);
    outlet.flush();
    const lost = next(port);
    expect(lost?.records).toEqual([]);
    expect(lost?.dropped).toBeGreaterThan(1);
    expect(shared.dropped).toBe(lost?.dropped);
    expect(records).toBeGreaterThan(100);
    expect([outlet.isRefusing, shared.isDropping]).toEqual([false, false]);
  });

  it('R70 serves on where the operator says so', () => {
    const { outlet, shared } = setUp(false);
    shared.setFailing(true);
    expect(outlet.isRefusing).toBe(false);
    const { outlet: strict, shared: others } = setUp(true);
    others.setFailing(true);
    expect(strict.isRefusing).toBe(true);
  });

  it('R70 counts what a dead journal thread had not written as dropped, and defines its views again', () => {
    const { outlet, shared } = setUp();
    const view = outlet.emits.view({ topic: 'quotes:AAPL', class: '16ms', format: 'json' });
    outlet.emits.emitted(view, 0, 1, 1);
    outlet.record(FRESH);
    outlet.flush();
    const { port1, port2 } = new MessageChannel();
    outlet.attach(port1);
    outlet.emits.emitted(view, 1, 2, 2);
    outlet.flush();
    const batch = next(port2);
    expect(batch).toMatchObject({ dropped: 2, views: [[view, { topic: 'quotes:AAPL' }]] });
    expect(shared.unwritten(PRODUCER)).toBe(batch?.bytes);
    expect(shared.dropped).toBe(2);
  });

  it('R70 leaves to main to count what it had collected when it died', () => {
    const { outlet, shared } = setUp();
    const view = outlet.emits.view({ topic: 'quotes:AAPL', class: '16ms', format: 'json' });
    outlet.record(FRESH);
    outlet.emits.emitted(view, 0, 1, 1);
    outlet.emits.emitted(view, 3, 4, 1);
    expect(shared.forgetCollected(PRODUCER)).toBe(3);
    expect(shared.forgetCollected(PRODUCER)).toBe(0);
  });

  it('R70 counts what is dropped beyond the range of a cell', () => {
    const cells = createJournalCells(2);
    const [shared, producer] = [new JournalCells(cells), new ProducerCells(cells, PRODUCER)];
    for (let i = 1; i <= 3; i++) {
      producer.dropped(2 ** 31 - 1);
      expect(shared.dropped).toBe(i * (2 ** 31 - 1));
    }
  });
});
