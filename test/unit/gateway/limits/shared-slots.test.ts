import { expect, test } from 'vitest';
import { createSharedSlots, NO_SLOT, SharedSlots } from '../../../../src/gateway/limits/shared-slots.js';

const COUNT = 0;

/** A writer and a reader of one table, with the key `a` in it. */
function tables(slots: number) {
  const buffer = createSharedSlots(1, slots, 2, [1, 2]);
  const writer = new SharedSlots(buffer);
  const reader = new SharedSlots(buffer);
  writer.seek('a');
  const slot = writer.claim(0, () => false);
  Atomics.store(writer.words, slot + COUNT, 41);
  reader.seek('a');
  return { writer, reader, slot };
}

test('R41 a reader in the middle of a slot notices that it has gone to another key', () => {
  const { writer, reader, slot } = tables(1);
  expect(reader.find(0)).toBe(slot);
  expect(reader.isSame(slot)).toBe(true);
  writer.seek('b');
  expect(writer.claim(0, () => true)).toBe(slot);
  expect(reader.isSame(slot)).toBe(false);
  expect(reader.find(0)).toBe(NO_SLOT);
  // And back again: the same key, but not the same count.
  writer.seek('a');
  writer.claim(0, () => true);
  expect(reader.isSame(slot)).toBe(false);
  expect(reader.find(0)).toBe(slot);
  expect(Atomics.load(reader.words, slot + COUNT)).toBe(0);
});

test('R41 a slot that is being written is not read, and does not hold the reader up for ever', () => {
  const { writer, reader, slot } = tables(4);
  reader.find(0);
  writer.begin(slot);
  expect(reader.isSame(slot)).toBe(false);
  expect(reader.find(0)).toBe(NO_SLOT);
  writer.end(slot);
  expect(reader.isSame(slot)).toBe(false);
  expect(reader.find(0)).toBe(slot);
  expect(reader.isSame(slot)).toBe(true);
});

test('R41 what a worker left half-written when it died is cleared, and the slot serves again', () => {
  const { writer, reader, slot } = tables(1);
  writer.begin(slot);
  reader.clear(0);
  const successor = writer;
  successor.seek('a');
  expect(successor.find(0)).toBe(NO_SLOT);
  expect(successor.claim(0, () => false)).toBe(slot);
  expect(reader.find(0)).toBe(slot);
  expect(Atomics.load(reader.words, slot + COUNT)).toBe(0);
});
