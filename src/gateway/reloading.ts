/** What a gateway thread reads again on a reload: keys, API keys and the policy; and the settings that may change. */
import type { ApiKeyReload, ApiKeyVerifier } from '../auth/api-keys.js';
import { readTokenKeys } from '../auth/keys.js';
import { openPolicy } from '../auth/policy.js';
import type { TokenVerifier } from '../auth/token.js';
import type { AuthConfig } from '../config/environment.js';
import type { FromWorker, Reloaded, ReloadedSettings } from '../threads/thread-messages.js';
import type { Credentials } from './sessions/credentials.js';
import type { ClientLog } from './supervision/client-log.js';

export interface ReloadingParts {
  readonly auth: AuthConfig;
  readonly tokens: TokenVerifier;
  /** Undefined when no API key file is configured. */
  readonly apiKeys: ApiKeyVerifier | undefined;
  readonly credentials: Credentials;
  readonly log: ClientLog;
  readonly onApiKeys: (result: ApiKeyReload) => void;
  readonly post: (message: FromWorker) => void;
}

export class Reloading {
  readonly #parts: ReloadingParts;
  /** The configured keys, with the secrets of the last reload. */
  #auth: AuthConfig;

  constructor(parts: ReloadingParts) {
    this.#parts = parts;
    this.#auth = parts.auth;
  }

  /** Never rejects: what is unusable is reported, and stays as it was. */
  async reload(id: number, settings: ReloadedSettings): Promise<void> {
    this.#parts.log.settings = settings;
    const { secret, previousSecret } = settings;
    const hasNewSecret = secret !== this.#auth.secret || previousSecret !== this.#auth.previousSecret;
    this.#auth = { ...this.#auth, secret, previousSecret };
    const { jwksFile, jwksUrl, apiKeysFile, policyFile } = this.#auth;
    const reloads: readonly [name: string, isDue: boolean, reload: () => Promise<void>][] = [
      ['AUTH_JWKS_FILE', jwksFile !== undefined, () => this.#keys()],
      ['AUTH_JWKS_URL', jwksUrl !== undefined, () => this.#keys()],
      ['AUTH_JWT_SECRET', hasNewSecret, () => this.#keys()],
      ['AUTH_API_KEYS_FILE', apiKeysFile !== undefined, () => this.#apiKeys()],
      ['POLICY_FILE', policyFile !== undefined, () => this.#policy()],
    ];
    const due = reloads.filter(([, isDue]) => isDue);
    const reloaded = await Promise.all(due.map(([name, , reload]) => outcomeOf(name, reload)));
    this.#parts.post({ type: 'reloaded', id, reloaded });
  }

  async #keys(): Promise<void> {
    this.#parts.tokens.use(await readTokenKeys(this.#auth, () => performance.now()));
  }

  async #apiKeys(): Promise<void> {
    const result = await this.#parts.apiKeys?.reload();
    if (result?.ok === false) throw result.error;
    if (result !== undefined) this.#parts.onApiKeys(result);
  }

  async #policy(): Promise<void> {
    this.#parts.credentials.usePolicy(await openPolicy(this.#parts.auth.policyFile));
  }
}

async function outcomeOf(name: string, reload: () => Promise<void>): Promise<Reloaded> {
  try {
    await reload();
    return { name, problem: undefined };
  } catch (cause) {
    return { name, problem: cause instanceof Error ? cause.message : String(cause) };
  }
}
