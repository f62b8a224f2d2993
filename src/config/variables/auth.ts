/** Settings that decide who may connect, and with which credentials. */
import { isEntitlement } from '../../protocol/entitlement.js';
import { isClaimPath } from '../claim-path.js';
import { optional, setting, type ValuesOf } from '../setting.js';
import { withoutSecrets } from '../url-text.js';
import { age, durationUpTo, file, list, listOrNone, matching, onOff, secret, url } from '../values.js';

const SECRET_BYTES_MIN = 32;
const CLOCK_TOLERANCE_MS_MAX = 5 * 60_000;
const DEFAULT_ENTITLEMENTS = ['quotes:*', 'trades:*', 'orderbook:*', 'depth:*', 'orders:*', 'delayed:*'];
const isOnePath = (paths: readonly string[]) => paths.length === 1;

export const credentials = {
  title: 'Credentials',
  about:
    'Who may connect. Without any `AUTH_…` key, the gateway generates one for the run and prints a token signed with it.',
  settings: {
    AUTH_JWT_SECRET: optional(secret, {
      means: 'HS256 secret that signs tokens, 32 bytes or more.',
      isReloaded: true,
    }),
    AUTH_JWT_SECRET_PREVIOUS: optional(secret, {
      means: 'Second secret that tokens may be signed with, while you rotate the first.',
      see: 'ops/README.md#reload',
      isReloaded: true,
    }),
    AUTH_JWKS_URL: optional(url, {
      means:
        'URL of the JSON Web Key Set that verifies tokens (RS, PS and ES with 256, 384 or 512 bits, EdDSA). The gateway fetches it at the ' +
        'start and every 5 minutes, and keeps the last keys for a day if it cannot. It is ready only once it has keys.',
      see: 'ops/identity.md',
    }),
    AUTH_JWKS_FILE: optional(file, {
      means: 'File with such a key set, instead of a URL. The gateway rereads a changed file within seconds.',
    }),
    AUTH_ISSUER: setting(list('issuers, separated by commas'), '', {
      means: 'Issuers of tokens: `iss` must be one of these, letter by letter. None: any.',
    }),
    AUTH_AUDIENCE: setting(list('audiences, separated by commas'), '', {
      means: 'Audiences of tokens: `aud` must name one of these. None: any.',
    }),
    AUTH_AUTHORIZED_PARTIES: setting(list('client ids, separated by commas'), '', {
      means:
        'Applications whose tokens are accepted, by the first of `azp`, `client_id`, `cid` and `appid` that the token has. None: any.',
    }),
    AUTH_REQUIRED_SCOPE: setting(list('scopes, separated by commas'), '', {
      means:
        'Scopes that a token must have, all of them, in `scope` or `scp`; otherwise the answer is 403. None: none.',
    }),
    AUTH_CLOCK_TOLERANCE: setting(durationUpTo(CLOCK_TOLERANCE_MS_MAX), '5s', {
      means:
        'How far the clock of an issuer may be off. A token is accepted this long before its `nbf` and `iat` and after its `exp`.',
    }),
    AUTH_TOKEN_MAX_AGE: optional(age, {
      means:
        'Longest time from the `iat` of a token to its `exp`; longer-lived tokens and tokens without `iat` are refused. Revocations of tokens stay in force for the same time.',
      unset: 'any token is accepted, and its revocation lasts forever',
    }),
    AUTH_API_KEYS_FILE: optional(file, {
      means:
        'File of API key hashes, written by `millrace api-key`. The gateway rereads a changed file within seconds, closes the connections of removed keys, and applies changed entries to open connections.',
    }),
    AUTH_ANONYMOUS: optional(onOff, {
      means: '`on` lets clients connect without a credential, to whatever needs none; `off` answers them with 401.',
      unset:
        '`off` if one of `AUTH_JWT_SECRET`, `AUTH_JWKS_URL`, `AUTH_JWKS_FILE` and `AUTH_API_KEYS_FILE` is set, else `on`',
    }),
    POLICY_FILE: optional(file, {
      means:
        'File with the roles that topics require: `{"roles":{"analytics:exposure-updates":["risk","admin"],"rooms:ops-*":["ops"]}}`; ' +
        'and with the entitlements that roles add: `{"entitlements":{"risk":["analytics:*"]}}`. The gateway rereads a changed file within ' +
        'seconds and applies it to open connections.',
    }),
  },
} as const;

export const claims = {
  title: 'Claims',
  about:
    'Where a token says who its user is and what the user may do. A claim is named as it is (`https://example.com/roles`), by a dotted path ' +
    '(`realm_access.roles`) or by a JSON Pointer (`/resource_access/my.client/roles`). Lists may be arrays, or text separated by blanks.',
  settings: {
    AUTH_CLAIM_USER: setting(list('a claim', isClaimPath, isOnePath), 'sub', {
      means: 'Claim with the user. If it is `email`, a token with `email_verified` `false` is refused.',
      see: 'ops/identity.md',
    }),
    AUTH_CLAIM_TIER: setting(list('claims, separated by commas', isClaimPath), 'tier', {
      means:
        'Claims that decide the tier: institutional if one of them has one of `AUTH_INSTITUTIONAL_VALUES`, else retail.',
    }),
    AUTH_INSTITUTIONAL_VALUES: setting(list('values, separated by commas'), 'institutional', {
      means: 'Values that mean the tier institutional: for example, a role, a group or a domain.',
    }),
    AUTH_CLAIM_ROLES: setting(list('claims, separated by commas', isClaimPath), 'roles', {
      means: 'Claims with the roles of the user; several are joined.',
    }),
    AUTH_CLAIM_ENTITLEMENTS: setting(list('claims, separated by commas', isClaimPath), 'entitlements', {
      means:
        'Claims with entitlements, `stream:pattern` or `delayed:pattern` each; several are joined. In `entitlements`, anything else refuses the token; in other ' +
        'claims, such as `scope`, it is ignored.',
    }),
    AUTH_CLAIM_FIRM: setting(list('claims, separated by commas', isClaimPath), 'firm', {
      means: 'Claims with the firm of the user, for usage reports; the first one present counts.',
    }),
    AUTH_CLAIM_PROFESSIONAL: setting(list('claims, separated by commas', isClaimPath), 'professional', {
      means:
        'Claims that say whether the user is a professional, `true` or `false`, `pro` or `nonpro`; the first one present counts. Anything else refuses the token.',
    }),
    AUTH_CLAIM_USE: setting(list('claims, separated by commas', isClaimPath), 'use', {
      means:
        'Claims that say what the data is used for, `display` or `non-display`; the first one present counts. Anything else refuses the token.',
    }),
    AUTH_DEFAULT_ENTITLEMENTS: setting(
      listOrNone('entitlements such as quotes:* or depth:BTC/*, separated by commas', isEntitlement),
      DEFAULT_ENTITLEMENTS.join(','),
      {
        means:
          'What a token, API key or client certificate without entitlements may see: by default, market data (late where a product does not ' +
          'allow real time) and the user’s own orders.',
      },
    ),
  },
} as const;

export const revoking = {
  title: 'Revocations',
  about:
    'Where the gateway keeps revoked credentials. If you use both a bucket and a file, each gets what the other has.',
  settings: {
    REVOCATIONS_BUCKET: setting(
      matching(/^[\w-]{1,200}$/, 'the name of a bucket (letters, digits, _ and -), or off'),
      'MILLRACE_REVOCATIONS',
      {
        means: 'JetStream key-value bucket, created if absent; `off` uses none.',
        see: 'ops/revocation.md',
      },
    ),
    REVOCATIONS_FILE: optional(file, {
      means: 'File for NATS servers without JetStream, created with mode 600 if absent.',
    }),
    REVOCATIONS_REQUIRED: setting(onOff, 'off', {
      means: '`on`: the gateway starts only if it can read its revocations, and is ready only while it can.',
    }),
  },
} as const;

export const authGroups = [credentials, claims, revoking];

export type AuthVariables = ValuesOf<typeof credentials.settings & typeof claims.settings & typeof revoking.settings>;

/** Where a token has what it says about its user: paths for `claimAt`. */
export interface ClaimsConfig {
  readonly user: string;
  readonly tier: readonly string[];
  readonly roles: readonly string[];
  readonly entitlements: readonly string[];
  /** Values of the tier's claims that mean institutional. */
  readonly institutional: readonly string[];
  /** Firm, professional or not, and use: for usage reports. */
  readonly firm: readonly string[];
  readonly professional: readonly string[];
  readonly use: readonly string[];
}

export interface AuthConfig {
  readonly secret: string | undefined;
  /** The secret before it, which still verifies tokens. */
  readonly previousSecret?: string | undefined;
  readonly jwksUrl: string | undefined;
  readonly jwksFile: string | undefined;
  /** Of each list, a token needs one; an empty list accepts any. */
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  readonly authorizedParties: readonly string[];
  /** A token needs all of these. */
  readonly requiredScopes: readonly string[];
  readonly claims: ClaimsConfig;
  /** Entitlements of a credential that has none. */
  readonly defaultEntitlements: readonly string[];
  /** How far the clock of an issuer may be off. */
  readonly clockToleranceMs: number;
  /** Longest time from a token's `iat` to its `exp`; undefined: any. */
  readonly tokenMaxAgeMs?: number | undefined;
  /** File of API key hashes. */
  readonly apiKeysFile: string | undefined;
  /** File with the roles that topics require. */
  readonly policyFile: string | undefined;
}

export function authConfig(v: AuthVariables): AuthConfig {
  return {
    secret: v.AUTH_JWT_SECRET,
    previousSecret: v.AUTH_JWT_SECRET_PREVIOUS,
    jwksUrl: v.AUTH_JWKS_URL,
    jwksFile: v.AUTH_JWKS_FILE,
    issuers: v.AUTH_ISSUER,
    audiences: v.AUTH_AUDIENCE,
    authorizedParties: v.AUTH_AUTHORIZED_PARTIES,
    requiredScopes: v.AUTH_REQUIRED_SCOPE,
    claims: {
      user: v.AUTH_CLAIM_USER[0] ?? 'sub',
      tier: v.AUTH_CLAIM_TIER,
      roles: v.AUTH_CLAIM_ROLES,
      entitlements: v.AUTH_CLAIM_ENTITLEMENTS,
      institutional: v.AUTH_INSTITUTIONAL_VALUES,
      firm: v.AUTH_CLAIM_FIRM,
      professional: v.AUTH_CLAIM_PROFESSIONAL,
      use: v.AUTH_CLAIM_USE,
    },
    defaultEntitlements: v.AUTH_DEFAULT_ENTITLEMENTS,
    clockToleranceMs: v.AUTH_CLOCK_TOLERANCE,
    tokenMaxAgeMs: v.AUTH_TOKEN_MAX_AGE,
    apiKeysFile: v.AUTH_API_KEYS_FILE,
    policyFile: v.POLICY_FILE,
  };
}

/**
 * True if nothing is configured that could verify a credential. The gateway then makes a key for the run: it lets in
 * those who see its output.
 */
export function makesOwnKey({ secret, jwksUrl, jwksFile, apiKeysFile }: AuthConfig): boolean {
  return [secret, jwksUrl, jwksFile, apiKeysFile].every(source => source === undefined);
}

/** True if tokens are accepted that their issuer made for other applications: the keys of a key set sign those too. */
export function acceptsForeignTokens(auth: AuthConfig): boolean {
  const { jwksUrl, jwksFile, audiences, authorizedParties, requiredScopes } = auth;
  const hasKeySet = jwksUrl !== undefined || jwksFile !== undefined;
  return hasKeySet && [audiences, authorizedParties, requiredScopes].every(list => list.length === 0);
}

/** Whether clients may connect without a credential: by default, only if no credential could be verified. */
export function allowsAnonymous(v: AuthVariables): boolean {
  return v.AUTH_ANONYMOUS ?? makesOwnKey(authConfig(v));
}

export interface RevocationsConfig {
  /** Name of the NATS key-value bucket; undefined: none. */
  readonly bucket: string | undefined;
  readonly file: string | undefined;
  /** The gateway is ready only while its revocations are readable. */
  readonly isRequired: boolean;
}

export function revocationsConfig(v: AuthVariables): RevocationsConfig {
  return {
    bucket: v.REVOCATIONS_BUCKET === 'off' ? undefined : v.REVOCATIONS_BUCKET,
    file: v.REVOCATIONS_FILE,
    isRequired: v.REVOCATIONS_REQUIRED,
  };
}

/** Conflicts between these settings. @param feed the configured feed */
export function authProblems(v: AuthVariables, feed: string): string[] {
  const wrong: string[] = [];
  const secrets = { AUTH_JWT_SECRET: v.AUTH_JWT_SECRET, AUTH_JWT_SECRET_PREVIOUS: v.AUTH_JWT_SECRET_PREVIOUS };
  for (const [name, text] of Object.entries(secrets)) {
    if (text !== undefined && Buffer.byteLength(text) < SECRET_BYTES_MIN) {
      wrong.push(`${name}: must be at least ${SECRET_BYTES_MIN} bytes for HS256 (RFC 7518 section 3.2)`);
    }
  }
  if (v.AUTH_JWT_SECRET_PREVIOUS !== undefined && v.AUTH_JWT_SECRET === undefined) {
    wrong.push('AUTH_JWT_SECRET_PREVIOUS: needs AUTH_JWT_SECRET');
  }
  const keys = [v.AUTH_JWT_SECRET, v.AUTH_JWKS_URL, v.AUTH_JWKS_FILE].filter(key => key !== undefined);
  if (keys.length > 1) wrong.push('AUTH_JWT_SECRET, AUTH_JWKS_URL, AUTH_JWKS_FILE: set only one of them');
  if (keys.length === 0) wrong.push(...tokenSettingsWithoutKey(v));
  if (v.AUTH_JWKS_URL !== undefined && !isHttpUrl(v.AUTH_JWKS_URL)) {
    const shown = JSON.stringify(withoutSecrets(v.AUTH_JWKS_URL));
    wrong.push(`AUTH_JWKS_URL=${shown}: must be an http(s) URL of a JSON Web Key Set`);
  }
  const hasBucket = feed === 'nats' && v.REVOCATIONS_BUCKET !== 'off';
  if (v.REVOCATIONS_REQUIRED && v.REVOCATIONS_FILE === undefined && !hasBucket) {
    wrong.push('REVOCATIONS_REQUIRED=on: needs REVOCATIONS_FILE, or FEED=nats with a REVOCATIONS_BUCKET');
  }
  return wrong;
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}

/** Settings that read tokens, if no key verifies tokens: they would have no effect. */
function tokenSettingsWithoutKey(v: AuthVariables): string[] {
  const lists = {
    AUTH_AUTHORIZED_PARTIES: v.AUTH_AUTHORIZED_PARTIES,
    AUTH_REQUIRED_SCOPE: v.AUTH_REQUIRED_SCOPE,
    AUTH_CLAIM_USER: v.AUTH_CLAIM_USER,
    AUTH_CLAIM_TIER: v.AUTH_CLAIM_TIER,
    AUTH_INSTITUTIONAL_VALUES: v.AUTH_INSTITUTIONAL_VALUES,
    AUTH_CLAIM_ROLES: v.AUTH_CLAIM_ROLES,
    AUTH_CLAIM_ENTITLEMENTS: v.AUTH_CLAIM_ENTITLEMENTS,
    AUTH_CLAIM_FIRM: v.AUTH_CLAIM_FIRM,
    AUTH_CLAIM_PROFESSIONAL: v.AUTH_CLAIM_PROFESSIONAL,
    AUTH_CLAIM_USE: v.AUTH_CLAIM_USE,
  };
  const names: Readonly<Record<string, { readonly default: string | undefined }>> = {
    ...credentials.settings,
    ...claims.settings,
  };
  const set = Object.entries(lists).filter(([name, items]) => items.join(',') !== names[name]?.default);
  return set.map(([name]) => `${name}: needs AUTH_JWT_SECRET, AUTH_JWKS_URL or AUTH_JWKS_FILE`);
}
