import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSubject, subjectOf } from '../../../src/protocol/topics.js';
import { isUser, USER_BYTES_MAX, userOfToken, userToken } from '../../../src/protocol/user-subject.js';

describe('K12: the subject of a user’s orders', () => {
  it.each([
    ['alice', 'alice'],
    ['alice.smith', 'alice.smith'],
    ['José', 'José'],
    ['CN=John Smith,O=Foo', 'CN=John%20Smith,O=Foo'],
    ['spiffe://example.org/ns/x', 'spiffe://example.org/ns/x'],
    ['auth0|5f7c8ec7c33c6c004bbafe82', 'auth0|5f7c8ec7c33c6c004bbafe82'],
    ['*', '%2A'],
    ['>', '%3E'],
    ['100%', '100%25'],
    ['%2A', '%252A'],
    ['a\tb\u0000c', 'a%09b%00c'],
    ['a\u0085b\u007f', 'a%C2%85b%7F'],
    ['a\u00a0b\u2003c\ufeff', 'a%C2%A0b%E2%80%83c%EF%BB%BF'],
    ['.a', '%2Ea'],
    ['a.', 'a%2E'],
    ['.', '%2E'],
    ['..', '%2E%2E'],
    ['a..b', 'a.%2Eb'],
    ['a...b', 'a.%2E%2Eb'],
    ['😀', '😀'],
    ['constructor', 'constructor'],
  ])('K12: %j is orders.%s', (user, token) => {
    expect(userToken(user)).toBe(token);
    expect(subjectOf('orders', user)).toBe(`orders.${token}`);
    expect(parseSubject(`orders.${token}`)).toEqual({ kind: 'orders', symbol: user });
  });

  it.each([
    ['escaped without need', '%41lice'],
    ['in lower case', '%2a'],
    ['half an escape', 'a%2'],
    ['no escape', 'a%zz'],
    ['no UTF-8', '%FF'],
    ['an empty token', 'a..b'],
    ['a dot that need not be escaped', 'a%2Eb'],
    ['nothing', ''],
  ])('K12: a subject with %s is nobody’s', (_, token) => {
    expect(userOfToken(token)).toBeUndefined();
    expect(parseSubject(`orders.${token}`)).toBeUndefined();
  });

  it('K12: a user has 1 to 512 bytes of UTF-8', () => {
    expect(isUser('é'.repeat(USER_BYTES_MAX / 2))).toBe(true);
    for (const wrong of ['', 'x'.repeat(513), 'é'.repeat(257), 'a\ud83d', '\udc00', 7, null]) {
      expect(isUser(wrong)).toBe(false);
    }
  });

  it('K12: every user has one subject, which NATS takes, and no two share one', () => {
    const part = fc.constantFrom('a', '.', '%', '*', '>', ' ', '\u2028', '2E', 'é', '😀', '\n', '/', '%2E');
    const user = fc.oneof(
      fc.array(part, { minLength: 1, maxLength: 12 }).map(parts => parts.join('')),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter(isUser),
    );
    fc.assert(
      fc.property(user, user, (one, other) => {
        const token = userToken(one);
        expect(userOfToken(token)).toBe(one);
        expect(token).not.toMatch(/[\s*>\p{Cc}]/u);
        expect(token.split('.')).not.toContain('');
        expect(userToken(other) === token).toBe(other === one);
      }),
      { numRuns: 2000 },
    );
  });
});
