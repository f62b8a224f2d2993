import { beforeEach, describe, expect, it } from 'vitest';
import { EventHistory, UNKNOWN_SEQ } from '../../../../src/hub/events/event-history.js';
import { type Source, SourceTable } from '../../../../src/hub/sources/source-table.js';

/** A record's header in the buffer. */
const HEADER_BYTES = 48;
const MAX = 1000;

let table: SourceTable;

beforeEach(() => {
  table = new SourceTable(1, () => 0);
});

function newSource(symbol: string): Source {
  const source = table.create('trades', symbol);
  if (source === undefined) throw new Error('the table is full');
  return source;
}

/** Adds the source's next message, which follows the one before it; its payload says which it is. */
function add(history: EventHistory, source: Source, bytes = 16, prevSeq = source.seq): void {
  const seq = source.seq + 1;
  const payload = new Uint8Array(bytes).fill(seq);
  history.add(source, payload, seq, prevSeq, seq * 10);
  source.seq = seq;
}

/** Sequences behind a place, as they can be read; undefined when not all of them can. */
function seqsAfter(history: EventHistory, source: Source, seq: number, max = MAX): number[] | undefined {
  return history.placesAfter(source, seq, max)?.map(place => {
    const message = history.read(place);
    expect(message?.payload.every(byte => byte === (message.seq & 0xff))).toBe(true);
    return message?.seq ?? -1;
  });
}

describe('R29 history of events', () => {
  it('R29 gives back what came behind a place, oldest first, each as it was published', () => {
    const history = new EventHistory(4096);
    const source = newSource('A');
    for (let i = 0; i < 5; i++) add(history, source, i + 1);
    expect(seqsAfter(history, source, 2)).toEqual([3, 4, 5]);
    expect(seqsAfter(history, source, 0)).toEqual([1, 2, 3, 4, 5]);
    const [place = -1] = history.placesAfter(source, 2, MAX) ?? [];
    expect(history.read(place)).toEqual({ seq: 3, tsEventMicros: 30, payload: new Uint8Array([3, 3, 3]) });
  });

  it('R29 says that nothing was missed of a source that stands where the client does, or before it', () => {
    const history = new EventHistory(4096);
    const source = newSource('A');
    expect(seqsAfter(history, source, 0)).toEqual([]);
    add(history, source);
    expect(seqsAfter(history, source, 1)).toEqual([]);
    expect(seqsAfter(history, source, 7)).toEqual([]);
  });

  it('R29 keeps the messages of many sources apart', () => {
    const history = new EventHistory(16 * 1024);
    const [a, b] = [newSource('A'), newSource('B')];
    for (let i = 0; i < 6; i++) {
      add(history, a);
      if (i % 2 === 0) add(history, b);
    }
    expect(seqsAfter(history, a, 3)).toEqual([4, 5, 6]);
    expect(seqsAfter(history, b, 1)).toEqual([2, 3]);
  });

  it('R29 leaves out none: where one has left the buffer, nothing is given', () => {
    const history = new EventHistory(4 * (HEADER_BYTES + 16));
    const source = newSource('A');
    for (let i = 0; i < 7; i++) add(history, source);
    expect(seqsAfter(history, source, 3)).toEqual([4, 5, 6, 7]);
    expect(seqsAfter(history, source, 2)).toBeUndefined();
  });

  it('R29 holds the newest messages however often the buffer has wrapped around', () => {
    const history = new EventHistory(1000);
    const source = newSource('A');
    for (let i = 0; i < 500; i++) {
      // Lengths that never fill the buffer's end exactly.
      add(history, source, 1 + ((i * 37) % 90));
      let held = 0;
      while (seqsAfter(history, source, source.seq - held - 1) !== undefined && held < source.seq) held++;
      expect(held).toBeGreaterThanOrEqual(Math.min(source.seq, 5));
      expect(seqsAfter(history, source, source.seq - held)).toHaveLength(held);
    }
  });

  it('R29 a quiet source’s messages are evicted by a busy one’s', () => {
    const history = new EventHistory(1024);
    const [quiet, busy] = [newSource('A'), newSource('B')];
    add(history, quiet);
    for (let i = 0; i < 100; i++) add(history, busy);
    expect(seqsAfter(history, quiet, 0)).toBeUndefined();
    expect(seqsAfter(history, quiet, 1)).toEqual([]);
  });

  it('R29 leads past no message that is longer than the buffer', () => {
    const history = new EventHistory(1024);
    const source = newSource('A');
    add(history, source);
    add(history, source, 2000);
    add(history, source);
    expect(seqsAfter(history, source, 2)).toEqual([3]);
    expect(seqsAfter(history, source, 1)).toBeUndefined();
    expect(seqsAfter(history, source, 0)).toBeUndefined();
  });

  it('R29 leads past no place where the publisher’s messages may be missing', () => {
    const history = new EventHistory(4096);
    const source = newSource('A');
    add(history, source);
    add(history, source);
    source.seq++;
    add(history, source, 16, UNKNOWN_SEQ);
    add(history, source);
    expect(seqsAfter(history, source, 4)).toEqual([5]);
    expect(seqsAfter(history, source, 3)).toBeUndefined();
    expect(seqsAfter(history, source, 2)).toBeUndefined();
  });

  it('R29 asks for no more than is wanted at most', () => {
    const history = new EventHistory(64 * 1024);
    const source = newSource('A');
    for (let i = 0; i < 10; i++) add(history, source);
    expect(seqsAfter(history, source, 4, 6)).toHaveLength(6);
    expect(seqsAfter(history, source, 3, 6)).toBeUndefined();
  });

  it('R29 keeps nothing where no memory is given to it', () => {
    const history = new EventHistory(0);
    const source = newSource('A');
    add(history, source);
    expect(seqsAfter(history, source, 0)).toBeUndefined();
    expect(seqsAfter(history, source, 1)).toEqual([]);
  });

  it('R29 reads nothing from a place that was written over', () => {
    const history = new EventHistory(1024);
    const source = newSource('A');
    add(history, source);
    const [place = -1] = history.placesAfter(source, 0, MAX) ?? [];
    expect(history.read(place)?.seq).toBe(1);
    for (let i = 0; i < 20; i++) add(history, source);
    expect(history.read(place)).toBeUndefined();
    expect(history.read(-1)).toBeUndefined();
  });
});
