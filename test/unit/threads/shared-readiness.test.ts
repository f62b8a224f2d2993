/** Readiness, as gateway threads read it from the main thread. */
import { describe, expect, it } from 'vitest';
import { SharedReadiness } from '../../../src/threads/shared-readiness.js';

function shared(startMs: number) {
  let nowMs = startMs;
  const main = new SharedReadiness(undefined, () => nowMs);
  const thread = new SharedReadiness(main.cells, () => nowMs);
  return {
    main,
    thread,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe('P5 shared readiness', () => {
  it('P5 begins as not ready, and follows what the main thread reports', () => {
    const { main, thread } = shared(1_000);
    expect(thread.isReady).toBe(false);
    main.report(true);
    expect(thread.isReady).toBe(true);
    main.report(false);
    expect(thread.isReady).toBe(false);
  });

  it('P5 ends when the main thread no longer reports', () => {
    const { main, thread, pass } = shared(1_000);
    main.report(true);
    pass(1_999);
    expect(thread.isReady).toBe(true);
    pass(1);
    expect(thread.isReady).toBe(false);
  });

  it.each([0, 2 ** 31 - 500, 2 ** 31 - 1, 2 ** 32 - 500, 2 ** 32, 2 ** 40 - 1])(
    'P5 does not care how old the machine is: %i ms',
    startMs => {
      const { main, thread, pass } = shared(startMs);
      main.report(true);
      pass(1_000);
      expect(thread.isReady).toBe(true);
      pass(5_000);
      expect(thread.isReady).toBe(false);
    },
  );
});
