/** Credentials that were taken back before their time: what `control.revoke` says, kept as long as there is room. */
import { isUser } from '../protocol/user-subject.js';
import { apiKeyIdOf } from './api-key-text.js';
import { type Credential, SUBJECT_LENGTH_MAX } from './credential.js';

/** Revocations kept at once; beyond, the oldest is forgotten, and counted. */
export const REVOCATIONS_MAX = 10_000;

export interface Revocation {
  /** Whose: every credential of a user until now, one token, or one API key (its id). */
  readonly by: 'sub' | 'jti' | 'api_key';
  readonly value: string;
  /** When it came, ms since the Unix epoch. */
  readonly atMs: number;
}

const KINDS: readonly Revocation['by'][] = ['sub', 'jti', 'api_key'];

/**
 * True when the revocation ends the credential. One of a user leaves tokens alone that say they were issued later (`iat`
 * counts whole seconds, so a token of the same second is taken for an earlier one); API keys and tokens without `iat` cannot
 * say so.
 */
export function matches(revocation: Revocation, credential: Credential): boolean {
  switch (revocation.by) {
    case 'jti':
      return credential.jti === revocation.value;
    case 'api_key':
      return credential.apiKeyId === revocation.value;
    case 'sub': {
      const { issuedAtMs } = credential;
      return credential.sub === revocation.value && (issuedAtMs === undefined || issuedAtMs <= revocation.atMs);
    }
  }
}

export class RevocationList {
  /** By {@link nameOf}, the oldest first: a Map keeps the order of insertion. */
  readonly #revocations = new Map<string, Revocation>();
  #forgotten = 0;

  get size(): number {
    return this.#revocations.size;
  }

  /** All that are kept, the oldest first. */
  [Symbol.iterator](): IterableIterator<Revocation> {
    return this.#revocations.values();
  }

  /** Revocations that left because there were too many; what they ended is accepted again where it has not expired. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /**
   * Takes a payload of `control.revoke`: exactly one of `sub`, `jti` and `api_key`, the last a key's id or a whole key.
   * @returns what was revoked, for {@link matches} on live connections; undefined for anything else.
   */
  add(message: unknown, nowMs: number): Revocation | undefined {
    const target = targetOf(message);
    if (target === undefined) return undefined;
    const name = nameOf(target.by, target.value);
    const before = this.#revocations.get(name)?.atMs ?? nowMs;
    // A clock that was set back must not shorten what is already revoked.
    const revocation: Revocation = Object.freeze({ ...target, atMs: Math.max(before, nowMs) });
    this.#revocations.delete(name);
    this.#revocations.set(name, revocation);
    if (this.#revocations.size > REVOCATIONS_MAX) this.#forgetOldest();
    return revocation;
  }

  /** True when a revocation that is kept ends the credential. */
  covers(credential: Credential): boolean {
    const { sub, jti, apiKeyId } = credential;
    return (
      this.#ends('sub', sub, credential) ||
      this.#ends('jti', jti, credential) ||
      this.#ends('api_key', apiKeyId, credential)
    );
  }

  #ends(by: Revocation['by'], value: string | undefined, credential: Credential): boolean {
    if (value === undefined) return false;
    const revocation = this.#revocations.get(nameOf(by, value));
    return revocation !== undefined && matches(revocation, credential);
  }

  #forgetOldest(): void {
    for (const oldest of this.#revocations.keys()) {
      this.#revocations.delete(oldest);
      this.#forgotten++;
      break;
    }
  }
}

function nameOf(by: Revocation['by'], value: string): string {
  return `${by}:${value}`;
}

function targetOf(message: unknown): Pick<Revocation, 'by' | 'value'> | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const [by, ...others] = KINDS.filter(kind => Object.hasOwn(message, kind));
  if (by === undefined || others.length > 0) return undefined;
  const given = (message as Readonly<Record<string, unknown>>)[by];
  if (typeof given !== 'string' || given === '') return undefined;
  if (by === 'sub' ? !isUser(given) : given.length > SUBJECT_LENGTH_MAX) return undefined;
  const value = by === 'api_key' ? apiKeyIdOf(given) : given;
  return value === undefined ? undefined : { by, value };
}
