import { afterEach, beforeEach, expect, it } from 'vitest';
import { newFeedMessage } from '../../../../src/feed-contract/feed.js';
import type { HubMessage } from '../../../../src/hub/hub-feed.js';
import { PublisherEpochs } from '../../../../src/hub/sources/publisher-epochs.js';
import { SubjectTable } from '../../../../src/hub/sources/subject-table.js';

let table: SubjectTable;
let epochs: PublisherEpochs;
let taken: string[];

beforeEach(() => {
  table = new SubjectTable(1, () => 0);
  taken = [];
  epochs = new PublisherEpochs((subject, { seq }, epoch) => {
    if (epoch === subject.epoch && seq <= subject.seq) return;
    subject.epoch = epoch;
    subject.seq = seq;
    taken.push(`${epoch} ${seq}`);
  });
});

afterEach(() => epochs.close());

function subjectOf(name: string) {
  const subject = table.find(name) ?? table.create('trades', name.slice('md.trades.'.length));
  if (subject === undefined) throw new Error(`no subject ${name}`);
  return subject;
}

function put(seq: number, content: number, subject = 'md.trades.A'): void {
  const m = { ...newFeedMessage(), subject, seq, epoch: 'e', contiguous: true, payload: new Uint8Array([content]) };
  epochs.receive(subjectOf(subject), m as HubMessage);
}

it('D7: a publisher that restarts behind its first message is recognised, a copy of that is none', () => {
  put(1, 1);
  put(1, 1);
  put(1, 2);
  put(2, 3);
  expect(taken).toEqual(['e 1', 'e~2 1', 'e~2 2']);
});

it('K13: a subject that was forgotten does not count again in what its publisher had ended, nor where it begins again', () => {
  put(1, 1);
  put(1, 2);
  put(2, 3);
  let subject = subjectOf('md.trades.A');
  epochs.dropped(subject);
  table.drop(subject);
  put(3, 4);
  subject = subjectOf('md.trades.A');
  epochs.dropped(subject);
  table.drop(subject);
  put(1, 5);
  expect(taken).toEqual(['e 1', 'e~2 1', 'e~2 2', 'e~2 3', 'e~3 1']);
});
