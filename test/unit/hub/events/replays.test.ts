import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StoredMessage, StoredOutcome } from '../../../../src/feed-contract/feed.js';
import { failed } from '../../../../src/feed-contract/feed-outcome.js';
import { EventHistories } from '../../../../src/hub/events/event-histories.js';
import { HELD_MS_MAX, HELD_RETRY_MS, UNREACHABLE_MS_MAX } from '../../../../src/hub/events/held-replays.js';
import {
  REPLAY_BYTES_MAX,
  REPLAY_MESSAGES_MAX,
  REPLAYS_MAX,
  Replays,
  STORE_MS_MAX,
} from '../../../../src/hub/events/replays.js';
import type { Shard } from '../../../../src/hub/shards/shard.js';
import { type Subject, SubjectTable } from '../../../../src/hub/sources/subject-table.js';
import type { Tier } from '../../../../src/protocol/view-options.js';
import { FLAG_INCOMPLETE, RecordKind } from '../../../../src/threads/records.js';

const MIB = 1024 * 1024;

/** Notes what a replay puts into the encoder's queue. */
class ShardLog {
  queuedBytes = 0;
  /** `begin`, sequences, and `end` or `incomplete`, by request. */
  readonly requests = new Map<number, (string | number)[]>();
  /** Sequences of all requests in order, and `live` ones. */
  readonly order: (string | number)[] = [];

  control(kind: RecordKind, _subject: number, _lane: number, _worker: number, a = 0, request = 0, flags = 0): void {
    const text = kind === RecordKind.replayBegin ? `begin ${a}` : flags === FLAG_INCOMPLETE ? 'incomplete' : 'end';
    this.#note(request, text);
  }

  replay(
    _subject: Subject,
    _payload: Uint8Array,
    seq: number,
    _ts: number,
    _lane: number,
    asker: { request: number },
  ): void {
    this.#note(asker.request, seq);
  }

  #note(request: number, what: string | number): void {
    const notes = this.requests.get(request) ?? [];
    notes.push(what);
    this.requests.set(request, notes);
    this.order.push(what);
  }
}

let shard: ShardLog;
let subject: Subject;
let history: EventHistories;
let replays: Replays;
let reads: string[];
/** What the feed's store answers. */
let stored: (afterSeq: number, toSeq: number) => Promise<readonly StoredMessage[] | undefined>;

/** What the feed shows of its upstream. */
let isReachable: boolean;
let isStale: boolean;
let isQuiet: boolean;
/** What workers were told of requests that wait: `worker request isHeld`. */
let held: string[];

beforeEach(() => {
  vi.useFakeTimers();
  [isReachable, isStale, isQuiet] = [true, false, false];
  held = [];
  shard = new ShardLog();
  reads = [];
  stored = async () => undefined;
  build(MIB);
});

afterEach(() => {
  replays.close();
  vi.useRealTimers();
});

function build(historyBytes: number): void {
  subject = new SubjectTable(1, () => 0).create('trades', 'A') as Subject;
  subject.epoch = 'e1';
  // Trades have half of it.
  history = new EventHistories(2 * historyBytes);
  replays = new Replays({
    history,
    feed: {
      stored: async ({ subject, afterSeq, toSeq }): Promise<StoredOutcome> => {
        if (!isReachable) return failed('unreachable', 'the stream cannot be read');
        reads.push(`${subject} ${afterSeq}–${toSeq}`);
        const messages = await stored(afterSeq, toSeq);
        return messages === undefined ? failed('incomplete', 'messages have left the stream') : { ok: true, messages };
      },
    },
    isPoison: () => false,
    isFeedStale: () => isStale,
    isFeedQuiet: () => isQuiet,
    nowMicros: () => performance.now() * 1000,
    toWorker: (worker, message) => {
      if (message.type === 'held') held.push(`${worker} ${message.request} ${message.isHeld}`);
    },
  });
}

/** The subject's next messages. */
function publish(count: number, bytes = 8): void {
  for (let i = 0; i < count; i++) {
    history.add(subject, new Uint8Array(bytes), subject.seq + 1, subject.seq, 0);
    subject.seq++;
  }
}

function ask(seq: number, request = 1, epoch = 'e1', tier: Tier = 'retail', worker = 0): void {
  // The log has what a replay uses of a shard.
  const asker = { subject, shard: shard as unknown as Shard, lane: 0, tier, worker, request };
  replays.begin({ ...asker, since: { epoch, seq } });
}

const messages = (from: number, to: number): StoredMessage[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ seq: from + i, tsEventMicros: 0, payload: new Uint8Array(8) }));

const notes = (request = 1): (string | number)[] => shard.requests.get(request) ?? [];

describe('R29 replays', () => {
  it('R29 what fits a piece is replayed at once, with its end', () => {
    publish(5);
    ask(2);
    expect(notes()).toEqual(['begin 2', 3, 4, 5, 'end']);
    expect(replays.counters).toEqual({ recovered: 1, unrecovered: 0, cancelled: 0 });
  });

  it('R29 who missed nothing is told so', () => {
    publish(2);
    ask(2);
    expect(notes()).toEqual(['begin 2', 'end']);
  });

  it('R74 of a delayed topic never reads the store, which has what is not due yet', async () => {
    build(1024);
    subject = new SubjectTable(1, () => 0).createDelayed('trades', 'A', 900_000) as Subject;
    subject.epoch = 'e1';
    publish(1000);
    stored = async (afterSeq, toSeq) => messages(afterSeq + 1, toSeq);
    ask(2);
    await vi.advanceTimersByTimeAsync(100);
    expect(reads).toEqual([]);
    expect(replays.counters).toMatchObject({ recovered: 0, unrecovered: 1 });
  });

  it('R29 a place of another epoch begins anew', () => {
    publish(2);
    ask(1, 1, 'e0');
    expect(notes()).toEqual(['begin 1', 'incomplete']);
    expect(replays.counters).toEqual({ recovered: 0, unrecovered: 1, cancelled: 0 });
  });

  it('R29 goes through the queue in pieces, and takes in what comes meanwhile', async () => {
    publish(30, 8 * 1024);
    ask(0);
    const first = notes().length - 1;
    expect(first).toBeLessThan(30);
    expect(notes()).not.toContain('end');
    shard.order.push('live');
    publish(1);
    await vi.advanceTimersByTimeAsync(100);
    expect(notes().slice(1)).toEqual([...Array.from({ length: 31 }, (_, i) => i + 1), 'end']);
    // Others had their turn between two pieces.
    expect(shard.order.indexOf('live')).toBe(first + 1);
  });

  it('R29 waits while much waits for the encoder', async () => {
    publish(30, 8 * 1024);
    shard.queuedBytes = 2 * MIB;
    ask(0);
    const first = notes().length;
    await vi.advanceTimersByTimeAsync(1000);
    expect(notes()).toHaveLength(first);
    shard.queuedBytes = 0;
    await vi.advanceTimersByTimeAsync(100);
    expect(notes().at(-1)).toBe('end');
  });

  it('R29 more bytes than one client is sent again are not sent', async () => {
    build(16 * MIB);
    publish(REPLAY_BYTES_MAX / (64 * 1024) + 1, 64 * 1024);
    ask(0);
    await vi.advanceTimersByTimeAsync(1000);
    expect(notes().at(-1)).toBe('incomplete');
    ask(1, 2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(notes(2).at(-1)).toBe('end');
  });

  it('R29 more messages than one client is sent again are not sent', async () => {
    build(4 * MIB);
    publish(REPLAY_MESSAGES_MAX + 1, 1);
    ask(0);
    await vi.advanceTimersByTimeAsync(1000);
    expect(notes()).toEqual(['begin 0', 'incomplete']);
    ask(1, 2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(notes(2).at(-1)).toBe('end');
    expect(notes(2)).toHaveLength(REPLAY_MESSAGES_MAX + 2);
  });

  it('R29 more at once than the hub keeps under way begin anew', async () => {
    stored = () => new Promise(() => {});
    subject.seq = 5;
    for (let request = 1; request <= REPLAYS_MAX; request++) ask(1, request);
    expect(notes(REPLAYS_MAX)).toEqual(['begin 1']);
    ask(1, REPLAYS_MAX + 1);
    expect(notes(REPLAYS_MAX + 1)).toEqual(['begin 1', 'incomplete']);
  });

  it('R29 what the history no longer has comes from the feed’s store', async () => {
    build(0);
    publish(9);
    stored = async (afterSeq, toSeq) => messages(afterSeq + 1, toSeq);
    ask(4);
    await vi.advanceTimersByTimeAsync(0);
    expect(reads).toEqual(['md.trades.A 4–9']);
    expect(notes()).toEqual(['begin 4', 5, 6, 7, 8, 9, 'end']);
  });

  it('R29 the store is asked again for what came while it answered', async () => {
    build(0);
    publish(5);
    stored = async (afterSeq, toSeq) => {
      if (reads.length < 3) publish(2);
      return messages(afterSeq + 1, toSeq);
    };
    ask(3);
    await vi.advanceTimersByTimeAsync(0);
    expect(reads).toEqual(['md.trades.A 3–5', 'md.trades.A 5–7', 'md.trades.A 7–9']);
    expect(notes()).toEqual(['begin 3', 4, 5, 6, 7, 8, 9, 'end']);
  });

  it('R29 a store that never catches up is given up', async () => {
    build(0);
    publish(5);
    stored = async (afterSeq, toSeq) => {
      publish(1);
      return messages(afterSeq + 1, toSeq);
    };
    ask(3);
    await vi.advanceTimersByTimeAsync(0);
    expect(reads.length).toBeGreaterThan(3);
    expect(notes().at(-1)).toBe('incomplete');
  });

  it('R29 what the history has behind the stored messages is not asked of the store', async () => {
    build(MIB);
    subject.seq = 5;
    stored = async (afterSeq, toSeq) => {
      publish(3);
      return messages(afterSeq + 1, toSeq);
    };
    ask(3);
    await vi.advanceTimersByTimeAsync(0);
    expect(reads).toEqual(['md.trades.A 3–5']);
    expect(notes()).toEqual(['begin 3', 4, 5, 6, 7, 8, 'end']);
  });

  it('R29 a store that does not have all of it has nothing', async () => {
    build(0);
    publish(5);
    ask(3);
    await vi.advanceTimersByTimeAsync(0);
    expect(notes()).toEqual(['begin 3', 'incomplete']);
  });

  it('R29 an epoch that begins meanwhile ends it', async () => {
    publish(30, 8 * 1024);
    ask(0);
    subject.epoch = 'e2';
    subject.seq = 0;
    await vi.advanceTimersByTimeAsync(10);
    expect(notes().at(-1)).toBe('incomplete');
    expect(notes()).not.toContain('end');
  });

  it('R29 R46 who comes from a gateway that is further on waits until this one is there, but not for ever', () => {
    const begun: string[] = [];
    let position = 5;
    const ask = (name: string, worker: number, seq: number) =>
      replays.whenHere(
        { subject, worker, request: 1 },
        () => position >= seq,
        () => begun.push(name),
      );
    ask('here', 0, 5);
    expect(begun).toEqual(['here']);
    ask('ahead', 0, 6);
    ask('of a worker that dies', 1, 6);
    ask('far ahead', 0, 1e9);
    vi.advanceTimersByTime(100);
    expect(begun).toEqual(['here']);
    replays.forgetWorker(1);
    position = 6;
    vi.advanceTimersByTime(100);
    expect(begun).toEqual(['here', 'ahead']);
    vi.advanceTimersByTime(2_000);
    expect(begun).toEqual(['here', 'ahead', 'far ahead']);
    ask('of a subject that is forgotten', 0, 7);
    replays.forgetSubject(subject);
    expect(begun.at(-1)).toBe('of a subject that is forgotten');
    vi.advanceTimersByTime(3_000);
    expect(begun.length).toBe(4);
  });

  it('R29 R46 who comes from a gateway that is further on waits longer while this one is cut off', async () => {
    publish(2);
    let position = 2;
    const begun = vi.fn();
    const whenHere = (request: number) => replays.whenHere({ subject, worker: 0, request }, () => position > 2, begun);
    isQuiet = true;
    whenHere(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect([begun.mock.calls.length, held]).toEqual([0, ['0 1 true']]);
    // The feed has noticed.
    isStale = true;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(begun).not.toHaveBeenCalled();
    position = 3;
    await vi.advanceTimersByTimeAsync(100);
    expect([begun.mock.calls.length, held]).toEqual([1, ['0 1 true', '0 1 false']]);
    position = 2;
    whenHere(2);
    await vi.advanceTimersByTimeAsync(HELD_MS_MAX + UNREACHABLE_MS_MAX + 5_000);
    expect([begun.mock.calls.length, vi.getTimerCount()]).toEqual([2, 0]);
  });

  it('R29 R43 while the store cannot be read, a replay waits; then it has all of it, in order', async () => {
    build(0);
    publish(5);
    stored = async (afterSeq, toSeq) => messages(afterSeq + 1, toSeq);
    isReachable = false;
    ask(2);
    // A cluster without a quorum is noticed late.
    await vi.advanceTimersByTimeAsync(UNREACHABLE_MS_MAX - 1_000);
    isStale = true;
    await vi.advanceTimersByTimeAsync(120_000);
    expect([notes(), held]).toEqual([['begin 2'], ['0 1 true']]);
    publish(1);
    [isReachable, isStale] = [true, false];
    await vi.advanceTimersByTimeAsync(HELD_RETRY_MS);
    expect([notes(), held]).toEqual([
      ['begin 2', 3, 4, 5, 6, 'end'],
      ['0 1 true', '0 1 false'],
    ]);
    expect(replays.counters.recovered).toBe(1);
  });

  it('R29 a replay does not wait for ever, however long the feed is stale', async () => {
    build(0);
    publish(5);
    [isReachable, isStale] = [false, true];
    ask(2);
    await vi.advanceTimersByTimeAsync(HELD_MS_MAX - 1_000);
    expect(notes()).toEqual(['begin 2']);
    await vi.advanceTimersByTimeAsync(2_000);
    expect([notes(), held, vi.getTimerCount()]).toEqual([['begin 2', 'incomplete'], ['0 1 true', '0 1 false'], 0]);
  });

  it('R29 replays that wait are tried again a few at a time, and those of all get their turn', async () => {
    build(0);
    publish(5);
    let [open, openMax] = [0, 0];
    stored = async (afterSeq, toSeq) => {
      openMax = Math.max(openMax, ++open);
      await new Promise(resolve => setTimeout(resolve, 10));
      open--;
      return messages(afterSeq + 1, toSeq);
    };
    isReachable = false;
    for (let request = 1; request <= 100; request++) ask(3, request);
    await vi.advanceTimersByTimeAsync(5_000);
    isReachable = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(replays.counters.recovered).toBe(100);
    expect(openMax).toBeLessThanOrEqual(16);
  });

  it('J4: a replay that waits for the store ends when its client, its worker or its subject leaves', async () => {
    build(0);
    publish(5);
    isReachable = false;
    ask(3, 1);
    ask(3, 2, 'e1', 'retail', 1);
    ask(3, 3);
    await vi.advanceTimersByTimeAsync(1_000);
    replays.cancel(0, 1);
    replays.forgetWorker(1);
    replays.forgetSubject(subject);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([notes(1), notes(2), notes(3)]).toEqual([['begin 3', 'incomplete'], ['begin 3'], ['begin 3', 'incomplete']]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('J4: a replay that no client waits for any more leaves the queue, with its mark', async () => {
    publish(30, 8 * 1024);
    ask(0);
    ask(0, 2);
    ask(0, 1, 'e1', 'retail', 1);
    const before = [notes().length, notes(2).length];
    replays.cancel(0, 3);
    replays.cancel(0, 2);
    expect(notes(2).slice(before[1])).toEqual(['incomplete']);
    expect(replays.counters).toEqual({ recovered: 0, unrecovered: 0, cancelled: 1 });
    await vi.advanceTimersByTimeAsync(200);
    expect(notes(2).slice(before[1])).toEqual(['incomplete']);
    expect(notes().at(-1)).toBe('end');
    replays.cancel(0, 1);
    expect(replays.counters).toEqual({ recovered: 2, unrecovered: 0, cancelled: 1 });
  });

  it('J4: what the store answers to a replay that no client waits for any more is not replayed', async () => {
    build(0);
    publish(5);
    stored = async (afterSeq, toSeq) => messages(afterSeq + 1, toSeq);
    ask(3);
    replays.cancel(0, 1);
    await vi.advanceTimersByTimeAsync(100);
    expect(notes()).toEqual(['begin 3', 'incomplete']);
  });

  it('J4: a replay that waits for this gateway to get there ends when no client waits for it any more', async () => {
    publish(2);
    const then = () => ask(2);
    replays.whenHere({ subject, worker: 0, request: 1 }, () => false, then);
    expect(notes()).toEqual([]);
    replays.cancel(0, 1);
    expect(notes()[0]).toBe('begin 2');
    expect(['end', 'incomplete']).toContain(notes().at(-1));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(notes()).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('R45 a worker that is gone is sent nothing more, and others are', async () => {
    publish(30, 8 * 1024);
    ask(0);
    const before = notes().length;
    replays.forgetWorker(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(notes().length).toBeGreaterThan(before);
    ask(0, 2);
    const [first, second] = [notes().length, notes(2).length];
    replays.forgetWorker(0);
    await vi.advanceTimersByTimeAsync(100);
    expect([notes().length, notes(2).length]).toEqual([first, second]);
  });

  it('K2: a store that never answers ends the replay with nothing recovered', async () => {
    build(0);
    publish(5);
    stored = () => new Promise(() => {});
    ask(3);
    await vi.advanceTimersByTimeAsync(UNREACHABLE_MS_MAX);
    expect(notes()).toEqual(['begin 3']);
    await vi.advanceTimersByTimeAsync(2 * STORE_MS_MAX);
    expect(notes()).toEqual(['begin 3', 'incomplete']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('K2: an encoder that takes nothing ends the replay with nothing recovered', async () => {
    publish(30, 8 * 1024);
    shard.queuedBytes = 2 * MIB;
    ask(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(notes().at(-1)).toBe('incomplete');
  });

  it('K2: a subject that is forgotten while the store answers is not replayed, and that is said', async () => {
    build(0);
    publish(5);
    let answer = (_: readonly StoredMessage[]) => {};
    stored = () =>
      new Promise(resolve => {
        answer = resolve;
      });
    ask(3);
    replays.forgetSubject(subject);
    answer(messages(4, 5));
    await vi.advanceTimersByTimeAsync(0);
    expect(notes()).toEqual(['begin 3', 'incomplete']);
  });

  it('K2: of many subjects that are forgotten, each looks at its own replays only', () => {
    build(0);
    publish(5);
    stored = () => new Promise(() => {});
    for (let request = 1; request <= 100; request++) ask(3, request);
    const others = new SubjectTable(1, () => 0);
    for (let i = 0; i < 100; i++) replays.forgetSubject(others.create('trades', `O${i}`) as Subject);
    expect(notes(1)).toEqual(['begin 3']);
    replays.forgetSubject(subject);
    for (let request = 1; request <= 100; request++) expect(notes(request)).toEqual(['begin 3', 'incomplete']);
  });
});
