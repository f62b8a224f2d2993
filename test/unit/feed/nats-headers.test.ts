import { headers, type Msg } from 'nats';
import { expect, it } from 'vitest';
import { HeaderFaults, readCoreMessage } from '../../../src/feed/nats-headers.js';
import { newFeedMessage } from '../../../src/feed-contract/feed.js';
import { Collector } from '../../support/collector.js';

const MICROS = 1_735_787_045_678_901;

function read(members: Record<string, string>, sink = new Collector()) {
  const given = headers();
  for (const [name, value] of Object.entries(members)) given.set(name, value);
  const faults = new HeaderFaults(sink);
  const received = { subject: 'md.trades.A', data: new Uint8Array(), headers: given } as unknown as Msg;
  return { message: readCoreMessage(received, newFeedMessage(), faults), faults, sink, received };
}

it.each([
  ['µs', '1735787045678901', MICROS],
  ['ns', '1735787045678901234', MICROS],
  ['ms', '1735787045678', 1_735_787_045_678_000],
  ['s', '1735787045', 1_735_787_045_000_000],
  ['s with a fraction', '1735787045.678901', MICROS],
  ['ms with a fraction', '1735787045678.901', MICROS],
])('D21: Ts-Event in %s is told by its magnitude', (_unit, text, micros) => {
  const { message, faults } = read({ 'Ts-Event': text });
  // A fraction is read as a double: exact to less than a µs.
  expect(Math.abs(message.tsEventMicros - micros)).toBeLessThanOrEqual(text.includes('.') ? 1 : 0);
  expect(Number.isSafeInteger(message.tsEventMicros)).toBe(true);
  expect(faults.count).toBe(0);
});

it.each(['yesterday', '-1', '1e15', '999999999999999999999', '.5', '1.2.3', '2026-01-01T00:00:00Z'])(
  'D21: Ts-Event %s is no time: counted, and said once',
  text => {
    const { message, faults, sink, received } = read({ 'Ts-Event': text });
    expect(message.tsEventMicros).toBe(0);
    readCoreMessage(received, newFeedMessage(), faults);
    expect(faults.count).toBe(2);
    expect(sink.notices).toEqual([`header Ts-Event cannot be used and is ignored: "${text}" on md.trades.A`]);
  },
);

it('D21: the same of a Seq that is none, or that has no Epoch', () => {
  for (const members of [{ Seq: '0', Epoch: 'e' }, { Seq: '9007199254740993', Epoch: 'e' }, { Seq: '1' }]) {
    const { message, faults, sink } = read(members);
    expect([message.contiguous, faults.count, sink.notices.length]).toEqual([false, 1, 1]);
  }
});
