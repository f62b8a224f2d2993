import { describe, expect, it } from 'vitest';
import { EmitRecorder } from '../../../src/threads/emit-recorder.js';
import { createJournalCells, ProducerCells } from '../../../src/threads/journal-cells.js';
import { EMIT_ROW_FIELDS, EmitRow, type ViewMembers, WHOLE } from '../../../src/threads/journal-records.js';

const QUOTES: ViewMembers = { topic: 'quotes:AAPL', class: '100ms', format: 'json' };
const TRADES: ViewMembers = { topic: 'trades:AAPL', class: 'event', format: 'msgpack', tier: 'institutional' };

function setUp() {
  const full: number[] = [];
  const recorder = new EmitRecorder(new ProducerCells(createJournalCells(1), 0), () => {
    full.push(recorder.take().rows.length / EMIT_ROW_FIELDS);
  });
  return { recorder, full };
}

/** Rows as `view epoch prev-seq xmessages @micros`. */
function rowsOf(rows: Float64Array): string[] {
  return Array.from({ length: rows.length / EMIT_ROW_FIELDS }, (_, row) => {
    const field = (name: keyof typeof EmitRow) => rows[row * EMIT_ROW_FIELDS + EmitRow[name]];
    return `${field('view')} ${field('epoch')} ${field('prev')}-${field('seq')} x${field('messages')} @${field('micros')}`;
  });
}

describe('the recorder of published messages (R70)', () => {
  it('R70 joins single steps of a view into one row, whatever other views publish between them', () => {
    const { recorder } = setUp();
    const [quotes, trades] = [recorder.view(QUOTES), recorder.view(TRADES)];
    recorder.beginEpoch(quotes, 'e1');
    recorder.beginEpoch(trades, 't1');
    for (let seq = 1; seq <= 3; seq++) {
      recorder.emitted(quotes, seq - 1, seq, 100 + seq);
      recorder.emitted(trades, seq + 6, seq + 7, 200 + seq);
    }
    const { rows, views, epochs } = recorder.take();
    expect(rowsOf(rows)).toEqual(['0 1 0-3 x3 @103', '1 2 7-10 x3 @203']);
    expect(views).toEqual([
      [0, QUOTES],
      [1, TRADES],
    ]);
    expect(epochs).toEqual([
      [0, 1, 'e1'],
      [1, 2, 't1'],
    ]);
    expect(recorder.take()).toMatchObject({ views: [], epochs: [] });
  });

  it('R70 keeps steps over several sequences, gaps, whole documents and new epochs apart', () => {
    const { recorder } = setUp();
    const view = recorder.view(QUOTES);
    recorder.emitted(view, 1, 4, 1);
    recorder.emitted(view, 4, 5, 2);
    recorder.emitted(view, 5, 6, 3);
    recorder.emitted(view, 9, 10, 4);
    recorder.whole(view, 10, 5);
    recorder.emitted(view, 10, 11, 6);
    recorder.beginEpoch(view, 'e2');
    recorder.emitted(view, 11, 12, 7);
    recorder.beginEpoch(view, 'e2');
    recorder.emitted(view, 12, 13, 8);
    expect(rowsOf(recorder.take().rows)).toEqual([
      '0 0 1-4 x1 @1',
      '0 0 4-6 x2 @3',
      '0 0 9-10 x1 @4',
      `0 0 ${WHOLE}-10 x1 @5`,
      '0 0 10-11 x1 @6',
      '0 1 11-13 x2 @8',
    ]);
  });

  it('R70 extends no row over a cut, or over a take', () => {
    const { recorder } = setUp();
    const view = recorder.view(QUOTES);
    recorder.emitted(view, 0, 1, 1);
    recorder.cut();
    recorder.emitted(view, 1, 2, 2);
    expect(rowsOf(recorder.take().rows)).toEqual(['0 0 0-1 x1 @1', '0 0 1-2 x1 @2']);
    recorder.emitted(view, 2, 3, 3);
    expect(rowsOf(recorder.take().rows)).toEqual(['0 0 2-3 x1 @3']);
  });

  it('R70 gives the number of a released view away only once its rows are taken', () => {
    const { recorder } = setUp();
    const first = recorder.view(QUOTES);
    recorder.emitted(first, 0, 1, 1);
    recorder.release(first);
    expect(recorder.view(TRADES)).not.toBe(first);
    recorder.take();
    const reused = recorder.view(TRADES);
    expect(reused).toBe(first);
    recorder.emitted(reused, 0, 1, 2);
    expect(recorder.take().views).toEqual([[first, TRADES]]);
  });

  it('R70 hands its rows over when it is full, and has room for any number of views', () => {
    const { recorder, full } = setUp();
    const views = Array.from({ length: 1000 }, () => recorder.view(QUOTES));
    for (let seq = 0; seq < 20; seq++) for (const view of views) recorder.emitted(view, seq * 2, seq * 2 + 2, seq);
    expect(full).toEqual([16_384]);
    expect(recorder.count).toBe(20_000 - 16_384);
  });

  it('R70 announces all views and their epochs again to another journal thread', () => {
    const { recorder } = setUp();
    const [quotes, trades] = [recorder.view(QUOTES), recorder.view(TRADES)];
    recorder.beginEpoch(quotes, 'e1');
    recorder.release(trades);
    recorder.take();
    recorder.announceAll();
    const { views, epochs } = recorder.take();
    expect(views).toEqual([[quotes, QUOTES]]);
    expect(epochs).toEqual([[quotes, 1, 'e1']]);
  });

  it('R70 names to a new journal thread each view and epoch that rows have, also those that have ended since', () => {
    const { recorder } = setUp();
    const [quotes, trades] = [recorder.view(QUOTES), recorder.view(TRADES)];
    recorder.beginEpoch(quotes, 'e1');
    recorder.take();
    recorder.emitted(quotes, 0, 1, 1);
    recorder.emitted(trades, 0, 1, 1);
    recorder.beginEpoch(quotes, 'e2');
    recorder.emitted(quotes, 1, 2, 1);
    recorder.release(trades);
    recorder.announceAll();
    const { rows, views, epochs } = recorder.take();
    expect(rowsOf(rows)).toEqual(['0 1 0-1 x1 @1', '1 0 0-1 x1 @1', '0 2 1-2 x1 @1']);
    expect(views).toEqual([
      [quotes, QUOTES],
      [trades, TRADES],
    ]);
    expect(new Set(epochs.map(String))).toEqual(new Set(['0,1,e1', '0,2,e2']));
    expect(epochs.at(-1)).toEqual([quotes, 2, 'e2']);
    expect(recorder.view(TRADES)).toBe(trades);
  });

  it('R70 keeps nothing of views that come and go while rows are dropped, and then defines those that are left', () => {
    const { recorder } = setUp();
    const kept = recorder.view(QUOTES);
    recorder.beginEpoch(kept, 'e1');
    for (let i = 0; i < 1_000; i++) {
      const view = recorder.view(TRADES);
      recorder.beginEpoch(view, `t${i}`);
      recorder.emitted(view, 0, 1, 1);
      recorder.release(view);
      recorder.discard();
      expect(view).toBe(1);
    }
    recorder.emitted(kept, 0, 1, 1);
    const { rows, views, epochs } = recorder.take();
    expect(rowsOf(rows)).toEqual(['0 1 0-1 x1 @1']);
    expect(views).toEqual([[kept, QUOTES]]);
    expect(epochs).toEqual([[kept, 1, 'e1']]);
  });
});
