import { afterEach, beforeEach, expect, it } from 'vitest';
import { newFeedMessage } from '../../../../src/feed/feed.js';
import type { HubMessage } from '../../../../src/hub/hub-feed.js';
import { PublisherEpochs } from '../../../../src/hub/sources/publisher-epochs.js';
import { SourceTable } from '../../../../src/hub/sources/source-table.js';

let table: SourceTable;
let epochs: PublisherEpochs;
let taken: string[];

beforeEach(() => {
  table = new SourceTable(1, () => 0);
  taken = [];
  epochs = new PublisherEpochs((source, { seq }, epoch) => {
    if (epoch === source.epoch && seq <= source.seq) return;
    source.epoch = epoch;
    source.seq = seq;
    taken.push(`${epoch} ${seq}`);
  });
});

afterEach(() => epochs.close());

function sourceOf(subject: string) {
  const source = table.find(subject) ?? table.create('trades', subject.slice('md.trades.'.length));
  if (source === undefined) throw new Error(`no source of ${subject}`);
  return source;
}

function put(seq: number, content: number, subject = 'md.trades.A'): void {
  const m = { ...newFeedMessage(), subject, seq, epoch: 'e', contiguous: true, payload: new Uint8Array([content]) };
  epochs.receive(sourceOf(subject), m as HubMessage);
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
  let source = sourceOf('md.trades.A');
  epochs.dropped(source);
  table.drop(source);
  put(3, 4);
  source = sourceOf('md.trades.A');
  epochs.dropped(source);
  table.drop(source);
  put(1, 5);
  expect(taken).toEqual(['e 1', 'e~2 1', 'e~2 2', 'e~2 3', 'e~3 1']);
});
