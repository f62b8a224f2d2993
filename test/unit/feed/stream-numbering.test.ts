/** What a hole in a stream's numbers means, by the limits of the stream. */
import type { StreamInfo } from 'nats';
import { expect, it } from 'vitest';
import { StreamNumbering } from '../../../src/feed/stream-numbering.js';

const CREATED = '2024-01-02T03:04:05.000000000Z';
const SUBJECT = 'md.trades.A';

/** The stream is empty when it is found; its first message is read. */
function numberingOf(config: Partial<StreamInfo['config']>): StreamNumbering {
  const numbering = new StreamNumbering(() => 0);
  const state = { first_seq: 0, last_seq: 0, messages: 0, bytes: 0 };
  numbering.adopt({ created: CREATED, config, state } as StreamInfo, 'same');
  expect(numbering.take(1, SUBJECT, 0, 0, true)).toBe('next');
  return numbering;
}

it.each([
  [3, 1],
  [6, 1],
  [21, 1],
  [24, 0],
  [351, 1],
])(
  'R43 begins a new epoch at %i in a stream of 50 messages, even if the server reports %i behind it',
  (seq, pending) => {
    const numbering = numberingOf({ max_msgs: 50 });
    const { epoch } = numbering;
    expect(numbering.take(seq, SUBJECT, 0, pending, true)).toBe('behind_hole');
    expect(numbering.epoch).toBe(`${epoch}.${seq.toString(36)}`);
    expect(numbering.holeSeq).toBe(0);
    expect(numbering.take(seq + 1, SUBJECT, 0, 0, true)).toBe('next');
    expect(numbering.epoch).toBe(`${epoch}.${seq.toString(36)}`);
  },
);

it.each([
  ['without a limit', {}],
  ['that is far from its limit in bytes', { max_bytes: 1_000_000 }],
  ['that keeps the newest per subject, and is far from its limit', { max_msgs_per_subject: 1, max_msgs: 50 }],
])('R43 keeps the epoch at a hole in a stream %s, and names the hole to every subject', (_, config) => {
  const numbering = numberingOf(config);
  const { epoch } = numbering;
  expect(numbering.take(6, SUBJECT, 0, 1, true)).toBe('behind_own_hole');
  expect(numbering.epoch).toBe(epoch);
  expect(numbering.holeSeq).toBe(5);
});

it('R43 begins a new epoch if a stream that keeps the newest per subject may have been full', () => {
  const numbering = numberingOf({ max_msgs_per_subject: 1, max_msgs: 50 });
  const { epoch } = numbering;
  expect(numbering.take(6, SUBJECT, 0, 20, true)).toBe('behind_hole');
  expect(numbering.epoch).toBe(`${epoch}.6`);
});

it('R43 takes a number that is skipped for no hole if not every message of the stream is delivered', () => {
  const numbering = numberingOf({ max_msgs: 50 });
  expect(numbering.take(6, SUBJECT, 0, 1, false)).toBe('next');
  expect(numbering.holeSeq).toBe(0);
});
