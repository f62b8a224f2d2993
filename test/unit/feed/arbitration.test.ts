import { beforeEach, describe, expect, it } from 'vitest';
import { Arbiter } from '../../../src/feed/arbitration.js';
import { LAG_MS_MAX, LAG_MS_UNKNOWN } from '../../../src/feed/line-lags.js';
import { newFeedMessage } from '../../../src/feed-contract/feed.js';

const [A, B] = [0, 1] as const;

let nowMs: number;
let live: [boolean, boolean];
let active: 0 | 1;
let taken: string[];
let arbiter: Arbiter;

beforeEach(() => {
  nowMs = 1_000_000;
  live = [true, true];
  active = A;
  taken = [];
  arbiter = new Arbiter({
    nowMs: () => nowMs,
    isLive: line => live[line],
    deliver: ({ epoch, seq }) => taken.push(`${epoch}/${seq}`),
    aheadBytesMax: 1_000,
  });
});

function put(line: 0 | 1, seq: number, epoch = 'e', bytes = 1, content = 0): string {
  const m = {
    ...newFeedMessage(),
    subject: 'md.trades.A',
    payload: new Uint8Array(bytes).fill(content),
    seq,
    epoch,
    contiguous: true,
  };
  return arbiter.received(line, m, line === active);
}

function passes(ms: number): void {
  nowMs += ms;
  arbiter.maintain();
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `e/${from + i}`);

it('D7 a publisher that begins again behind one message begins a life, and the copy of the other line does not', () => {
  expect([put(A, 1, 'e', 1, 1), put(B, 1, 'e', 1, 1)]).toEqual(['taken', 'duplicate']);
  expect([put(A, 1, 'e', 1, 2), put(B, 1, 'e', 1, 2)]).toEqual(['taken', 'duplicate']);
  expect([put(A, 1, 'e', 1, 2), put(A, 2), put(B, 2)]).toEqual(['duplicate', 'taken', 'duplicate']);
  expect(taken).toEqual(['e/1', 'e/1', 'e/2']);
});

describe('K7 a later line', () => {
  /** Both bring 1–10, B 400 ms later. */
  beforeEach(() => {
    for (let seq = 1; seq <= 10; seq++) put(A, seq);
    nowMs += 400;
    for (let seq = 1; seq <= 10; seq++) put(B, seq);
    put(A, 11);
    nowMs += 400;
    put(B, 11);
    taken = [];
  });

  it('K7: fills a hole of the other one: what is behind the hole waits for it', () => {
    put(A, 12);
    put(A, 15);
    put(A, 16);
    expect(taken).toEqual(range(12, 12));
    passes(390);
    for (let seq = 12; seq <= 15; seq++) put(B, seq);
    expect(taken).toEqual(range(12, 16));
    expect(put(B, 16)).toBe('duplicate');
  });

  it('K7: is waited for about twice as long as it was late, and no longer', () => {
    put(A, 15);
    passes(800);
    expect(taken).toEqual([]);
    passes(100);
    expect(taken).toEqual(range(15, 15));
    expect(put(B, 12)).toBe('duplicate');
  });

  it('K7: is not waited for when it is past the hole itself, has never brought the subject, or is lost', () => {
    put(B, 14);
    put(A, 15);
    expect(taken).toEqual(range(14, 15));
    put(A, 18);
    expect(taken).toEqual(range(14, 15));
    live[B] = false;
    arbiter.maintain();
    expect(taken).toEqual([...range(14, 15), 'e/18']);
    put(A, 21);
    expect(taken.at(-1)).toBe('e/21');
  });

  it('K7: three flaps of the primary leave no hole that the backup fills', () => {
    let seq = 11;
    const bringB: { readonly seq: number; readonly atMs: number }[] = [];
    let isUp = true;
    for (let step = 0; step < 300; step++) {
      // Each flap is 300 ms, and the backup is read for the half of the time.
      if (step % 100 === 30 || step % 100 === 60) isUp = !isUp;
      if (step % 100 === 30) live[A] = false;
      if (step % 100 === 45) active = B;
      if (step % 100 === 60) {
        live[A] = true;
        arbiter.reconnected(A);
      }
      if (step % 100 === 75) active = A;
      seq++;
      if (isUp) put(A, seq);
      bringB.push({ seq, atMs: nowMs + 400 });
      while ((bringB[0]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) put(B, bringB.shift()?.seq ?? 0);
      passes(10);
    }
    for (const { seq: late } of bringB) put(B, late);
    expect(taken).toEqual(range(12, seq));
  });

  it('K7: a bounded number of bytes waits: beyond it there is a hole', () => {
    put(A, 15, 'e', 600);
    put(A, 16, 'e', 600);
    expect(taken).toEqual(range(15, 16));
  });
});

it('K7: while no lag is known, a line is waited for a second', () => {
  put(A, 1);
  nowMs += 1;
  put(B, 1);
  taken = [];
  const other = new Arbiter({ nowMs: () => nowMs, isLive: () => true, deliver: ({ seq }) => taken.push(String(seq)) });
  const message = (seq: number) => ({ ...newFeedMessage(), subject: 's', seq, epoch: 'e', contiguous: true });
  other.received(A, message(1), true);
  other.received(B, message(1), false);
  other.received(A, message(4), true);
  nowMs += LAG_MS_UNKNOWN - 1;
  other.maintain();
  expect(taken).toEqual(['1']);
  nowMs += 1;
  other.maintain();
  expect(taken).toEqual(['1', '4']);
});

describe('D7 a publisher that restarts with 1 in the same epoch', () => {
  beforeEach(() => {
    for (let seq = 998; seq <= 1_000; seq++) put(A, seq);
    put(B, 998);
    taken = [];
  });

  it('D7: is recognised on the line that shows it; late copies of the other line stay duplicates', () => {
    put(A, 1);
    put(A, 2);
    expect([put(B, 999), put(B, 1_000)]).toEqual(['duplicate', 'duplicate']);
    put(A, 3);
    expect([put(B, 1), put(B, 2)]).toEqual(['duplicate', 'duplicate']);
    expect(taken).toEqual(range(1, 3));
    // The second life is one for both lines.
    put(B, 3);
    put(B, 4);
    expect(put(A, 4)).toBe('duplicate');
    put(A, 5);
    expect(taken).toEqual(range(1, 5));
  });

  it('D7: may be shown by the standby first', () => {
    put(B, 999);
    put(B, 1);
    put(B, 2);
    expect([put(A, 1), put(A, 2), put(A, 3)]).toEqual(['duplicate', 'duplicate', 'taken']);
    expect(taken).toEqual(range(1, 3));
  });

  it('D7: twice, before the other line has shown it once', () => {
    put(A, 1);
    put(A, 2);
    put(A, 1);
    put(A, 2);
    for (const seq of [999, 1_000, 1, 2]) expect(put(B, seq)).toBe('duplicate');
    for (const seq of [1, 2]) expect(put(B, seq)).toBe('duplicate');
    put(B, 3);
    expect(taken).toEqual(['e/1', 'e/2', 'e/1', 'e/2', 'e/3']);
  });

  it('D7: a line that was away when it happened takes part in the new life', () => {
    live[B] = false;
    put(A, 1);
    put(A, 2);
    live[B] = true;
    arbiter.reconnected(B);
    put(B, 3);
    expect(put(A, 3)).toBe('duplicate');
    expect(taken).toEqual(range(1, 3));
  });

  it('D7: a Seq that falls back to more than 1, or 1 that is a second copy, is a duplicate', () => {
    expect(put(A, 5)).toBe('duplicate');
    put(A, 1_001);
    expect(taken).toEqual(range(1_001, 1_001));
  });

  it('D7: late copies of the epoch before are duplicates too, also of the line that is read', () => {
    put(A, 1, 'f');
    active = B;
    expect([put(B, 999), put(B, 1_000)]).toEqual(['duplicate', 'duplicate']);
    put(B, 1, 'f');
    put(B, 2, 'f');
    expect(taken).toEqual(['f/1', 'f/2']);
    // Later than any line is late, it is the publisher that goes back.
    nowMs += LAG_MS_MAX;
    put(B, 1_001);
    expect(taken.at(-1)).toBe('e/1001');
  });
});
