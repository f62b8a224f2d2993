/** What a gateway reads of the tokens of identity providers, wherever they put it. */
import { describe, expect, it } from 'vitest';
import { refusalText } from '../../../src/auth/token-refusal.js';
import { readConfig } from '../../../src/config/environment.js';
import { GOOD, NOW, refused, SECRET, signed, verify } from './signed.js';

const configOf = (env: Record<string, string>) => readConfig({ AUTH_JWT_SECRET: SECRET, ...env }).auth;
const verified = async (claims: object, env: Record<string, string> = {}) =>
  verify(await signed({ ...GOOD, ...claims }), configOf(env));

/** The credential's part that the claims decide. */
async function accepted(claims: object, env: Record<string, string> = {}) {
  const result = await verified(claims, env);
  if (!result.ok) throw new Error(refusalText(result));
  const { sub, tier, roles, entitlements } = result.credential;
  return { sub, tier, roles, entitlements };
}

describe('I1 R39 lists in tokens', () => {
  it.each([
    ['an array', ['trader', 'risk desk']],
    ['an array of one', ['trader']],
    ['nothing', []],
  ])('I1 are %s as it is', async (_, roles) => {
    expect((await accepted({ roles })).roles).toEqual(roles);
  });

  it('I1 are text separated by blanks', async () => {
    expect((await accepted({ roles: ' trader  risk ' })).roles).toEqual(['trader', 'risk']);
    expect((await accepted({ roles: '' })).roles).toEqual([]);
    expect((await accepted({ entitlements: 'quotes:* depth:BTC/*' })).entitlements).toEqual([
      'quotes:*',
      'depth:BTC/*',
    ]);
  });

  it('I1 of several claims are one list', async () => {
    const claims = { realm_access: { roles: ['a'] }, groups: 'b c' };
    const env = { AUTH_CLAIM_ROLES: 'realm_access.roles,groups,missing' };
    expect((await accepted(claims, env)).roles).toEqual(['a', 'b', 'c']);
  });

  it.each([7, true, null, { a: 1 }, [1], ['a', null]])('I1 are never %j', async roles => {
    expect(await verified({ roles })).toEqual(refused('claims', 'roles'));
    expect(await verified({ groups: roles }, { AUTH_CLAIM_ROLES: 'groups' })).toEqual(refused('claims', 'groups'));
    expect(await verified({ groups: roles }, { AUTH_CLAIM_TIER: 'groups' })).toEqual(refused('claims', 'groups'));
    expect(await verified({ p: roles }, { AUTH_CLAIM_ENTITLEMENTS: 'p' })).toEqual(refused('claims', 'p'));
  });
});

describe('I1 R39 the tier', () => {
  it.each<[string, object, Record<string, string>, string]>([
    [
      'a role',
      { realm_access: { roles: ['x', 'institutional'] } },
      { AUTH_CLAIM_TIER: 'realm_access.roles' },
      'institutional',
    ],
    ['no such role', { realm_access: { roles: ['x'] } }, { AUTH_CLAIM_TIER: 'realm_access.roles' }, 'retail'],
    ['no claim', {}, { AUTH_CLAIM_TIER: 'realm_access.roles' }, 'retail'],
    [
      'a namespaced claim',
      { 'https://e.example/tier': 'institutional' },
      { AUTH_CLAIM_TIER: 'https://e.example/tier' },
      'institutional',
    ],
    [
      'a plan',
      { plan: 'gold' },
      { AUTH_CLAIM_TIER: 'plan', AUTH_INSTITUTIONAL_VALUES: 'gold,platinum' },
      'institutional',
    ],
    [
      'another plan',
      { plan: 'silver' },
      { AUTH_CLAIM_TIER: 'plan', AUTH_INSTITUTIONAL_VALUES: 'gold,platinum' },
      'retail',
    ],
    [
      'a value that is no longer one',
      { plan: 'institutional' },
      { AUTH_CLAIM_TIER: 'plan', AUTH_INSTITUTIONAL_VALUES: 'gold' },
      'retail',
    ],
    ['a value of the claim tier', { tier: 'pro' }, { AUTH_INSTITUTIONAL_VALUES: 'pro' }, 'institutional'],
    ['letters of another case', { plan: 'Institutional' }, { AUTH_CLAIM_TIER: 'plan' }, 'retail'],
  ])('I1 by %s', async (_, claims, env, tier) => {
    expect((await accepted(claims, env)).tier).toBe(tier);
  });

  it('I1 is not read from the claim tier where another one is named', async () => {
    expect((await accepted({ tier: 'institutional' }, { AUTH_CLAIM_TIER: 'groups' })).tier).toBe('retail');
  });

  it.each(['platinum', '', 'institutionals'])('I1 is a mistake in a claim of that name: %j', async tier => {
    expect(await verified({ tier })).toEqual(refused('claims', 'tier'));
  });
});

describe('I1 R39 the user', () => {
  it('I1 is in another claim, and needs no sub then', async () => {
    const claims = { sub: undefined, oid: '5b2c', upn: 'alice@example.com' };
    expect((await accepted(claims, { AUTH_CLAIM_USER: 'oid' })).sub).toBe('5b2c');
    expect((await accepted(claims, { AUTH_CLAIM_USER: '/upn' })).sub).toBe('alice@example.com');
  });

  it.each([undefined, 7, null, ['a']])('I1 is never %j', async oid => {
    expect(await verified({ oid }, { AUTH_CLAIM_USER: 'oid' })).toEqual(refused('claims', 'oid'));
  });

  it('I1 K12 is one that can have orders', async () => {
    const result = await verified({ oid: 'x'.repeat(513) }, { AUTH_CLAIM_USER: 'oid' });
    expect(result).toEqual(refused('sub', 'oid'));
    expect(!result.ok && refusalText(result)).toContain('its oid must be 1 to 512 bytes');
  });

  it('I1 is no address that its owner has not verified', async () => {
    const env = { AUTH_CLAIM_USER: 'email' };
    const email = 'alice@example.com';
    for (const email_verified of [false, 'false']) {
      expect(await verified({ email, email_verified }, env)).toEqual(refused('claims', 'email_verified'));
    }
    for (const email_verified of [true, 'true', undefined]) {
      expect((await accepted({ email, email_verified }, env)).sub).toBe(email);
    }
    expect((await accepted({ email, email_verified: false })).sub).toBe('alice');
  });
});

describe('I1 R39 entitlements', () => {
  it('I1 may be among other things in a claim that is for them too', async () => {
    const env = { AUTH_CLAIM_ENTITLEMENTS: 'scope,permissions' };
    const claims = { scope: 'openid quotes:* profile', permissions: ['read:quotes', 'depth:BTC/*'] };
    expect((await accepted(claims, env)).entitlements).toEqual(['quotes:*', 'depth:BTC/*']);
    expect((await accepted({ scope: 'openid' }, env)).entitlements).toEqual([]);
    expect((await accepted({}, env)).entitlements).toBeUndefined();
  });

  it('I1 that are none are a mistake in a claim of that name', async () => {
    expect(await verified({ entitlements: ['quotes:*', 'read:quotes'] })).toEqual(refused('claims', 'entitlements'));
  });
});

describe('R74 what a token declares', () => {
  it('R74 is read from the claims that are named, the first that is present, and absent without them', async () => {
    const declared = { firm: 'Acme', professional: false, use: 'display' };
    const result = await verified({ firm: 'Acme', professional: 'nonpro', use: 'Display' });
    expect(result).toMatchObject({ ok: true, credential: declared });
    const env = { AUTH_CLAIM_FIRM: 'org.name,company', AUTH_CLAIM_PROFESSIONAL: '/app/pro', AUTH_CLAIM_USE: 'kind' };
    const claims = { company: 'B', org: { name: 'A' }, app: { pro: true }, kind: 'non-display', use: 'sig' };
    const elsewhere = { firm: 'A', professional: true, use: 'non-display' };
    expect(await verified(claims, env)).toMatchObject({ ok: true, credential: elsewhere });
    const none = await verified({ firm: '', professional: null });
    expect(none.ok).toBe(true);
    for (const member of Object.keys(declared)) expect(none).not.toHaveProperty(['credential', member]);
  });

  it.each([
    ['firm', 7],
    ['firm', 'a\nb'],
    ['professional', 'perhaps'],
    ['use', 'sig'],
  ])('R74 refuses a token whose %s is %j', async (claim, value) => {
    expect(await verified({ [claim]: value })).toEqual(refused('claims', claim));
  });
});

describe('I1 R39 for whom a token was made', () => {
  const env = { AUTH_AUTHORIZED_PARTIES: 'web,mobile' };

  it.each(['azp', 'client_id', 'cid', 'appid'])('I1 is in %s', async claim => {
    expect((await accepted({ [claim]: 'mobile' }, env)).sub).toBe('alice');
    expect(await verified({ [claim]: 'other' }, env)).toEqual(refused('party', claim));
    expect(await verified({ [claim]: ['web'] }, env)).toEqual(refused('party', claim));
    expect((await accepted({ [claim]: 'other' })).sub).toBe('alice');
  });

  it('I1 must be said where it is demanded, and azp counts before the others', async () => {
    expect(await verified({}, env)).toEqual(refused('party', 'azp'));
    expect(await verified({ azp: 'other', client_id: 'web' }, env)).toEqual(refused('party', 'azp'));
    expect((await accepted({ azp: 'web', client_id: 'other' }, env)).sub).toBe('alice');
  });

  it('I1 is one of several audiences, of one of several issuers', async () => {
    const lists = { AUTH_AUDIENCE: 'api://one,two', AUTH_ISSUER: 'https://a.example/,https://b.example' };
    for (const [iss, aud] of [
      ['https://a.example/', 'two'],
      ['https://b.example', ['x', 'api://one']],
    ]) {
      expect((await accepted({ iss, aud }, lists)).sub).toBe('alice');
    }
    expect(await verified({ iss: 'https://a.example', aud: 'two' }, lists)).toEqual(refused('issuer', 'iss'));
    expect(await verified({ iss: 'https://b.example', aud: 'three' }, lists)).toEqual(refused('audience', 'aud'));
    expect(await verified({ aud: 'two' }, lists)).toEqual(refused('issuer', 'iss'));
  });
});

describe('I1 R39 a scope that is required', () => {
  const env = { AUTH_REQUIRED_SCOPE: 'market.read,profile' };

  it.each<[string, object]>([
    ['text', { scope: 'openid market.read profile' }],
    ['an array', { scp: ['profile', 'market.read'] }],
    ['text in scp', { scp: 'profile market.read' }],
    ['both', { scope: 'profile', scp: ['market.read'] }],
  ])('I1 may be %s', async (_, claims) => {
    expect((await accepted(claims, env)).sub).toBe('alice');
  });

  it.each<[string, object, string]>([
    ['no claim', {}, 'scope'],
    ['one of two', { scope: 'market.read' }, 'scope'],
    ['a longer one', { scp: ['market.read.all', 'profile'] }, 'scp'],
  ])('I1 is not there with %s', async (_, claims, claim) => {
    const result = await verified(claims, env);
    expect(result).toEqual(refused('scope', claim));
    expect(!result.ok && refusalText(result)).toMatch(/^its (scope|scp) lacks (market\.read|profile)$/);
  });
});

describe('I4 a refusal names the claim', () => {
  it.each<[string, object, Record<string, string>]>([
    ['exp', { exp: NOW - 60 }, {}],
    ['nbf', { nbf: NOW + 60 }, {}],
    ['iat', { iat: NOW + 60 }, {}],
    ['jti', { jti: 7 }, {}],
    ['sub', { sub: 7 }, {}],
    ['aud', {}, { AUTH_AUDIENCE: 'x' }],
    ['iss', {}, { AUTH_ISSUER: 'x' }],
    ['azp', {}, { AUTH_AUTHORIZED_PARTIES: 'x' }],
    ['scope', {}, { AUTH_REQUIRED_SCOPE: 'x' }],
    ['tier', { tier: 'x' }, {}],
    ['realm_access.roles', { realm_access: { roles: 1 } }, { AUTH_CLAIM_ROLES: 'realm_access.roles' }],
  ])('I4 %s', async (claim, claims, env) => {
    const result = await verified(claims, env);
    expect(result).toMatchObject({ ok: false, claim });
    expect(!result.ok && refusalText(result)).toContain(claim);
  });

  it('I4 and tolerates what AUTH_CLOCK_TOLERANCE says, no more', async () => {
    const ahead = (seconds: number) => ({ iat: NOW + seconds, nbf: NOW + seconds });
    for (const [text, seconds] of [
      ['1m', 60],
      ['5s', 5],
      ['0', 0],
    ] as const) {
      const env = { AUTH_CLOCK_TOLERANCE: text };
      expect((await verified(ahead(seconds), env)).ok).toBe(true);
      expect(await verified({ iat: NOW + seconds + 1 }, env)).toEqual(refused('claims', 'iat'));
      expect(await verified({ nbf: NOW + seconds + 1 }, env)).toEqual(refused('claims', 'nbf'));
      expect((await verified({ exp: NOW - seconds + 1 }, env)).ok).toBe(true);
      expect(await verified({ exp: NOW - seconds - 1 }, env)).toEqual(refused('expired', 'exp'));
    }
  });
});
