import { describe, expect, it } from 'vitest';
import { EMPTY_CHAIN } from '../../../src/journal/block-chain.js';
import { recordsOf } from '../../../src/journal/read.js';
import { verifyJournal } from '../../../src/journal/verify.js';
import { START_MICROS, WrittenJournal } from '../../support/journal/written.js';

const HOUR_MICROS = 3_600_000_000;

describe('the records of a period (R70)', () => {
  it('are found although the clock was set back between segments', async () => {
    const journal = new WrittenJournal();
    for (const [hours, c] of [
      [0, 'first'],
      [3, 'ahead'],
      [1, 'back'],
      [2, 'last'],
    ] as const) {
      journal.nowMicros = START_MICROS + hours * HOUR_MICROS;
      const writer = await journal.writer();
      journal.blocks(writer, 1, c);
      await writer.close();
    }
    const found = async (fromHours: number, toHours: number) => {
      const connections = new Set<unknown>();
      const period = { from: START_MICROS + fromHours * HOUR_MICROS, to: START_MICROS + toHours * HOUR_MICROS };
      for await (const { record } of recordsOf(journal.folder, period)) connections.add(record.c);
      connections.delete(undefined);
      return [...connections];
    };
    expect(await found(0.5, 1.5)).toEqual(['back']);
    expect(await found(1.5, 2.5)).toEqual(['last']);
    expect(await found(2.5, 3.5)).toEqual(['ahead']);
    expect(await found(0, 0.5)).toEqual(['first']);
  });

  it.each([
    ['the clock was set back within a segment', -2],
    ['they waited for the disk', 2],
  ])('are found although %s', async (_, hours) => {
    const journal = new WrittenJournal();
    const first = await journal.writer({ segmentBytesMax: 1e9 });
    journal.blocks(first, 1, 'before');
    const isBack = hours < 0;
    const t = START_MICROS + hours * HOUR_MICROS;
    if (isBack) journal.nowMicros = t;
    else journal.nowMicros = t + HOUR_MICROS;
    first.write(JSON.stringify({ t, c: 'moved', k: 'command' }));
    first.flush();
    await first.close();
    journal.nowMicros += HOUR_MICROS;
    const second = await journal.writer();
    if (!isBack) second.write(JSON.stringify({ t: START_MICROS + HOUR_MICROS, c: 'waited', k: 'command' }));
    journal.blocks(second, 1, 'after');
    await second.close();
    const third = await journal.writer();
    journal.blocks(third, 1, 'last');
    await third.close();
    const found = async (at: number) => {
      const all: unknown[] = [];
      const period = { from: at - 1000, to: at + 1000 };
      for await (const { record } of recordsOf(journal.folder, period)) if (record.k === 'command') all.push(record.c);
      return all;
    };
    expect(await found(START_MICROS)).toContain('before');
    expect(await found(t)).toEqual(['moved']);
    expect(await found(START_MICROS + HOUR_MICROS)).toEqual(isBack ? [] : ['waited']);
    expect(
      (await verifyJournal({ folder: journal.folder, start: EMPTY_CHAIN, notes: [], key: undefined })).faults,
    ).toEqual([]);
  });
});
