/** The recipes of ops/identity.md: the settings as they stand there read such tokens as it says, and no others. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileEntitlements, type Entitlements } from '../../../src/auth/credential.js';
import { openPolicy } from '../../../src/auth/policy.js';
import { RemoteKeySet } from '../../../src/auth/remote-key-set.js';
import { createTokenVerifier } from '../../../src/auth/token.js';
import type { TokenResult } from '../../../src/auth/token-refusal.js';
import { settingNotices } from '../../../src/config/effective.js';
import { readConfig } from '../../../src/config/environment.js';
import { documentedPolicy, type Issuer, type Recipe, recipes, startIssuer } from '../../support/identity-recipes.js';

const PROVIDERS = ['Auth0', 'Keycloak', 'Amazon Cognito', 'Microsoft Entra ID', 'Okta', 'Google'];
const FOREIGN = 'https://elsewhere.example';

let issuer: Issuer;
let directory = '';

beforeAll(async () => {
  issuer = await startIssuer();
  directory = await mkdtemp(join(tmpdir(), 'millrace-identity-'));
  await writeFile(join(directory, 'policy.json'), documentedPolicy());
});
afterAll(async () => {
  await issuer.close();
  await rm(directory, { recursive: true, force: true });
});

/** The document's settings, but for where its key set and its policy file are. */
function environment({ settings }: Recipe): Record<string, string> {
  expect(settings.AUTH_JWKS_URL).toMatch(/^https:/);
  const policy = settings.POLICY_FILE === undefined ? {} : { POLICY_FILE: join(directory, 'policy.json') };
  return { ...settings, AUTH_JWKS_URL: issuer.jwksUrl, ...policy };
}

async function verified(recipe: Recipe, token: string): Promise<TokenResult> {
  const { auth } = readConfig(environment(recipe));
  const remoteKeys = new RemoteKeySet({ url: issuer.jwksUrl, log: { info: () => {}, error: () => {} } });
  try {
    return await (await createTokenVerifier(auth, { remoteKeys })).verify(token);
  } finally {
    remoteKeys.close();
  }
}

async function entitlementsOf(recipe: Recipe): Promise<Entitlements> {
  const { auth } = readConfig(environment(recipe));
  const result = await verified(recipe, await issuer.sign(recipe.claims));
  if (!result.ok) throw new Error(result.reason);
  return compileEntitlements(result.credential, await openPolicy(auth.policyFile), auth.defaultEntitlements);
}

async function reasonFor(recipe: Recipe, more: Record<string, unknown>): Promise<string> {
  const result = await verified(recipe, await issuer.sign(recipe.claims, more));
  return result.ok ? 'accepted' : result.reason;
}

it('I1 R39 ops/identity.md has a recipe for each provider', () => {
  expect(recipes().map(({ provider }) => provider)).toEqual(PROVIDERS);
});

describe.each(recipes().map(recipe => [recipe.provider, recipe] as const))('I1 R39 the recipe for %s', (_, recipe) => {
  it('I1 names settings that a gateway starts with, and leaves no other application’s tokens in', () => {
    const env = environment(recipe);
    expect(settingNotices(env, readConfig(env))).toEqual([]);
  });

  it('I1 reads user, tier, roles and entitlements as the document says', async () => {
    const result = await verified(recipe, await issuer.sign(recipe.claims));
    const { user, tier, roles, entitlements } = recipe.read;
    expect(result).toMatchObject({ ok: true, credential: { sub: user, tier, roles, entitlements } });
  });

  it('I1 I2 opens what the document says, and nothing besides', async () => {
    const may = await entitlementsOf(recipe);
    const has = (role: string) => recipe.settings.POLICY_FILE !== undefined && recipe.read.roles.includes(role);
    expect(may.maySubscribe('quotes', 'AAPL')).toBe(true);
    expect(may.maySubscribe('orders', recipe.read.user)).toBe(true);
    expect(may.maySubscribe('orders', 'somebody')).toBe(false);
    expect(may.maySubscribe('trades', 'AAPL')).toBe(recipe.read.entitlements === undefined);
    expect(may.maySubscribe('analytics', 'alerts')).toBe(has('risk'));
    expect(may.maySubscribe('analytics', 'exposure-updates')).toBe(has('risk'));
    expect(may.maySubscribe('rooms', 'desk-7')).toBe(has('trader'));
    expect(may.maySubscribe('rooms', 'lobby')).toBe(false);
    expect(may.hasFullTrades).toBe(false);
  });

  it('I1 makes a user without the role, group or domain retail', async () => {
    const names = (recipe.settings.AUTH_CLAIM_TIER ?? '').split('.');
    const result = await verified(recipe, await issuer.sign(recipe.claims, { [names[0] ?? '']: undefined }));
    // A claim with dots in its name is not nested.
    const whole = await verified(recipe, await issuer.sign(recipe.claims, { [names.join('.')]: undefined }));
    const tiers = [result, whole].map(one => one.ok && one.credential.tier);
    expect(tiers).toContain('retail');
  });

  it('I3 I4 refuses a forged token, another issuer, another application, and one that is over', async () => {
    const forged = await verified(recipe, await issuer.forge(recipe.claims));
    expect(forged).toMatchObject({ reason: 'signature' });
    expect(await reasonFor(recipe, { iss: FOREIGN })).toBe('issuer');
    const foreign = await reasonFor(recipe, { aud: FOREIGN, azp: FOREIGN, client_id: FOREIGN, cid: FOREIGN });
    expect(['audience', 'party']).toContain(foreign);
    const now = Math.floor(Date.now() / 1000);
    expect(await reasonFor(recipe, { iat: now - 7200, nbf: now - 7200, exp: now - 3600 })).toBe('expired');
    expect(await reasonFor(recipe, { exp: undefined })).toBe('claims');
  });

  it.runIf(recipe.settings.AUTH_REQUIRED_SCOPE !== undefined)('I1 refuses a token without its scope', async () => {
    expect(await reasonFor(recipe, { scope: 'openid', scp: undefined })).toBe('scope');
  });
});

describe('I1 R39 what the document says besides', () => {
  const recipe = (provider: string) => recipes().find(one => one.provider === provider) as Recipe;
  const accepted = (provider: string, more: Record<string, unknown>) => reasonFor(recipe(provider), more);

  it('I1 Entra ID: tokens of version 1 are accepted too', async () => {
    const { AUTH_ISSUER = '', AUTH_AUDIENCE = '' } = recipe('Microsoft Entra ID').settings;
    const [, iss] = AUTH_ISSUER.split(',');
    const [, aud] = AUTH_AUDIENCE.split(',');
    const version1 = { iss, aud, ver: '1.0', azp: undefined, appid: 'd4e7a2c9-1b3f-4860-95a8-6c0f2e9b7d13' };
    expect(await accepted('Microsoft Entra ID', version1)).toBe('accepted');
  });

  it('I1 Google: the issuer may lack its scheme', async () => {
    expect(await accepted('Google', { iss: 'accounts.google.com' })).toBe('accepted');
  });

  it('I1 Cognito: an ID token, which has an audience and no scope, is refused', async () => {
    const id = {
      aud: recipe('Amazon Cognito').claims.client_id,
      client_id: undefined,
      scope: undefined,
      token_use: 'id',
    };
    expect(await accepted('Amazon Cognito', id)).toBe('party');
  });

  it('I1 Auth0: an issuer without the slash at its end is another one', async () => {
    expect(await accepted('Auth0', { iss: 'https://example.eu.auth0.com' })).toBe('issuer');
  });
});
