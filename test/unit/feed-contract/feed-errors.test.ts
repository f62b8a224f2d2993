/** What servers refuse and report: counted by kind, logged now and then. */
import { expect, it } from 'vitest';
import { FeedErrors } from '../../../src/feed-contract/feed-errors.js';

it('N6: counts every error by its kind, and logs each kind once, then with how often it came', () => {
  let nowMs = 0;
  const errors = new FeedErrors(() => nowMs);
  const logged = Array.from({ length: 5 }, () =>
    errors.note('dead_letter_refused', 'deadletter.md.quotes.A', 'refused'),
  );
  expect(logged.filter(text => text !== undefined)).toEqual(['refused']);
  expect(errors.note('publish_refused', 'rooms.desk', 'refused too')).toBe('refused too');
  nowMs = 60_000;
  expect(errors.note('dead_letter_refused', 'deadletter.md.quotes.B', 'refused')).toBe(
    'refused (and 4 like it before)',
  );
  expect([...errors.counts]).toEqual([
    ['dead_letter_refused', 6],
    ['publish_refused', 1],
  ]);
});

it('N6: tells groups of subjects apart, and not their names, which have no end', () => {
  const errors = new FeedErrors(() => 0);
  const subjects = ['md.>', 'control.revoke', 'control.drain', 'analytics.*', '$JS.API.CONSUMER.MSG.NEXT.S.c1'];
  expect(subjects.map(subject => errors.note('subscribe_refused', subject, subject))).toEqual(subjects);
  expect(errors.note('subscribe_refused', 'rooms.r0', 'first')).toBe('first');
  for (let n = 1; n < 1_000; n++) expect(errors.note('subscribe_refused', `rooms.r${n}`, 'more')).toBeUndefined();
  expect(errors.note('subscribe_refused', '$JS.API.CONSUMER.MSG.NEXT.S.c2', 'again')).toBeUndefined();
});
