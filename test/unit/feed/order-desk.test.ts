import { describe, expect, it } from 'vitest';
import type { EpisodeLabel } from '../../../src/feed/simulator/orders/episodes.js';
import { SimulatorFeed } from '../../../src/feed/simulator/simulator.js';
import type { FeedMessage, FeedSink } from '../../../src/feed-contract/feed.js';
import { Intake, isWatched } from '../../../src/surveillance/intake.js';
import { Surveillance } from '../../../src/surveillance/surveillance.js';
import { DEFAULT_THRESHOLDS } from '../../../src/surveillance/thresholds.js';
import { FakeClock } from '../../support/fake-clock.js';

const MINUTE_MS = 60_000;

/** What a followed subject gets, and what surveillance sees, as text. */
class Collector implements FeedSink {
  readonly followed: string[] = [];
  readonly observedTexts: string[] = [];
  readonly status = () => {};
  onObserved: (message: FeedMessage) => void = () => {};

  message({ subject, payload }: FeedMessage): void {
    this.followed.push(`${subject} ${Buffer.from(payload)}`);
  }

  observed(message: FeedMessage): void {
    this.observedTexts.push(`${message.subject} ${Buffer.from(message.payload)}`);
    this.onObserved(message);
  }
}

async function simulator(hasOrders: boolean) {
  const clock = new FakeClock();
  const sink = new Collector();
  const planted: EpisodeLabel[] = [];
  const config = { symbols: 2, updatesPerSecond: 0, intervalMs: 4000, seed: 1, hasOrders };
  const feed = new SimulatorFeed({ config, symbols: [], clock, onPlanted: label => planted.push(label) });
  await feed.start(sink);
  return { clock, sink, feed, planted };
}

const of = (texts: readonly string[], subject: string) => texts.filter(text => text.startsWith(subject));

describe('the simulated venue (R72)', () => {
  it('R72 publishes its book and quote at the start, and then what is followed', async () => {
    const { clock, sink, feed } = await simulator(true);
    expect(of(sink.followed, 'md.books.DEMO')).toHaveLength(1);
    expect(of(sink.followed, 'md.quotes.DEMO')).toHaveLength(1);
    sink.followed.length = 0;
    clock.advanceMs(MINUTE_MS);
    expect(of(sink.followed, 'orders.')).toEqual([]);
    for (const subject of ['orders.demo', 'md.trades.DEMO', 'md.books.*']) feed.follow(subject, true);
    clock.advanceMs(MINUTE_MS);
    expect(of(sink.followed, 'orders.').every(text => text.startsWith('orders.demo '))).toBe(true);
    expect(of(sink.followed, 'orders.demo').length).toBeGreaterThan(5);
    expect(of(sink.followed, 'md.trades.DEMO')[0]).toMatch(/"buyer_id":"[\w-]+".*"aggressor_side":"(buy|sell)"/);
    expect(of(sink.followed, 'md.books.DEMO').length).toBeGreaterThan(50);
    feed.follow('orders.demo', false);
    sink.followed.length = 0;
    clock.advanceMs(MINUTE_MS);
    expect(of(sink.followed, 'orders.')).toEqual([]);
    await feed.stop();
    expect(clock.timerCount).toBe(0);
  });

  it('R72 shows surveillance the orders of all users, followed or not', async () => {
    const { clock, sink, feed } = await simulator(true);
    clock.advanceMs(MINUTE_MS);
    const users = new Set(of(sink.observedTexts, 'orders.').map(text => text.split(' ')[0]));
    expect(users.size).toBeGreaterThan(20);
    expect(users).toContain('orders.demo');
    await feed.stop();
  });

  it('R72 plants each pattern once in fifteen minutes, surveillance finds it, and suspects nobody else', async () => {
    const { clock, sink, feed, planted } = await simulator(true);
    const found: string[] = [];
    const surveillance = new Surveillance(DEFAULT_THRESHOLDS, ({ detector, users }) => {
      found.push(`${detector} ${users.join(' ')}`);
    });
    const intake = new Intake(true);
    sink.onObserved = message => {
      const event = isWatched(message.subject) ? intake.read(message, clock.nowMicros()) : undefined;
      if (event !== undefined) surveillance.take(event);
    };
    clock.advanceMs(18 * MINUTE_MS);
    expect(new Set(planted.slice(0, 5).map(({ kind }) => kind)).size).toBe(5);
    const expected = planted.slice(0, 5).map(({ kind, users }) => `${kind} ${users.join(' ')}`);
    expect(found).toEqual(expect.arrayContaining(expected));
    const suspects = new Set(planted.flatMap(({ users }) => users));
    expect(found.flatMap(text => text.split(' ').slice(1)).filter(user => !suspects.has(user))).toEqual([]);
    expect(intake.unreadable).toBe(0);
    await feed.stop();
  });

  it('R72 is equal for equal seeds, and leaves the other symbols as they are', async () => {
    const [one, other, without] = await Promise.all([simulator(true), simulator(true), simulator(false)]);
    for (const { feed, clock } of [one, other, without]) {
      feed.follow('md.quotes.*', true);
      clock.advanceMs(MINUTE_MS);
      await feed.stop();
    }
    expect(one.sink.observedTexts).toEqual(other.sink.observedTexts);
    const others = (sink: Collector) => sink.followed.filter(text => !text.includes('"DEMO"'));
    expect(others(one.sink)).toEqual(others(without.sink));
    expect(without.sink.observedTexts).toEqual([]);
  });
});
