/** A feed that waits at the start until its servers can be read. */
import { expect, it } from 'vitest';
import { WAITING_NOTE_MS, WaitingFeed } from '../../../src/feed/waiting-feed.js';
import type { Feed } from '../../../src/feed-contract/feed.js';
import { FeedErrors } from '../../../src/feed-contract/feed-errors.js';
import { type FeedFailureCode, failed } from '../../../src/feed-contract/feed-outcome.js';
import { Collector } from '../../support/collector.js';
import { FakeClock } from '../../support/fake-clock.js';
import { ScriptedFeed } from '../../support/scripted-feed.js';

/** Longer than any wait between two attempts. */
const STEP_MS = 6_000;

interface Attempts {
  readonly clock: FakeClock;
  readonly sink: Collector;
  readonly errors: FeedErrors;
  readonly feed: WaitingFeed;
  /** One for each attempt. */
  readonly opened: ScriptedFeed[];
}

/** @param open the feed of each attempt, by its number */
function waiting(open: (attempt: number) => ScriptedFeed, timeoutMs = 0): Attempts {
  const clock = new FakeClock();
  const errors = new FeedErrors(() => clock.monotonicMicros() / 1000);
  const opened: ScriptedFeed[] = [];
  const openNext = (): Feed => {
    const feed = open(opened.length);
    opened.push(feed);
    return feed;
  };
  const feed = new WaitingFeed({ name: 'nats', open: openNext, timeoutMs, errors, clock });
  return { clock, sink: new Collector(), errors, feed, opened };
}

/** Lets what has been resolved run, then the clock. */
async function pass(clock: FakeClock, ms = STEP_MS): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
  clock.advanceMs(ms);
  await new Promise(resolve => setImmediate(resolve));
}

class FailingFeed extends ScriptedFeed {
  readonly #code: FeedFailureCode;

  constructor(code: FeedFailureCode, detail: string) {
    super(detail);
    this.#code = code;
  }

  override async start() {
    return failed(this.#code, this.failure ?? '');
  }
}

it('N7: waits while the server is down, and starts another feed each time until one can be read', async () => {
  const { clock, sink, errors, feed, opened } = waiting(n => new ScriptedFeed(n < 3 ? 'no server' : undefined));
  const started = feed.start(sink);
  for (let n = 0; n < 3; n++) await pass(clock);
  expect(await started).toEqual({ ok: true });
  expect(opened).toHaveLength(4);
  expect(sink.statuses).toEqual(['live: connected']);
  expect(errors.counts.get('connection')).toBe(3);
  expect(feed.health.errors.get('connection')).toBe(3);
  opened[3]?.put('1');
  expect(sink.messages).toHaveLength(1);
  await feed.stop();
  expect(opened[3]?.isStopped).toBe(true);
});

it('N7: says once what it waits for, then now and then, and at once if the reason changes', async () => {
  const { clock, sink, feed } = waiting(n => new ScriptedFeed(n < 4 ? 'no server' : 'wrong password'));
  void feed.start(sink);
  await pass(clock);
  await pass(clock);
  expect(sink.notices).toEqual(['not ready: waiting for NATS for 0 s: no server']);
  await pass(clock, WAITING_NOTE_MS);
  expect(sink.notices).toHaveLength(2);
  expect(sink.notices[1]).toMatch(/^not ready: waiting for NATS for \d\d s: no server$/);
  await pass(clock);
  expect(sink.notices.at(-1)).toMatch(/wrong password$/);
  await feed.stop();
});

it('N7: NATS_START_TIMEOUT ends the wait, with the last reason', async () => {
  const { clock, sink, feed, opened } = waiting(() => new ScriptedFeed('no server'), 10_000);
  const started = feed.start(sink);
  for (let n = 0; n < 4; n++) await pass(clock, 3_000);
  const outcome = await started;
  expect(outcome).toEqual({ ok: false, code: 'unreachable', detail: 'NATS_START_TIMEOUT=10s is over: no server' });
  const attempts = opened.length;
  await pass(clock);
  expect(opened).toHaveLength(attempts);
  expect(clock.timerCount).toBe(0);
});

it('N7: does not wait for a setting or a file that cannot be used', async () => {
  const { sink, feed } = waiting(() => new FailingFeed('misconfigured', 'NATS_CREDS: others can read it'));
  const outcome = await feed.start(sink);
  expect(outcome).toEqual({ ok: false, code: 'misconfigured', detail: 'NATS_CREDS: others can read it' });
});

it('N7: waits for credentials that the server refuses: they may be rotated', async () => {
  const { clock, sink, errors, feed } = waiting(n =>
    n === 0 ? new FailingFeed('refused', 'Authorization Violation') : new ScriptedFeed(),
  );
  const started = feed.start(sink);
  await pass(clock);
  expect(await started).toEqual({ ok: true });
  expect([...errors.counts]).toEqual([['authorization', 1]]);
});

it('N7: stops while it waits, at once', async () => {
  const { clock, sink, feed } = waiting(() => new ScriptedFeed('no server'));
  const started = feed.start(sink);
  await pass(clock, 0);
  await feed.stop();
  expect(await started).toMatchObject({ ok: false, code: 'unreachable' });
  expect(clock.timerCount).toBe(0);
});
