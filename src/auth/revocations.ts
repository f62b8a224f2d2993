/** Revoked credentials: what each gateway thread refuses, kept as long as such a credential may live. */
import type { Config } from '../config/environment.js';
import type { Credential } from './credential.js';
import { REVOCATION_KINDS, type Revocation, type RevocationKind } from './revocation-text.js';

/** Most revocations in force; a further one is refused, because none of the others may be forgotten. */
export const REVOCATIONS_MAX = 1_000_000;
/** How often to check some revocations for expiry, and how many. */
export const REVOCATIONS_EXPIRE_MS = 60_000;
const CHECKED_AT_ONCE = 10_000;
/** Added to the longest life of a token, with twice the tolerance: it may begin that early and end that late. */
const LIFE_MARGIN_MS = 60_000;

/** How long revoked credentials may live. */
export interface CredentialLives {
  /** Longest life of a token; undefined: unlimited. */
  readonly tokenMaxAgeMs: number | undefined;
  /** API keys or client certificates are accepted too, which may live for years. */
  readonly hasLongLived: boolean;
  /** How far the clock of an issuer may be off. */
  readonly clockToleranceMs: number;
}

export function livesOf({ auth, tls }: Pick<Config, 'auth' | 'tls'>): CredentialLives {
  const { tokenMaxAgeMs, apiKeysFile, clockToleranceMs } = auth;
  return { tokenMaxAgeMs, hasLongLived: apiKeysFile !== undefined || tls?.clientAuth === 'user', clockToleranceMs };
}

/** How long a revocation stays in force, in ms; Infinity: forever. */
export function lifeMsOf(by: RevocationKind, lives: CredentialLives): number {
  const { tokenMaxAgeMs, hasLongLived, clockToleranceMs } = lives;
  if (tokenMaxAgeMs === undefined || by === 'api_key' || (by === 'sub' && hasLongLived))
    return Number.POSITIVE_INFINITY;
  return tokenMaxAgeMs + LIFE_MARGIN_MS + 2 * clockToleranceMs;
}

/**
 * True if the revocation ends the credential. A user's revocation spares credentials issued later, but ends those that
 * do not say when they were issued.
 *
 * `iat` is by the issuer's clock, which may be ahead of ours by the tolerance. So a token whose `iat` is that
 * soon after the revocation may have been issued before it. Neither the token nor whether the gateway has seen it before
 * can prove otherwise, so it ends too. A user who logs in again within those seconds is refused and needs another token.
 * Otherwise, a token that was kept back would outlive the revocation. (`iat` counts whole seconds, rounded down, which
 * errs on the same side.) An API key's `created_at` is set by the operator and trusted: a key created right after a
 * revocation must not be dead forever.
 */
export function matches(revocation: Revocation, credential: Credential, clockToleranceMs: number): boolean {
  switch (revocation.by) {
    case 'jti':
      return credential.jti === revocation.value;
    case 'api_key':
      return credential.apiKeyId === revocation.value;
    case 'sub':
      return credential.sub === revocation.value && isIssuedUntil(revocation.atMs, credential, clockToleranceMs);
  }
}

function isIssuedUntil(atMs: number, { issuedAtMs, apiKeyId }: Credential, clockToleranceMs: number): boolean {
  if (issuedAtMs === undefined) return true;
  return issuedAtMs <= atMs + (apiKeyId === undefined ? clockToleranceMs : 0);
}

/** `known`: nothing changed. `full`: there is no room for it. */
type TakeOutcome = 'new' | 'later' | 'known' | 'full';

export interface RevocationListOptions {
  readonly lives: CredentialLives;
  /** Ms since the Unix epoch. */
  readonly nowMs?: () => number;
  /** Of a clock that is never set. */
  readonly monotonicMs?: () => number;
  readonly max?: number;
}

/** Some revocations, and where the next page starts; `next` is undefined on the last page. */
export interface RevocationPage {
  readonly revocations: readonly Revocation[];
  readonly next: string | undefined;
}

interface Entry {
  revocation: Revocation;
  /** Position in the list, counted from its beginning. */
  readonly number: number;
  /** Kept at least until this time of the monotonic clock, whatever the wall clock says. */
  keptUntilMs: number;
}

export class RevocationList {
  readonly #lives: CredentialLives;
  readonly #nowMs: () => number;
  readonly #monotonicMs: () => number;
  readonly #max: number;
  /** By value, in order of arrival. */
  readonly #byKind: Readonly<Record<RevocationKind, Map<string, Entry>>> = {
    sub: new Map(),
    jti: new Map(),
    api_key: new Map(),
  };
  #lastNumber = 0;
  #expiring: IterableIterator<Entry> | undefined;

  constructor(options: RevocationListOptions) {
    this.#lives = options.lives;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#max = options.max ?? REVOCATIONS_MAX;
  }

  get size(): number {
    return REVOCATION_KINDS.reduce((sum, kind) => sum + this.#byKind[kind].size, 0);
  }

  /** All revocations kept. */
  *[Symbol.iterator](): IterableIterator<Revocation> {
    for (const { revocation } of this.#entries()) yield revocation;
  }

  /** When the revocation expires, ms since the Unix epoch; Infinity: never. */
  expiresAtMs({ by, atMs }: Revocation): number {
    return atMs + lifeMsOf(by, this.#lives);
  }

  isInForce(revocation: Revocation): boolean {
    return this.#nowMs() <= this.expiresAtMs(revocation);
  }

  /**
   * True once a store may forget it. Stores keep revocations for twice their life, because a clock that is ahead must
   * not delete what is still in force.
   */
  isLongOver({ by, atMs }: Revocation): boolean {
    return this.#nowMs() > atMs + 2 * lifeMsOf(by, this.#lives);
  }

  /** The revocation in the list for the same credential or user. */
  get({ by, value }: Pick<Revocation, 'by' | 'value'>): Revocation | undefined {
    return this.#byKind[by].get(value)?.revocation;
  }

  /** Of two revocations of the same credential or user, the later one counts: it ends more. */
  take(revocation: Revocation): TakeOutcome {
    const { by, value, atMs } = revocation;
    const lifeMs = lifeMsOf(by, this.#lives);
    const entries = this.#byKind[by];
    const keptUntilMs = this.#monotonicMs() + lifeMs;
    const entry = entries.get(value);
    if (entry === undefined) {
      if (this.size >= this.#max) return 'full';
      entries.set(value, { revocation, number: ++this.#lastNumber, keptUntilMs });
      return 'new';
    }
    if (atMs <= entry.revocation.atMs) return 'known';
    entry.revocation = revocation;
    entry.keptUntilMs = keptUntilMs;
    return 'later';
  }

  /** True if a revocation ends the credential. */
  covers(credential: Credential): boolean {
    const { sub, jti, apiKeyId } = credential;
    return (
      this.#ends('sub', sub, credential) ||
      this.#ends('jti', jti, credential) ||
      this.#ends('api_key', apiKeyId, credential)
    );
  }

  /** Removes expired entries among the next `steps`. An expired entry does no harm; it only takes room. */
  expire(steps = CHECKED_AT_ONCE): void {
    this.#expiring ??= this.#entries();
    for (let step = 0; step < steps; step++) {
      const { value: entry, done } = this.#expiring.next();
      if (done === true) {
        this.#expiring = undefined;
        return;
      }
      const { revocation, keptUntilMs } = entry;
      // By both clocks: setting one ahead or back must not admit a revoked token.
      if (this.#monotonicMs() > keptUntilMs && !this.isInForce(revocation)) {
        this.#byKind[revocation.by].delete(revocation.value);
      }
    }
  }

  /**
   * At most `max` revocations. An entry that exists during the whole reading is on one of the pages.
   * @param after `next` of the previous page; '' for the first
   * @returns undefined if `after` is invalid
   */
  page(after: string, max: number): RevocationPage | undefined {
    const [, kind = 'sub', number = '0'] = /^(sub|jti|api_key)\.(\d{1,15})$/.exec(after) ?? [];
    if (after !== '' && after !== `${kind}.${number}`) return undefined;
    const revocations: Revocation[] = [];
    const kinds = REVOCATION_KINDS.slice(REVOCATION_KINDS.indexOf(kind as RevocationKind));
    let at = '';
    for (const by of kinds) {
      for (const entry of this.#byKind[by].values()) {
        if (by === kind && entry.number <= Number(number)) continue;
        if (revocations.length === max) return { revocations, next: at };
        revocations.push(entry.revocation);
        at = `${by}.${entry.number}`;
      }
    }
    return { revocations, next: undefined };
  }

  *#entries(): IterableIterator<Entry> {
    for (const kind of REVOCATION_KINDS) yield* this.#byKind[kind].values();
  }

  #ends(by: RevocationKind, value: string | undefined, credential: Credential): boolean {
    if (value === undefined) return false;
    const entry = this.#byKind[by].get(value);
    return entry !== undefined && matches(entry.revocation, credential, this.#lives.clockToleranceMs);
  }
}
