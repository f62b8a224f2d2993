/** Commands that resume a topic ahead of the gateway, whose subscription ends before the gateway has caught up. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MarketModel } from '../../../property/market-model.js';

/** The gateway waits for less than this for what a client is ahead of it. */
const HELD_MS = 500;

let model: MarketModel;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  model = new MarketModel({
    encoders: 2,
    isStream: true,
    historyBytes: 1024 * 1024,
    backpressureBytes: 4096,
    isCalm: false,
  });
});

afterEach(async () => {
  await model.gateway.hub.close();
  vi.useRealTimers();
});

/** A client that names a position that no message has reached. */
async function ahead() {
  const client = model.connect({ isMsgpack: false, isRetail: false, isStamped: false, isFull: false });
  model.event('trades', 'A');
  const [at] = model.log.positions('trades:A');
  if (at === undefined) throw new Error('a stream numbers what is published to it');
  model.follow(client, 'trades', ['A'], { ...at, seq: at.seq + 5 });
  await model.work();
  await vi.advanceTimersByTimeAsync(HELD_MS);
  expect(client.checker.events.unanswered).toBe(1);
  return { client, at };
}

it('R29 answers a resume whose place another one takes', async () => {
  const { client, at } = await ahead();
  model.follow(client, 'trades', ['A'], at);
  await model.settle();
  model.event('trades', 'A');
  await model.settle();
  model.check();
  expect(client.checker.events.unanswered).toBe(0);
});

it('R29 answers a resume before the topic is left', async () => {
  const { client } = await ahead();
  model.leave(client, 'trades', 'A');
  await model.settle();
  model.check();
  expect(client.checker.events.unanswered).toBe(0);
  expect([...client.checker.events.subscribed]).toEqual([]);
});
