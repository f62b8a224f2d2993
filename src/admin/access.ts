/** Who may use the admin port, and as what: by ADMIN_TOKEN, or by a JSON Web Token with a role. */
import type { IncomingMessage } from 'node:http';
import type { Credential } from '../auth/credential.js';
import type { KeySource } from '../auth/key-set.js';
import { isSameText } from '../auth/same-text.js';
import { createTokenVerifier, type TokenVerifier } from '../auth/token.js';
import type { Config } from '../config/environment.js';
import { isLoopback } from '../config/hosts.js';
import type { Logger } from '../observe/log.js';
import { AttemptLimiter } from './attempt-limiter.js';
import type { Caller } from './route.js';

const BEARER = /^Bearer +(\S+)$/i;
/** As an operator names themselves: printable ASCII. */
const OPERATOR = /^[\x20-\x7e]{1,64}$/;

type Access =
  | { readonly ok: true; readonly caller: Caller }
  | { readonly ok: false; readonly why: 'unauthorized' | 'forbidden' | 'bad_operator' }
  | { readonly ok: false; readonly why: 'rate_limited'; readonly retryAfterSeconds: number };

type Asked = Pick<IncomingMessage, 'headers' | 'socket'>;

interface AdminAccessOptions {
  /** In force: a reload may bring another token or other keys. */
  readonly config: () => Pick<Config, 'adminToken' | 'adminRole' | 'adminReadRole' | 'auth'>;
  readonly keys: KeySource;
  readonly isRevoked: (credential: Credential) => boolean;
  /** How the log names a user. */
  readonly shownUser: (user: string) => string;
  /** A wrong token. @param address for IPv6, its /64 */
  readonly onWrong: (address: string) => void;
  readonly onFault: (what: string, cause: unknown) => void;
}

export class AdminAccess {
  readonly #options: AdminAccessOptions;
  readonly #limiter: AttemptLimiter;
  /** For the keys of this configuration. */
  #verifier: { readonly auth: Config['auth']; readonly made: Promise<TokenVerifier | undefined> } | undefined;

  constructor(options: AdminAccessOptions) {
    this.#options = options;
    this.#limiter = new AttemptLimiter({ nowMs: () => performance.now(), onWrong: options.onWrong });
  }

  async of(request: Asked): Promise<Access> {
    const operator = request.headers['x-operator']?.toString();
    const access = await this.#check(request, operator);
    // Strangers learn nothing from it.
    const isBad = operator !== undefined && !OPERATOR.test(operator);
    return access.ok && isBad ? { ok: false, why: 'bad_operator' } : access;
  }

  async #check({ headers: { authorization }, socket }: Asked, operator: string | undefined): Promise<Access> {
    const { adminToken } = this.#options.config();
    if (!this.#isProtected) return accepted('admin', operator ?? 'local');
    if (authorization === undefined) return { ok: false, why: 'unauthorized' };
    // Accept the right one even from a limited address, which may be a proxy: neither 32 bytes nor a signature can be
    // guessed at any rate.
    if (adminToken !== undefined && isSameText(authorization, `Bearer ${adminToken}`)) {
      return accepted('admin', operator ?? 'token');
    }
    const credential = await this.#credentialOf(authorization);
    if (credential !== undefined) return this.#byRole(credential);
    const waitMs = this.#limiter.failed(socket.remoteAddress ?? '');
    if (waitMs === undefined) return { ok: false, why: 'unauthorized' };
    return { ok: false, why: 'rate_limited', retryAfterSeconds: Math.ceil(waitMs / 1000) };
  }

  get #hasRoles(): boolean {
    const { adminRole, adminReadRole } = this.#options.config();
    return adminRole !== undefined || adminReadRole !== undefined;
  }

  get #isProtected(): boolean {
    return this.#options.config().adminToken !== undefined || this.#hasRoles;
  }

  #byRole({ sub, roles }: Credential): Access {
    const { adminRole, adminReadRole } = this.#options.config();
    const shown = this.#options.shownUser(sub);
    if (adminRole !== undefined && roles.includes(adminRole)) return accepted('admin', sub, shown);
    if (adminReadRole !== undefined && roles.includes(adminReadRole)) return accepted('operator', sub, shown);
    return { ok: false, why: 'forbidden' };
  }

  async #credentialOf(authorization: string): Promise<Credential | undefined> {
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined || !this.#hasRoles) return undefined;
    const result = await (await this.#verifierNow())?.verify(token);
    return result?.ok === true && !this.#options.isRevoked(result.credential) ? result.credential : undefined;
  }

  #verifierNow(): Promise<TokenVerifier | undefined> {
    const { auth } = this.#options.config();
    if (this.#verifier?.auth !== auth) this.#renew(auth);
    return this.#verifier?.made ?? Promise.resolve(undefined);
  }

  #renew(auth: Config['auth']): void {
    const made = createTokenVerifier(auth, { remoteKeys: this.#options.keys }).catch((cause: unknown) => {
      this.#options.onFault('tokens cannot be verified for the admin port', cause);
      // Try again with the next request.
      if (this.#verifier?.auth === auth) this.#verifier = undefined;
      return undefined;
    });
    this.#verifier = { auth, made };
  }

  /** Reads the keys of tokens again: their file has changed. */
  keysChanged(): void {
    this.#verifier = undefined;
  }
}

const accepted = (role: Caller['role'], name: string, shown = name): Access => ({
  ok: true,
  caller: { role, name, shown },
});

/**
 * The token after a reload. The address stays as it was at the start, so a reload that moves the port to loopback and
 * removes the token would open it to all until the restart: the token is kept.
 */
export function adminTokenAfter(inForce: Config, fresh: Config, log: Logger): string | undefined {
  const { adminHost, adminToken, adminRole, adminReadRole } = inForce;
  const hasRole = adminRole !== undefined || adminReadRole !== undefined;
  if (fresh.adminToken !== undefined || adminToken === undefined || hasRole || isLoopback(adminHost)) {
    return fresh.adminToken;
  }
  log.error({ adminHost }, 'reload: keeping ADMIN_TOKEN, which the admin port needs on this address until the restart');
  return adminToken;
}
