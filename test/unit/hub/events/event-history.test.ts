import { beforeEach, describe, expect, it } from 'vitest';
import { EventHistory, UNKNOWN_SEQ } from '../../../../src/hub/events/event-history.js';
import { type Subject, SubjectTable } from '../../../../src/hub/sources/subject-table.js';

/** A record's header in the buffer. */
const HEADER_BYTES = 48;
const MAX = 1000;

let table: SubjectTable;

beforeEach(() => {
  table = new SubjectTable(1, () => 0);
});

function newSubject(symbol: string): Subject {
  const subject = table.create('trades', symbol);
  if (subject === undefined) throw new Error('the table is full');
  return subject;
}

/** Adds the subject's next message, which follows the one before it; its payload says which it is. */
function add(history: EventHistory, subject: Subject, bytes = 16, prevSeq = subject.seq): void {
  const seq = subject.seq + 1;
  const payload = new Uint8Array(bytes).fill(seq);
  history.add(subject, payload, seq, prevSeq, seq * 10);
  subject.seq = seq;
}

/** Sequences behind a place, as they can be read; undefined when not all of them can. */
function seqsAfter(history: EventHistory, subject: Subject, seq: number, max = MAX): number[] | undefined {
  return history.placesAfter(subject, seq, max)?.map(place => {
    const message = history.read(place);
    expect(message?.payload.every(byte => byte === (message.seq & 0xff))).toBe(true);
    return message?.seq ?? -1;
  });
}

describe('R29 history of events', () => {
  it('R29 gives back what came behind a place, oldest first, each as it was published', () => {
    const history = new EventHistory(4096);
    const subject = newSubject('A');
    for (let i = 0; i < 5; i++) add(history, subject, i + 1);
    expect(seqsAfter(history, subject, 2)).toEqual([3, 4, 5]);
    expect(seqsAfter(history, subject, 0)).toEqual([1, 2, 3, 4, 5]);
    const [place = -1] = history.placesAfter(subject, 2, MAX) ?? [];
    expect(history.read(place)).toEqual({ seq: 3, tsEventMicros: 30, payload: new Uint8Array([3, 3, 3]) });
  });

  it('R29 says that nothing was missed of a subject that stands where the client does, or before it', () => {
    const history = new EventHistory(4096);
    const subject = newSubject('A');
    expect(seqsAfter(history, subject, 0)).toEqual([]);
    add(history, subject);
    expect(seqsAfter(history, subject, 1)).toEqual([]);
    expect(seqsAfter(history, subject, 7)).toEqual([]);
  });

  it('R29 keeps the messages of many subjects apart', () => {
    const history = new EventHistory(16 * 1024);
    const [a, b] = [newSubject('A'), newSubject('B')];
    for (let i = 0; i < 6; i++) {
      add(history, a);
      if (i % 2 === 0) add(history, b);
    }
    expect(seqsAfter(history, a, 3)).toEqual([4, 5, 6]);
    expect(seqsAfter(history, b, 1)).toEqual([2, 3]);
  });

  it('R29 leaves out none: where one has left the buffer, nothing is given', () => {
    const history = new EventHistory(4 * (HEADER_BYTES + 16));
    const subject = newSubject('A');
    for (let i = 0; i < 7; i++) add(history, subject);
    expect(seqsAfter(history, subject, 3)).toEqual([4, 5, 6, 7]);
    expect(seqsAfter(history, subject, 2)).toBeUndefined();
  });

  it('R29 holds the newest messages however often the buffer has wrapped around', () => {
    const history = new EventHistory(1000);
    const subject = newSubject('A');
    for (let i = 0; i < 500; i++) {
      // Lengths that never fill the buffer's end exactly.
      add(history, subject, 1 + ((i * 37) % 90));
      let held = 0;
      while (seqsAfter(history, subject, subject.seq - held - 1) !== undefined && held < subject.seq) held++;
      expect(held).toBeGreaterThanOrEqual(Math.min(subject.seq, 5));
      expect(seqsAfter(history, subject, subject.seq - held)).toHaveLength(held);
    }
  });

  it('R29 a quiet subject’s messages are evicted by a busy one’s', () => {
    const history = new EventHistory(1024);
    const [quiet, busy] = [newSubject('A'), newSubject('B')];
    add(history, quiet);
    for (let i = 0; i < 100; i++) add(history, busy);
    expect(seqsAfter(history, quiet, 0)).toBeUndefined();
    expect(seqsAfter(history, quiet, 1)).toEqual([]);
  });

  it('R29 leads past no message that is longer than the buffer', () => {
    const history = new EventHistory(1024);
    const subject = newSubject('A');
    add(history, subject);
    add(history, subject, 2000);
    add(history, subject);
    expect(seqsAfter(history, subject, 2)).toEqual([3]);
    expect(seqsAfter(history, subject, 1)).toBeUndefined();
    expect(seqsAfter(history, subject, 0)).toBeUndefined();
  });

  it('R29 leads past no place where the publisher’s messages may be missing', () => {
    const history = new EventHistory(4096);
    const subject = newSubject('A');
    add(history, subject);
    add(history, subject);
    subject.seq++;
    add(history, subject, 16, UNKNOWN_SEQ);
    add(history, subject);
    expect(seqsAfter(history, subject, 4)).toEqual([5]);
    expect(seqsAfter(history, subject, 3)).toBeUndefined();
    expect(seqsAfter(history, subject, 2)).toBeUndefined();
  });

  it('R29 asks for no more than is wanted at most', () => {
    const history = new EventHistory(64 * 1024);
    const subject = newSubject('A');
    for (let i = 0; i < 10; i++) add(history, subject);
    expect(seqsAfter(history, subject, 4, 6)).toHaveLength(6);
    expect(seqsAfter(history, subject, 3, 6)).toBeUndefined();
  });

  it('R29 keeps nothing where no memory is given to it', () => {
    const history = new EventHistory(0);
    const subject = newSubject('A');
    add(history, subject);
    expect(seqsAfter(history, subject, 0)).toBeUndefined();
    expect(seqsAfter(history, subject, 1)).toEqual([]);
  });

  it('R29 reads nothing from a place that was written over', () => {
    const history = new EventHistory(1024);
    const subject = newSubject('A');
    add(history, subject);
    const [place = -1] = history.placesAfter(subject, 0, MAX) ?? [];
    expect(history.read(place)?.seq).toBe(1);
    for (let i = 0; i < 20; i++) add(history, subject);
    expect(history.read(place)).toBeUndefined();
    expect(history.read(-1)).toBeUndefined();
  });
});
