import { describe, expect, it } from 'vitest';
import { newApiKey } from '../../../src/auth/api-key-file.js';
import { ANONYMOUS, type Credential } from '../../../src/auth/credential.js';
import {
  parseRevocation,
  type Revocation,
  revocationKey,
  revocationOf,
  revocationText,
} from '../../../src/auth/revocation-text.js';
import { matches, type RevocationList } from '../../../src/auth/revocations.js';
import { REVOCATION_NOTE_LENGTH_MAX } from '../../../src/protocol/content-limits.js';
import { CLOCK_TOLERANCE_MS, revocationList, revoke } from '../../support/revocations.js';

const NOW_MS = 1_700_000_000_000;
const HOUR_MS = 3_600_000;

function credentialOf(more: Partial<Credential> = {}): Credential {
  const none = { entitlements: undefined, issuedAtMs: undefined, jti: undefined, apiKeyId: undefined };
  return { sub: 'alice', tier: 'retail', roles: [], expiresAtMs: NOW_MS + 60_000, ...none, ...more };
}

function revoked(order: unknown): RevocationList {
  const list = revocationList();
  expect(revoke(list, order, NOW_MS)).toBe('new');
  return list;
}

describe('R33 a revocation', () => {
  it('of a user ends what was issued before it', () => {
    const list = revoked({ sub: 'alice' });
    expect(list.covers(credentialOf({ issuedAtMs: NOW_MS - 1000 }))).toBe(true);
    expect(list.covers(credentialOf({ issuedAtMs: NOW_MS }))).toBe(true);
  });

  it('J5 R33 of a user ends a token of an issuer whose clock is ahead by the tolerance', () => {
    const list = revoked({ sub: 'alice' });
    for (const aheadMs of [1, 1000, CLOCK_TOLERANCE_MS]) {
      expect(list.covers(credentialOf({ issuedAtMs: NOW_MS + aheadMs }))).toBe(true);
    }
  });

  it('J5 R33 of a user leaves alone a token that was issued after it, by any clock within the tolerance', () => {
    const issuedAtMs = NOW_MS + CLOCK_TOLERANCE_MS + 1;
    expect(revoked({ sub: 'alice' }).covers(credentialOf({ issuedAtMs }))).toBe(false);
  });

  it('of a user ends tokens that do not say when they were issued, and API keys', () => {
    const list = revoked({ sub: 'alice' });
    expect(list.covers(credentialOf())).toBe(true);
    expect(list.covers(credentialOf({ apiKeyId: 'k_1' }))).toBe(true);
  });

  it('of a user is nobody else’s, and not the anonymous’', () => {
    const list = revoked({ sub: 'alice' });
    for (const sub of ['bob', 'Alice', 'alice2', '']) expect(list.covers(credentialOf({ sub }))).toBe(false);
    expect(list.covers(ANONYMOUS)).toBe(false);
  });

  it('of a user again ends what was issued between the two', () => {
    const list = revoked({ sub: 'alice' });
    const between = credentialOf({ issuedAtMs: NOW_MS + CLOCK_TOLERANCE_MS + 1000 });
    expect(list.covers(between)).toBe(false);
    expect(revoke(list, { sub: 'alice' }, NOW_MS + CLOCK_TOLERANCE_MS + 2000)).toBe('later');
    expect(list.covers(between)).toBe(true);
    expect(list.size).toBe(1);
  });

  it('is not shortened by a clock that was set back', () => {
    const list = revoked({ sub: 'alice' });
    expect(revoke(list, { sub: 'alice' }, NOW_MS - HOUR_MS)).toBe('known');
    expect(list.covers(credentialOf({ issuedAtMs: NOW_MS - 1 }))).toBe(true);
  });

  it('of one token ends that token, whenever it was issued', () => {
    const list = revoked({ jti: 't-1' });
    expect(list.covers(credentialOf({ jti: 't-1', issuedAtMs: NOW_MS + 60_000 }))).toBe(true);
    expect(list.covers(credentialOf({ jti: 't-2' }))).toBe(false);
    expect(list.covers(credentialOf())).toBe(false);
  });

  it('of an API key names its id, or the key itself', () => {
    const { id, key } = newApiKey();
    for (const api_key of [id, key]) {
      const list = revoked({ api_key });
      expect(list.covers(credentialOf({ apiKeyId: id }))).toBe(true);
      expect(list.covers(credentialOf({ apiKeyId: newApiKey().id }))).toBe(false);
      expect(list.covers(credentialOf())).toBe(false);
    }
  });

  it('of one kind is not taken for another', () => {
    const odd = credentialOf({ sub: 'k_1', jti: 'alice', apiKeyId: 'k_2' });
    for (const message of [{ jti: 'k_1' }, { api_key: 'k_1' }, { sub: 'alice' }, { sub: 'k_2' }, { jti: 'k_2' }]) {
      expect(revoked(message).covers(odd)).toBe(false);
    }
  });

  it('tells by itself which live credentials it ends', () => {
    const revocation = revocationOf({ sub: 'alice', team: 'risk' }, NOW_MS);
    if (revocation === undefined) throw new Error('not taken');
    expect(revocation).toEqual({ by: 'sub', value: 'alice', atMs: NOW_MS });
    expect(matches(revocation, credentialOf({ issuedAtMs: NOW_MS }), CLOCK_TOLERANCE_MS)).toBe(true);
    expect(matches(revocation, credentialOf({ issuedAtMs: NOW_MS + CLOCK_TOLERANCE_MS + 1 }), CLOCK_TOLERANCE_MS)).toBe(
      false,
    );
    expect(matches(revocation, credentialOf({ sub: 'bob' }), CLOCK_TOLERANCE_MS)).toBe(false);
  });

  it('J5 of a user leaves alone an API key that was made after it', () => {
    const list = revoked({ sub: 'alice' });
    expect(list.covers(credentialOf({ apiKeyId: 'k_1', issuedAtMs: NOW_MS + 1 }))).toBe(false);
    expect(list.covers(credentialOf({ apiKeyId: 'k_1', issuedAtMs: NOW_MS - 1 }))).toBe(true);
  });

  it('J5 has an author and a reason, of bounded length', () => {
    const order = { jti: 't-1', author: 'a'.repeat(1000), reason: 'left the firm' };
    expect(revocationOf(order, NOW_MS)).toEqual({
      by: 'jti',
      value: 't-1',
      atMs: NOW_MS,
      author: 'a'.repeat(REVOCATION_NOTE_LENGTH_MAX),
      reason: 'left the firm',
    });
    // Whatever they are, the credential is revoked.
    expect(revocationOf({ jti: 't-1', author: 7, reason: '' }, NOW_MS)).toEqual({
      by: 'jti',
      value: 't-1',
      atMs: NOW_MS,
    });
  });
});

describe('R33 what is no revocation', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['text', 'alice'],
    ['a list', ['alice']],
    ['no member', {}],
    ['an unknown member', { user: 'alice' }],
    ['two members', { sub: 'alice', jti: 't-1' }],
    ['two members, one empty', { sub: 'alice', jti: null }],
    ['an empty user', { sub: '' }],
    ['an empty token', { jti: '' }],
    ['a number', { sub: 7 }],
    ['a pattern as an object', { sub: { $ne: '' } }],
    ['a user too long', { sub: 'x'.repeat(513) }],
    ['a key that is none', { api_key: 'hello' }],
    ['a key without its secret', { api_key: 'mr_k_1_' }],
    ['an inherited member', Object.create({ sub: 'alice' })],
  ])('is not taken: %s', (_, message) => {
    expect(revocationOf(message, NOW_MS)).toBeUndefined();
  });
});

describe('J5 the text of a revocation', () => {
  const { id, key } = newApiKey();

  it.each([
    ['of a user', { sub: 'Zoë \u2028 "x"' }],
    ['of a token, with author and reason', { jti: 't-1', author: 'bob', reason: 'lost\nlaptop' }],
    ['of a key', { api_key: key }],
  ])('J5 is one line, and gives the same again: %s', (_, order) => {
    const revocation = revocationOf(order, NOW_MS) as Revocation;
    const text = revocationText(revocation);
    expect(text).not.toContain('\n');
    expect(text).not.toContain(key);
    expect(parseRevocation(text)).toEqual(revocation);
  });

  it('J5 of a key names its id alone', () => {
    expect(revocationOf({ api_key: key }, NOW_MS)?.value).toBe(id);
  });

  it.each([
    ['no JSON', 'hello'],
    ['a list', '[]'],
    ['without a kind', '{"value":"x","at":"2026-01-01T00:00:00Z"}'],
    ['of an unknown kind', '{"by":"iss","value":"x","at":"2026-01-01T00:00:00Z"}'],
    ['without a time', '{"by":"jti","value":"x"}'],
    ['with no time', '{"by":"jti","value":"x","at":"yesterday"}'],
    ['of nobody', '{"by":"sub","value":"","at":"2026-01-01T00:00:00Z"}'],
    ['of a whole key', JSON.stringify({ by: 'api_key', value: key, at: '2026-01-01T00:00:00Z' })],
  ])('J5 is refused: %s', (_, text) => {
    expect(parseRevocation(text)).toBeUndefined();
  });

  it('J5 has a key that a NATS bucket takes, one for each user, token and API key', () => {
    const keys = [
      revocationKey({ by: 'sub', value: 'a.b *>' }),
      revocationKey({ by: 'jti', value: 'a.b *>' }),
      revocationKey({ by: 'sub', value: 'A.b *>' }),
    ];
    for (const text of keys) expect(text).toMatch(/^(sub|jti|api_key)\.[\w-]{43}$/);
    expect(new Set(keys).size).toBe(3);
    expect(revocationKey({ by: 'sub', value: 'a.b *>' })).toBe(keys[0]);
  });
});

describe('J5 R33 the list of revocations', () => {
  /** Clocks that a test sets; the monotonic one only moves on. */
  function timedList(lives: Parameters<typeof revocationList>[0], max?: number) {
    const clocks = { nowMs: NOW_MS, monotonicMs: 0 };
    const list = revocationList(lives, {
      nowMs: () => clocks.nowMs,
      monotonicMs: () => clocks.monotonicMs,
      ...(max === undefined ? {} : { max }),
    });
    const pass = (ms: number) => {
      clocks.nowMs += ms;
      clocks.monotonicMs += ms;
      list.expire();
    };
    return { clocks, list, pass };
  }
  const token = credentialOf({ jti: 't-1' });

  it('J5 R33 keeps a token’s revocation as long as a token may live, and not much longer', () => {
    const { list, pass } = timedList({ tokenMaxAgeMs: HOUR_MS });
    revoke(list, { jti: 't-1' }, NOW_MS);
    pass(HOUR_MS);
    expect(list.covers(token)).toBe(true);
    pass(HOUR_MS);
    expect(list.covers(token)).toBe(false);
    expect(list.size).toBe(0);
  });

  it('J5 R33 keeps all for good where tokens may live for ever', () => {
    const { list, pass } = timedList({ tokenMaxAgeMs: undefined });
    revoke(list, { jti: 't-1' }, NOW_MS);
    pass(10 * 365 * 24 * HOUR_MS);
    expect(list.covers(token)).toBe(true);
  });

  it('J5 R33 keeps those of API keys for good, and those of users whose keys are accepted', () => {
    const { list, pass } = timedList({ tokenMaxAgeMs: HOUR_MS, hasLongLived: true });
    for (const order of [{ api_key: 'k_1' }, { sub: 'alice' }, { jti: 't-1' }]) revoke(list, order, NOW_MS);
    pass(1000 * HOUR_MS);
    expect(list.covers(credentialOf({ sub: 'bob', apiKeyId: 'k_1' }))).toBe(true);
    expect(list.covers(credentialOf({ apiKeyId: 'k_2' }))).toBe(true);
    expect(list.covers(credentialOf({ sub: 'bob', jti: 't-1' }))).toBe(false);
  });

  it.each([
    ['ahead, and back again', [100 * HOUR_MS, -100 * HOUR_MS]],
    ['back', [-100 * HOUR_MS]],
  ])('J5 R33 forgets nothing by a clock that is set %s', (_, steps) => {
    const { clocks, list } = timedList({ tokenMaxAgeMs: HOUR_MS });
    revoke(list, { jti: 't-1' }, NOW_MS);
    for (const step of steps) {
      clocks.nowMs += step;
      list.expire();
    }
    // A token that the clock brings back to life.
    clocks.monotonicMs += 2 * HOUR_MS;
    list.expire();
    expect(list.covers(token)).toBe(true);
  });

  it('J5 R33 takes what a store remembers, unless it has expired long ago', () => {
    const { list } = timedList({ tokenMaxAgeMs: HOUR_MS, hasLongLived: true });
    const isLongOver = (by: Revocation['by'], hours: number) =>
      list.isLongOver({ by, value: 'x', atMs: NOW_MS - hours * HOUR_MS });
    expect([isLongOver('jti', 1), isLongOver('jti', 2), isLongOver('jti', 3)]).toEqual([false, false, true]);
    expect([isLongOver('sub', 10_000), isLongOver('api_key', 10_000)]).toEqual([false, false]);
  });

  it('J5 R33 is bounded: one more is refused, and none of the others is forgotten', () => {
    const { list, pass } = timedList({ tokenMaxAgeMs: HOUR_MS }, 3);
    for (const jti of ['t-1', 't-2', 't-3']) expect(revoke(list, { jti }, NOW_MS)).toBe('new');
    expect(revoke(list, { jti: 't-4' }, NOW_MS)).toBe('full');
    expect(revoke(list, { jti: 't-1' }, NOW_MS + 1)).toBe('later');
    expect(list.covers(token)).toBe(true);
    pass(2 * HOUR_MS);
    expect(revoke(list, { jti: 't-4' }, NOW_MS + 2 * HOUR_MS)).toBe('new');
  });

  it('J5 is swept in steps', () => {
    const { clocks, list } = timedList({ tokenMaxAgeMs: HOUR_MS });
    for (let i = 0; i < 10; i++) revoke(list, { jti: `t-${i}` }, NOW_MS);
    clocks.nowMs += 2 * HOUR_MS;
    clocks.monotonicMs += 2 * HOUR_MS;
    list.expire(4);
    expect(list.size).toBe(6);
    list.expire(100);
    expect(list.size).toBe(0);
  });

  it('J5 is read in pages, each entry once, also while others come and go', () => {
    const { list } = timedList({ tokenMaxAgeMs: undefined });
    for (let i = 0; i < 7; i++) revoke(list, { jti: `t-${i}` }, NOW_MS);
    for (let i = 0; i < 4; i++) revoke(list, { sub: `u-${i}` }, NOW_MS);
    const seen: string[] = [];
    let after: string | undefined = '';
    while (after !== undefined) {
      const page = list.page(after, 3);
      if (page === undefined) throw new Error('no page');
      seen.push(...page.revocations.map(({ value }) => value));
      after = page.next;
      if (seen.length === 3) revoke(list, { sub: 'u-new' }, NOW_MS);
    }
    const all = [...Array.from({ length: 4 }, (_, i) => `u-${i}`), ...Array.from({ length: 7 }, (_, i) => `t-${i}`)];
    expect(seen).toEqual(expect.arrayContaining(all));
    expect(seen.length).toBe(new Set(seen).size);
    for (const bad of ['x', 'jti', 'jti.', 'jti.1x', 'iss.1']) expect(list.page(bad, 3)).toBeUndefined();
  });
});
