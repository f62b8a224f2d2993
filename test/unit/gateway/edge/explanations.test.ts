import { describe, expect, it } from 'vitest';
import { EXPLAINED_PER_SECOND_MAX, Explanations } from '../../../../src/gateway/edge/explanations.js';
import { refusal } from '../../../../src/gateway/refusal.js';

const UNAUTHORIZED = refusal(401, 'unauthorized', 'a token or an API key is required');

describe('J8 explained refusals', () => {
  it('J8 R70 have codes of their own for 401, 403, 429 and a journal that fails, and none for others', () => {
    const explanations = new Explanations(
      () => {},
      () => 0,
    );
    const codeOf = (status: 400 | 401 | 403 | 404 | 426 | 429 | 503) =>
      explanations.of(refusal(status, 'forbidden', 'no'), 'json')?.code;
    expect([401, 403, 429].map(status => codeOf(status as 401))).toEqual([4501, 4503, 4029]);
    expect([400, 404, 426, 503].map(status => codeOf(status as 400))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    const unrecorded = refusal(503, 'journal_unavailable', 'no');
    expect(explanations.of(unrecorded, 'json')?.code).toBe(4029);
    const late = explanations.of({ ...refusal(429, 'rate_limited', 'no'), retryAfterSeconds: 2 }, 'msgpack');
    expect(late).toMatchObject({ reconnectAfterMs: 2000, format: 'msgpack' });
  });

  it('J8 R47 are a bounded number in a second; others are answered by HTTP', () => {
    let nowMs = 0;
    const explanations = new Explanations(
      () => {},
      () => nowMs,
    );
    const explained = (attempts: number) => {
      let count = 0;
      for (let n = 0; n < attempts; n++) if (explanations.of(UNAUTHORIZED, 'json') !== undefined) count++;
      return count;
    };
    expect(explained(1000)).toBe(EXPLAINED_PER_SECOND_MAX);
    nowMs = 999;
    expect(explained(1000)).toBe(0);
    nowMs = 1000;
    expect(explained(1000)).toBe(EXPLAINED_PER_SECOND_MAX);
  });

  it('J8 R47 have a reason that fits a close frame, and ends with a whole character', () => {
    const explanations = new Explanations(
      () => {},
      () => 0,
    );
    for (const message of ['x'.repeat(500), '币'.repeat(100), `x${'😀'.repeat(60)}`, 'short']) {
      const reason = explanations.of(refusal(403, 'forbidden', message), 'json')?.reason ?? '';
      expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
      expect(Buffer.byteLength(reason)).toBeGreaterThan(Math.min(119, Buffer.byteLength(message) - 1));
      expect(message.startsWith(reason)).toBe(true);
      expect(reason.isWellFormed()).toBe(true);
    }
  });

  it('J8 R47 reach no handler of sessions, whatever their sockets send', () => {
    const called: string[] = [];
    const names = ['open', 'message', 'dropped', 'drain', 'ping', 'pong', 'close'] as const;
    const sessions = Object.fromEntries(names.map(name => [name, () => called.push(name)]));
    const explanations = new Explanations(() => {});
    const beside = explanations.beside(sessions, { upgraded: 0 }) as Record<string, (socket: unknown) => void>;
    const explained = {
      getUserData: () => ({ explanation: explanations.of(UNAUTHORIZED, 'json') }),
      send: () => 1,
      end: () => {},
    };
    for (const name of names) beside[name]?.(explained);
    expect(called).toEqual([]);
    for (const name of names) beside[name]?.({ getUserData: () => ({ session: {} }) });
    expect(called).toEqual(names);
  });
});
