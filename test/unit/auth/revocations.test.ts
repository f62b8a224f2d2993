import { describe, expect, it } from 'vitest';
import { newApiKey } from '../../../src/auth/api-key-file.js';
import { ANONYMOUS, type Credential } from '../../../src/auth/credential.js';
import { matches, REVOCATIONS_MAX, RevocationList } from '../../../src/auth/revocations.js';

const NOW_MS = 1_700_000_000_000;

function credentialOf(more: Partial<Credential> = {}): Credential {
  const none = { entitlements: undefined, issuedAtMs: undefined, jti: undefined, apiKeyId: undefined };
  return { sub: 'alice', tier: 'retail', roles: [], expiresAtMs: NOW_MS + 60_000, ...none, ...more };
}

function revoked(message: unknown, nowMs = NOW_MS): RevocationList {
  const list = new RevocationList();
  expect(list.add(message, nowMs)).toBeDefined();
  return list;
}

describe('R33 a revocation', () => {
  it('of a user ends what was issued before it', () => {
    const list = revoked({ sub: 'alice' });
    expect(list.covers(credentialOf({ issuedAtMs: NOW_MS - 1000 }))).toBe(true);
    expect(list.covers(credentialOf({ issuedAtMs: NOW_MS }))).toBe(true);
  });

  it('of a user leaves alone what was issued after it', () => {
    expect(revoked({ sub: 'alice' }).covers(credentialOf({ issuedAtMs: NOW_MS + 1 }))).toBe(false);
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
    const between = credentialOf({ issuedAtMs: NOW_MS + 1000 });
    expect(list.covers(between)).toBe(false);
    list.add({ sub: 'alice' }, NOW_MS + 2000);
    expect(list.covers(between)).toBe(true);
    expect(list.size).toBe(1);
  });

  it('is not shortened by a clock that was set back', () => {
    const list = revoked({ sub: 'alice' });
    list.add({ sub: 'alice' }, NOW_MS - 3_600_000);
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
    const revocation = new RevocationList().add({ sub: 'alice', reason: 'left the firm' }, NOW_MS);
    if (revocation === undefined) throw new Error('not taken');
    expect(revocation).toEqual({ by: 'sub', value: 'alice', atMs: NOW_MS });
    expect(matches(revocation, credentialOf({ issuedAtMs: NOW_MS }))).toBe(true);
    expect(matches(revocation, credentialOf({ issuedAtMs: NOW_MS + 1 }))).toBe(false);
    expect(matches(revocation, credentialOf({ sub: 'bob' }))).toBe(false);
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
    const list = new RevocationList();
    expect(list.add(message, NOW_MS)).toBeUndefined();
    expect(list.size).toBe(0);
  });
});

describe('R33 the list of revocations', () => {
  it('is bounded: the oldest leaves first, and is counted', () => {
    const list = new RevocationList();
    for (let i = 0; i < REVOCATIONS_MAX; i++) list.add({ jti: `t-${i}` }, NOW_MS + i);
    expect(list.forgotten).toBe(0);
    list.add({ jti: 't-0' }, NOW_MS + REVOCATIONS_MAX);
    list.add({ jti: 'one more' }, NOW_MS + REVOCATIONS_MAX);
    expect(list.size).toBe(REVOCATIONS_MAX);
    expect(list.forgotten).toBe(1);
    expect(list.covers(credentialOf({ jti: 't-1' }))).toBe(false);
    expect(list.covers(credentialOf({ jti: 't-0' }))).toBe(true);
    expect(list.covers(credentialOf({ jti: 'one more' }))).toBe(true);
  });
});
