import { describe, expect, it } from 'vitest';
import { recordsOf } from '../../../src/journal/read.js';
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
      return [...connections];
    };
    expect(await found(0.5, 1.5)).toEqual(['back']);
    expect(await found(1.5, 2.5)).toEqual(['last']);
    expect(await found(2.5, 3.5)).toEqual(['ahead']);
    expect(await found(0, 0.5)).toEqual(['first']);
  });
});
