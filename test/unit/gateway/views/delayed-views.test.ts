import { describe, expect, it } from 'vitest';
import { Views } from '../../../../src/gateway/views/views.js';
import { delayedName, undelayedName } from '../../../../src/protocol/delayed-name.js';
import { detailOfLane, laneOf, TRADES_FULL } from '../../../../src/threads/lanes.js';
import type { InterestChange } from '../../../../src/threads/thread-messages.js';

const DELAY_MS = 900_000;
const LANE = laneOf(0, 0, 'json', false);
const now = { tier: 'institutional' } as const;
const late = { ...now, delayMsOf: (_stream: string, symbol: string) => (symbol === 'L' ? DELAY_MS : 0) };

describe('R74 the view of an asker', () => {
  const told: InterestChange[] = [];
  const views = new Views(
    4,
    change => told.push(change),
    () => ({ messages: 0, bytes: 0 }),
  );

  it('R74 that may have a topic late only is one of its own, which the hub knows by its delay', () => {
    const [real, delayed, other] = [now, late, late].map((asker, n) =>
      views.acquire('depth', n < 2 ? 'L' : 'X', LANE, asker),
    );
    expect([real?.delayMs, delayed?.delayMs, other?.delayMs]).toEqual([0, DELAY_MS, 0]);
    expect([real?.sourceName, delayed?.sourceName]).toEqual(['books:L', `books:L ${DELAY_MS}`]);
    expect([real?.topic, delayed?.topic]).toEqual(['depth:L', 'depth:L']);
    expect(views.acquire('depth', 'L', LANE, late)).toBe(delayed);
    expect(told.flatMap(change => (change.op === 'want' ? [change.source] : []))).toEqual([
      'books:L',
      `books:L ${DELAY_MS}`,
      'books:X',
    ]);
    expect(undelayedName(delayedName('a b', DELAY_MS))).toEqual({ name: 'a b', delayMs: DELAY_MS });
    expect(undelayedName('a')).toEqual({ name: 'a', delayMs: 0 });
  });

  it('R74 has late trades without their parties, whatever it asks for', () => {
    const full = laneOf(0, TRADES_FULL, 'msgpack', true);
    expect(detailOfLane(views.acquire('trades', 'X', full, late).lane)).toBe(TRADES_FULL);
    const view = views.acquire('trades', 'L', full, late);
    expect([detailOfLane(view.lane), view.isMsgpack, view.isStamped]).toEqual([0, true, true]);
  });

  it('R74 ends with its last session, apart from that in real time', () => {
    const view = views.acquire('quotes', 'L', LANE, late);
    const real = views.acquire('quotes', 'L', LANE, now);
    views.release(view);
    expect([...views.all()]).not.toContain(view);
    expect([...views.all()]).toContain(real);
  });
});
