import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DONE, type FeedOutcome, failed } from '../../../../src/feed-contract/feed-outcome.js';
import { Interest, LINGER_MS } from '../../../../src/hub/sources/interest.js';
import { type Subject, SubjectTable } from '../../../../src/hub/sources/subject-table.js';
import type { SourceKind } from '../../../../src/protocol/topics.js';

/** Longer than Interest waits for a feed that does not say that it follows. */
const PATIENCE_MS = 2_000;

let table: SubjectTable;
let interest: Interest;
let log: string[];
/** Subjects that became wanted (true) or ceased to be. */
let changes: string[];
/** What a subject's `follow` resolves with. */
let following: (subject: string) => FeedOutcome | Promise<FeedOutcome>;

beforeEach(() => {
  vi.useFakeTimers();
  log = [];
  changes = [];
  following = () => DONE;
  table = new SubjectTable(1, () => Date.now());
  interest = new Interest({
    subjects: table,
    follow: (subject, wanted) => {
      log.push(`${wanted ? 'follow' : 'leave'} ${subject}`);
      return wanted ? following(subject) : DONE;
    },
    onChange: subject => changes.push(`${subject.name} ${(subject.wants?.size ?? 0) > 0 || subject.holds > 0}`),
    forget: subject => {
      log.push(`forget ${subject.name}`);
      table.drop(subject);
    },
  });
});

afterEach(() => {
  interest.close();
  vi.useRealTimers();
});

function newSubject(kind: SourceKind, name: string): Subject {
  const subject = table.create(kind, name);
  if (subject === undefined) throw new Error('the table is full');
  return subject;
}

describe('R13 interest', () => {
  it('R13 the feed follows what the first wants, until the last has left', async () => {
    const room = newSubject('rooms', 'r1');
    interest.set(room, 0, 0, true);
    interest.set(room, 0, 1, true);
    interest.set(room, 4, 1, true);
    expect(log).toEqual(['follow rooms.r1']);
    interest.set(room, 0, 0, false);
    interest.set(room, 0, 1, false);
    await vi.advanceTimersByTimeAsync(LINGER_MS * 2);
    expect(log).toEqual(['follow rooms.r1']);
    interest.set(room, 4, 1, false);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(log).toEqual(['follow rooms.r1', 'leave rooms.r1', 'forget rooms.r1']);
  });

  it('J13: a subject that becomes wanted, or ceases to be, is told once', () => {
    const quote = newSubject('quotes', 'A');
    interest.set(quote, 0, 0, true);
    interest.set(quote, 0, 1, true);
    interest.hold(quote);
    interest.forgetWorker(0);
    interest.set(quote, 0, 1, false);
    expect(changes).toEqual(['md.quotes.A true']);
    interest.release(quote);
    expect(changes).toEqual(['md.quotes.A true', 'md.quotes.A false']);
  });

  it('R13 who comes back soon finds the subject as it was', async () => {
    const room = newSubject('rooms', 'r1');
    interest.set(room, 0, 0, true);
    interest.set(room, 0, 0, false);
    await vi.advanceTimersByTimeAsync(LINGER_MS - 1);
    interest.set(room, 0, 0, true);
    await vi.advanceTimersByTimeAsync(LINGER_MS * 2);
    expect(log).toEqual(['follow rooms.r1']);
    expect(table.find('rooms.r1')).toBe(room);
  });

  it('R13 the same worker wants a lane once, however often it says so', async () => {
    const room = newSubject('orders', 'alice');
    interest.set(room, 0, 3, true);
    interest.set(room, 0, 3, true);
    interest.set(room, 0, 3, false);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(log.at(-1)).toBe('forget orders.alice');
  });

  it('R13 market data that has come is left at once, and not forgotten', async () => {
    const quotes = newSubject('quotes', 'A');
    quotes.seq = 1;
    interest.set(quotes, 0, 0, true);
    interest.set(quotes, 0, 0, false);
    expect(log).toEqual(['follow md.quotes.A', 'leave md.quotes.A']);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(log).toHaveLength(2);
  });

  it('R13 a symbol that was wanted and never published is forgotten', async () => {
    const quotes = newSubject('quotes', 'NONE');
    interest.set(quotes, 0, 0, true);
    interest.set(quotes, 0, 0, false);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(log.at(-1)).toBe('forget md.quotes.NONE');
  });

  it('R13 a symbol that is published while it lingers is kept', async () => {
    const quotes = newSubject('quotes', 'LATE');
    interest.set(quotes, 0, 0, true);
    interest.set(quotes, 0, 0, false);
    quotes.seq = 1;
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(log).toEqual(['follow md.quotes.LATE', 'leave md.quotes.LATE']);
  });

  it('R13 the trades of all symbols stay, whoever leaves', async () => {
    interest.set(table.allTrades, 0, 0, true);
    interest.set(table.allTrades, 0, 0, false);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(log).toEqual(['follow md.trades.*', 'leave md.trades.*']);
  });

  it('R26 a publication under way keeps its room', async () => {
    const room = newSubject('rooms', 'r1');
    interest.hold(room);
    interest.set(room, 0, 0, true);
    interest.set(room, 0, 0, false);
    await vi.advanceTimersByTimeAsync(LINGER_MS * 2);
    expect(log).toEqual(['follow rooms.r1']);
    interest.release(room);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(log.at(-1)).toBe('forget rooms.r1');
  });

  it('R13 a subject is opening until the feed follows it', async () => {
    let followed = (_outcome: FeedOutcome) => {};
    following = () =>
      new Promise(resolve => {
        followed = resolve;
      });
    const room = newSubject('rooms', 'r1');
    interest.set(room, 0, 0, true);
    const opening = room.opening;
    expect(opening).toBeInstanceOf(Promise);
    followed(DONE);
    await opening;
    expect(room.opening).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('R13 a feed that does not say that it follows is not waited for any longer', async () => {
    following = () => new Promise(() => {});
    const room = newSubject('rooms', 'r1');
    interest.set(room, 0, 0, true);
    let isOpen = false;
    void room.opening?.then(() => {
      isOpen = true;
    });
    await vi.advanceTimersByTimeAsync(PATIENCE_MS - 1);
    expect(isOpen).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(isOpen).toBe(true);
    expect(room.opening).toBeUndefined();
  });

  it('N3: a subject that the server refuses is asked for again by the next that wants it, not by those who wait', async () => {
    following = async () => failed('refused', 'may not subscribe');
    const room = newSubject('rooms', 'r1');
    interest.set(room, 0, 0, true);
    await room.opening;
    expect(room.refusal).toBe('may not subscribe');
    interest.set(room, 4, 0, true);
    interest.set(room, 0, 0, false);
    interest.set(room, 4, 0, false);
    expect(log).toEqual(['follow rooms.r1']);
    following = () => DONE;
    interest.set(room, 0, 0, true);
    expect([log.length, room.refusal]).toEqual([2, '']);
  });

  it('N3: a subject that cannot be reached is not refused: it is followed on reconnect', async () => {
    following = async () => failed('unreachable', 'disconnected');
    const room = newSubject('rooms', 'r1');
    interest.set(room, 0, 0, true);
    await room.opening;
    expect(room.refusal).toBe('');
  });

  it('R13 a worker that is gone wants nothing any more', async () => {
    const [room, other] = [newSubject('rooms', 'r1'), newSubject('rooms', 'r2')];
    interest.set(room, 0, 0, true);
    interest.set(room, 4, 0, true);
    interest.set(other, 0, 0, true);
    interest.set(other, 0, 1, true);
    interest.forgetWorker(0);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(log).toEqual(['follow rooms.r1', 'follow rooms.r2', 'leave rooms.r1', 'forget rooms.r1']);
    expect([...(other.wants ?? [])]).toEqual([[0, 2]]);
  });

  it('R13 nothing is left or forgotten once the hub has closed', async () => {
    const room = newSubject('rooms', 'r1');
    interest.set(room, 0, 0, true);
    interest.set(room, 0, 0, false);
    interest.close();
    await vi.advanceTimersByTimeAsync(LINGER_MS * 2);
    expect(log).toEqual(['follow rooms.r1']);
  });
});
