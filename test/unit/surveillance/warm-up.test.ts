import { describe, expect, it } from 'vitest';
import type { RawMessage } from '../../../src/surveillance/intake.js';
import type { HistoryOutcome, PastMessage } from '../../../src/surveillance/market-history.js';
import { WarmUp } from '../../../src/surveillance/warm-up.js';
import { QUEUE_MAX } from '../../../src/threads/surveillance-messages.js';

const SECOND = 1_000_000;
const START = Date.UTC(2026, 10, 2, 10) * 1000;
const MIB = 1024 * 1024;

const message = (text: string): RawMessage => ({
  subject: 'orders.a',
  payload: new TextEncoder().encode(text),
  tsEventMicros: 0,
});
const past = (text: string, secondsAgo: number): PastMessage => ({
  ...message(text),
  seq: 1,
  storedMicros: START - secondsAgo * SECOND,
});

function started() {
  const judged: string[] = [];
  const textOf = ({ payload }: RawMessage) => new TextDecoder().decode(payload);
  const clock = { micros: START };
  const warmUp = new WarmUp({
    nowMicros: () => clock.micros,
    live: one => judged.push(`live ${textOf(one)}`),
    past: one => judged.push(`past ${textOf(one)}`),
  });
  let read: (outcome: HistoryOutcome) => void = () => {};
  const history = new Promise<HistoryOutcome>(resolve => {
    read = resolve;
  });
  const unknown = warmUp.begin(() => history);
  return { judged, clock, warmUp, unknown, read };
}

describe('the last minutes, for whoever takes over (R72)', () => {
  it('R72 come before live messages, and those that are in both count once', async () => {
    const { judged, clock, warmUp, unknown, read } = started();
    for (const text of ['2', '3']) warmUp.take(message(text));
    expect(judged).toEqual([]);
    read({ ok: true, messages: [past('0', 60), past('1', 1), past('2', 0)], detail: '' });
    expect(await unknown).toBe('');
    warmUp.take(message('1'));
    expect(judged).toEqual(['past 0', 'past 1', 'past 2', 'live 3']);
    // The same text again is another message: the history held it once.
    warmUp.take(message('1'));
    warmUp.take(message('0'));
    clock.micros += 3 * SECOND;
    warmUp.take(message('2'));
    expect(judged.slice(4)).toEqual(['live 1', 'live 0', 'live 2']);
  });

  it.each<HistoryOutcome & { readonly expected: readonly string[] }>([
    { ok: false, detail: 'no stream', expected: ['live 1'] },
    { ok: true, messages: [past('0', 9)], detail: 'no books', expected: ['past 0', 'live 1'] },
  ])('R72 that are unknown, all or in part, hold nothing up: $detail', async ({ expected, ...outcome }) => {
    const { judged, warmUp, unknown, read } = started();
    warmUp.take(message('1'));
    read(outcome);
    expect(await unknown).toBe(outcome.detail);
    expect(judged).toEqual(expected);
  });

  it.each([
    ['number', QUEUE_MAX / 2, 1],
    ['bytes', 16, MIB],
  ])('R72 are not waited for once live messages are too many, by %s', async (_what, count, length) => {
    const { judged, warmUp, unknown, read } = started();
    const live = { ...message(''), payload: new Uint8Array(length) };
    for (let n = 1; n < count; n++) warmUp.take(live);
    expect(judged).toEqual([]);
    warmUp.take(live);
    expect(judged).toHaveLength(count);
    read({ ok: true, messages: [past('0', 9)], detail: '' });
    expect(await unknown).toBe('too many messages came before they were read');
    expect(judged).toHaveLength(count);
  });

  it('R72 are another gateway’s, with what waits, if the lease is lost before they are read', async () => {
    const { judged, warmUp, unknown, read } = started();
    warmUp.take(message('1'));
    warmUp.end();
    read({ ok: true, messages: [past('0', 9)], detail: '' });
    expect(await unknown).toBe('');
    expect(judged).toEqual([]);
  });
});
