/** The epochs of the gateway's own sequences. */
import { expect, it } from 'vitest';
import { OwnEpochs } from '../../../../src/hub/sources/own-epochs.js';
import { type Subject, SubjectTable } from '../../../../src/hub/sources/subject-table.js';

const table = new SubjectTable(1, () => 0);

function newSubject(kind: 'quotes' | 'rooms' | 'analytics', symbol: string): Subject {
  return table.create(kind, symbol) as Subject;
}

/** Its epoch, as the hub takes it. */
function epochOf(epochs: OwnEpochs, subject: Subject): string {
  subject.epoch = epochs.of(subject);
  return subject.epoch;
}

it('N5: a subject that the server refused for a while begins an epoch of its own; others go on in theirs', () => {
  const epochs = new OwnEpochs('e');
  const [refused, other, channel] = [newSubject('rooms', 'a'), newSubject('rooms', 'b'), newSubject('analytics', 'c')];
  const before = [refused, other, channel].map(subject => epochOf(epochs, subject));
  for (const subject of [refused, channel]) epochs.interrupted(subject);
  const after = [refused, other, channel].map(subject => epochOf(epochs, subject));
  expect(after[1]).toBe(before[1]);
  expect(new Set([...before, ...after]).size).toBe(5);
  expect([refused, other, channel].map(subject => epochOf(epochs, subject))).toEqual(after);
});

it('N5: a pattern stands for the subjects that it matches', () => {
  const named = (pattern: string) => table.matching(pattern).map(({ name }) => name);
  expect(named('rooms.a')).toEqual(['rooms.a']);
  expect(named('analytics.*')).toEqual(['analytics.c']);
  expect(named('rooms.none')).toEqual([]);
  expect(named('rooms.>')).toEqual(['rooms.a', 'rooms.b']);
});
