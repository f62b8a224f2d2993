/**
 * Credentials that the gateway makes itself, for the live view of its dashboard: for this run and a few minutes, to read
 * public topics and publish nothing. They are bound to the page that asked for them, which another page cannot imitate.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Credential } from './credential.js';
import type { TokenKeys } from './keys.js';
import { isSameText } from './same-text.js';
import type { TokenVerifier } from './token.js';
import { refusedToken, type TokenResult } from './token-refusal.js';

const LIFE_MS = 10 * 60_000;
/** Begins such a token. No JSON Web Token does: it is no base64url of an object. */
const PREFIX = 'millrace-live';
const FORM = /^millrace-live\.([\w-]+)\.([\w-]+)$/;
const TOKEN_LENGTH_MAX = 1_024;
const USER_BYTES = 6;
const TOPICS = ['quotes:*', 'trades:*', 'orderbook:*', 'depth:*', 'analytics:*'] as const;

interface LiveClaims {
  /** Each token is a user of its own: limits per user do not add up over dashboards. */
  readonly user: string;
  readonly expiresAtMs: number;
  readonly origin: string | undefined;
}

export class LiveTokens {
  readonly #secret: string;
  readonly #nowMs: () => number;

  /** @param secret of this run. @param nowMs ms since the Unix epoch */
  constructor(secret: string, nowMs: () => number = Date.now) {
    this.#secret = secret;
    this.#nowMs = nowMs;
  }

  static newSecret(): string {
    return randomBytes(32).toString('hex');
  }

  /** @param origin of the page that will use it; undefined: none */
  mint(origin: string | undefined): { readonly token: string; readonly expiresAtMs: number } {
    const expiresAtMs = this.#nowMs() + LIFE_MS;
    const claims: LiveClaims = { user: `live-${randomBytes(USER_BYTES).toString('hex')}`, expiresAtMs, origin };
    const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
    return { token: `${PREFIX}.${body}.${this.#signed(body)}`, expiresAtMs };
  }

  /** The page that the token is for; undefined: none, or it is no valid token. */
  originOf(token: string | undefined): string | undefined {
    return token === undefined ? undefined : this.#read(token)?.origin;
  }

  /** Undefined for tokens of another kind. */
  verify(token: string): TokenResult | undefined {
    if (!token.startsWith(`${PREFIX}.`)) return undefined;
    const claims = this.#read(token);
    if (claims === undefined) return refusedToken('signature');
    if (claims.expiresAtMs <= this.#nowMs()) return refusedToken('expired');
    const credential: Credential = {
      sub: claims.user,
      tier: 'institutional',
      roles: [],
      entitlements: TOPICS,
      expiresAtMs: claims.expiresAtMs,
      issuedAtMs: claims.expiresAtMs - LIFE_MS,
      jti: claims.user,
      apiKeyId: undefined,
    };
    return { ok: true, credential };
  }

  #read(token: string): LiveClaims | undefined {
    if (token.length > TOKEN_LENGTH_MAX) return undefined;
    const [, body = '', signature = ''] = FORM.exec(token) ?? [];
    if (body === '' || !isSameText(signature, this.#signed(body))) return undefined;
    // Signed here, so it is what `mint` wrote.
    return JSON.parse(Buffer.from(body, 'base64url').toString()) as LiveClaims;
  }

  #signed(body: string): string {
    return createHmac('sha256', this.#secret).update(body).digest('base64url');
  }
}

/** A verifier that takes these tokens, too. */
export function withLiveTokens(tokens: TokenVerifier, live: LiveTokens): TokenVerifier {
  return {
    verify: (token: string) => live.verify(token) ?? tokens.verify(token),
    remembered: (token: string) => tokens.remembered(token),
    use: (keys: TokenKeys) => tokens.use(keys),
  };
}
