/** R61: how much each topic gets from the feed. */
import { describe, expect, it } from 'vitest';
import { TopicRates } from '../../../src/admin/topic-rates.js';
import { noteSeen, type Subject, SubjectTable } from '../../../src/hub/sources/subject-table.js';

function rates() {
  let nowMs = 1_000;
  const table = new SubjectTable(1, () => nowMs);
  const topics = new TopicRates(
    () => table,
    () => nowMs,
  );
  let order = 0;
  return {
    table,
    topics,
    receive: (subject: Subject | undefined, messages: number): void => {
      for (let n = 0; n < messages; n++) noteSeen(subject as Subject, ++order, nowMs);
    },
    pass: (ms: number): void => {
      nowMs += ms;
    },
  };
}

describe('R61 rates of topics', () => {
  it('R61 are unknown until the second measurement, then what arrived between two', async () => {
    const { table, topics, receive, pass } = rates();
    const subject = table.create('quotes', 'AAPL') as Subject;
    await topics.measure();
    expect(topics.of(subject)).toEqual({ rate: null, seenAtMs: null });
    pass(2_000);
    receive(subject, 5);
    await topics.measure();
    expect(topics.of(subject)).toEqual({ rate: 2.5, seenAtMs: 3_000 });
  });

  it('R61 of all trades are those of every symbol together: no message has that subject', async () => {
    const { table, topics, receive, pass } = rates();
    const [aapl, msft, quotes] = [
      table.create('trades', 'A'),
      table.create('trades', 'B'),
      table.create('quotes', 'A'),
    ];
    await topics.measure();
    expect(topics.of(table.allTrades)).toEqual({ rate: null, seenAtMs: null });
    pass(1_000);
    receive(msft, 3);
    pass(1_000);
    receive(aapl, 4);
    receive(quotes, 50);
    await topics.measure();
    expect(topics.of(table.allTrades)).toEqual({ rate: 3.5, seenAtMs: 3_000 });
  });
});
