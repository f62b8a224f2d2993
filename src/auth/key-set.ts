/**
 * Verifies tokens with the keys of a JSON Web Key Set (RFC 7517). The set may change while the gateway runs; a key that
 * it lacks may be a new one, so the set is asked for again.
 */
import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTClaimVerificationOptions,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';

/** Algorithms allowed for the keys of a key set; jose also requires that the key fits. */
const KEY_SET_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** Where keys come from. */
export interface KeySource {
  /** The newest keys, another object whenever they change; undefined: there are none that may be used. */
  readonly keys: JSONWebKeySet | undefined;
  /** Gets newer keys if that is possible now. Never rejects. */
  refresh(): Promise<void>;
}

/** There are no keys to verify with. */
class NoKeysError extends Error {
  override readonly name = 'NoKeysError';
}

export class KeySet {
  readonly #source: KeySource;
  readonly #onChanged: () => void;
  /** The keys that `#find` looks in. */
  #known: JSONWebKeySet | undefined;
  #text = '';
  #find: JWTVerifyGetKey<CryptoKey> | undefined;

  /** @param onChanged called before the first token is verified with other keys than the one before it */
  constructor(source: KeySource, onChanged: () => void) {
    this.#source = source;
    this.#onChanged = onChanged;
  }

  /**
   * The claims of a token with three base64url parts.
   * @throws {errors.JOSEError} saying why the token is refused. @throws {NoKeysError}
   */
  async verified(token: string, claims: JWTClaimVerificationOptions): Promise<JWTPayload> {
    const options: JWTVerifyOptions = { ...claims, algorithms: KEY_SET_ALGORITHMS };
    return (await jwtVerify(token, this.#key, options).catch(error => this.#byOneOf(error, token, options))).payload;
  }

  /** Takes note of new keys. */
  look(): void {
    const { keys } = this.#source;
    if (keys === this.#known) return;
    const text = JSON.stringify(keys) ?? '';
    this.#known = keys;
    if (text === this.#text) return;
    if (this.#text !== '') this.#onChanged();
    this.#text = text;
    this.#find = keys === undefined ? undefined : createLocalJWKSet(keys);
  }

  readonly #key: JWTVerifyGetKey<CryptoKey> = async (...token) => {
    this.look();
    if (this.#find !== undefined) {
      try {
        return await this.#find(...token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      }
    }
    await this.#source.refresh();
    this.look();
    if (this.#find === undefined) throw new NoKeysError('there are no keys');
    return this.#find(...token);
  };

  /** During a key rotation, two keys of one type match a token without `kid`: one of them has to verify it. */
  async #byOneOf(error: unknown, token: string, options: JWTVerifyOptions) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    for await (const candidate of error) {
      try {
        return await jwtVerify(token, candidate, options);
      } catch (cause) {
        if (!(cause instanceof errors.JWSSignatureVerificationFailed)) throw cause;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}
