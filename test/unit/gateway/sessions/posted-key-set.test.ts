import type { JSONWebKeySet } from 'jose';
import { describe, expect, it } from 'vitest';
import { PostedKeySet } from '../../../../src/gateway/sessions/posted-key-set.js';

const KEYS: JSONWebKeySet = { keys: [] };

describe('I5 a worker’s copy of the key set', () => {
  it('I5 asks once for all tokens that wait, and again for the next', async () => {
    let asked = 0;
    const keySet = new PostedKeySet(undefined, () => asked++);
    const waiting = Promise.all([keySet.refresh(), keySet.refresh(), keySet.refresh()]);
    expect(asked).toBe(1);
    keySet.take(KEYS);
    await waiting;
    expect(keySet.keys).toBe(KEYS);
    const next = keySet.refresh();
    expect(asked).toBe(2);
    keySet.take(undefined);
    await next;
    expect(keySet.keys).toBeUndefined();
  });

  it('I5 takes news that it did not ask for', () => {
    const keySet = new PostedKeySet(undefined, () => {});
    keySet.take(KEYS);
    expect(keySet.keys).toBe(KEYS);
  });

  it('I5 is answered even while it asks', async () => {
    const keySet = new PostedKeySet(undefined, () => keySet.take(KEYS));
    await keySet.refresh();
    expect(keySet.keys).toBe(KEYS);
  });
});
