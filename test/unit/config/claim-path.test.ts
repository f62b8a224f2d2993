import { describe, expect, it } from 'vitest';
import { claimAt, isClaimPath } from '../../../src/config/claim-path.js';

const CLAIMS = {
  roles: ['a'],
  realm_access: { roles: ['b'], 'x.y': 'c' },
  'https://example.com/roles': ['d'],
  'realm.roles': 'exact',
  realm: { roles: 'nested' },
  resource_access: { 'my.client': { roles: ['e'] } },
  'a/b': { '~c': 'f' },
  list: [{ roles: 'g' }],
};

describe('I1 R39 the path of a claim', () => {
  it.each([
    ['roles', ['a']],
    ['realm_access.roles', ['b']],
    ['https://example.com/roles', ['d']],
    // A claim of exactly this name comes first.
    ['realm.roles', 'exact'],
    ['/realm/roles', 'nested'],
    ['/realm_access/x.y', 'c'],
    ['/resource_access/my.client/roles', ['e']],
    ['/a~1b/~0c', 'f'],
    ['/realm.roles', 'exact'],
  ])('I1 finds %s', (path, expected) => {
    expect(isClaimPath(path)).toBe(true);
    expect(claimAt(CLAIMS, path)).toEqual(expected);
  });

  it.each([
    'missing',
    'roles.missing',
    'realm_access.roles.0',
    'realm_access.x.y',
    'list.0.roles',
    '/list/0/roles',
    '/roles/length',
    '/realm_access/missing/deeper',
    'toString',
    'realm_access.constructor',
    '__proto__',
    '/realm_access/__proto__/toString',
  ])('I1 finds nothing at %s', path => {
    expect(claimAt(CLAIMS, path)).toBeUndefined();
  });

  it.each(['', '/', '/a~', '/a~2b', 'x'.repeat(257)])('I1 is not %j', path => {
    expect(isClaimPath(path)).toBe(false);
  });
});
