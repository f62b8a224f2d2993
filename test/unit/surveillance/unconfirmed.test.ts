import { describe, expect, it } from 'vitest';
import { Unconfirmed } from '../../../src/surveillance/unconfirmed.js';

const sent = (subject: string, n: number) => ({ subject, n });
const [A, B] = ['surveillance.alerts', 'analytics.alerts'];

describe('alerts that the server may refuse (R72)', () => {
  it('R72 are kept if they are refused, by subject, and not once they are taken', () => {
    const unconfirmed = new Unconfirmed<ReturnType<typeof sent>>();
    const [first, second, other] = [sent(A, 1), sent(A, 2), sent(B, 1)];
    for (const one of [first, second, other]) unconfirmed.add(one);
    unconfirmed.refuse(A);
    unconfirmed.confirm([other]);
    // Nothing of it is on its way any more.
    unconfirmed.refuse(B);
    expect(unconfirmed.takeRefused(B)).toEqual([]);
    expect(unconfirmed.takeRefused(A)).toEqual([first, second]);
    expect(unconfirmed.takeRefused(A)).toEqual([]);
  });

  it('R72 are tried with the oldest of each subject, which is kept again if it is refused', () => {
    const unconfirmed = new Unconfirmed<ReturnType<typeof sent>>();
    const refused = [sent(A, 1), sent(B, 1), sent(A, 2)];
    for (const one of refused) unconfirmed.add(one);
    for (const subject of [A, B]) unconfirmed.refuse(subject);
    const trials = unconfirmed.takeTrials();
    expect(trials).toEqual(refused.slice(0, 2));
    for (const trial of trials) unconfirmed.add(trial);
    unconfirmed.refuse(A);
    unconfirmed.confirm(trials);
    expect(new Set(unconfirmed.takeRefused(A))).toEqual(new Set([sent(A, 1), sent(A, 2)]));
    expect(unconfirmed.takeTrials()).toEqual([]);
  });

  it('R72 are bounded: beyond 1,000 the oldest are dropped', () => {
    const unconfirmed = new Unconfirmed<ReturnType<typeof sent>>();
    for (let n = 0; n < 1_500; n++) unconfirmed.add(sent(A, n));
    unconfirmed.refuse(A);
    for (let n = 1_500; n < 1_600; n++) unconfirmed.add(sent(A, n));
    unconfirmed.refuse(A);
    const kept = unconfirmed.takeRefused(A);
    expect([kept.length, kept[0]?.n, kept.at(-1)?.n]).toEqual([1_000, 600, 1_599]);
  });
});
