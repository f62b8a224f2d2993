/**
 * What decides, in one worker, who may do what: keys of tokens, API keys, authorities of client certificates, the policy
 * and the products. Their files are reread when they change; unusable ones are reported, and what was read before stays in force.
 */
import type { JSONWebKeySet } from 'jose';
import { type ApiKeyReload, openApiKeys } from '../../auth/api-keys.js';
import { ClientAuthorities } from '../../auth/client-authorities.js';
import { readTokenKeys } from '../../auth/keys.js';
import { type LiveTokens, withLiveTokens } from '../../auth/live-token.js';
import { openPolicy } from '../../auth/policy.js';
import { NO_PRODUCTS, type Products } from '../../auth/product.js';
import { createTokenVerifier } from '../../auth/token.js';
import { ConfigError } from '../../config/config-error.js';
import type { AuthConfig, Config } from '../../config/environment.js';
import { WatchedFiles } from '../../config/watched-files.js';
import type { Reloaded } from '../../threads/thread-messages.js';
import type { Authentication, Credentials } from './credentials.js';
import { PostedKeySet } from './posted-key-set.js';

interface AccessOptions {
  readonly config: Pick<Config, 'auth' | 'tls' | 'products'>;
  /** The keys at AUTH_JWKS_URL, if the main thread has any. */
  readonly keys: JSONWebKeySet | undefined;
  /** Tokens that the gateway makes itself; undefined: none. */
  readonly live?: LiveTokens;
  /** Asks the main thread for newer ones. */
  readonly askForKeys: () => void;
  readonly onFault: (what: string, cause: unknown) => void;
}

/** A file that may change while the gateway runs. */
interface Source {
  /** The setting that names it. */
  readonly name: string;
  readonly file: WatchedFiles;
  /** @throws {ConfigError} if it is unusable; nothing has changed then. */
  readonly read: () => Promise<void>;
}

export class Access {
  readonly authentication: Authentication;
  readonly remoteKeys: PostedKeySet;
  readonly #onFault: AccessOptions['onFault'];
  readonly #productsFile: string | undefined;
  #auth: AuthConfig;
  #sources: readonly Source[] = [];
  #onChanged: (removedKeys: readonly string[]) => void = () => {};

  private constructor(options: AccessOptions, authentication: Authentication, remoteKeys: PostedKeySet) {
    this.#onFault = options.onFault;
    this.#auth = options.config.auth;
    this.#productsFile = options.config.products.file;
    this.authentication = authentication;
    this.remoteKeys = remoteKeys;
  }

  /** @throws {ConfigError} if a key or a file is unusable. */
  static async open(options: AccessOptions): Promise<Access> {
    const { config, keys, live, askForKeys } = options;
    const { auth } = config;
    const remoteKeys = new PostedKeySet(keys, askForKeys);
    const tokens = await createTokenVerifier(auth, { remoteKeys });
    const authentication: Authentication = {
      tokens: live === undefined ? tokens : withLiveTokens(tokens, live),
      apiKeys: auth.apiKeysFile === undefined ? undefined : await openApiKeys(auth.apiKeysFile),
      policy: await openPolicy(auth.policyFile),
      products: await readProducts(config.products.file),
      defaultEntitlements: auth.defaultEntitlements,
      authorities: await authoritiesOf(config.tls),
    };
    return new Access(options, authentication, remoteKeys);
  }

  /**
   * Watches the files.
   * @param credentials uses a changed policy
   * @param onChanged called when open sessions may have other rights. `removedKeys`: ids of API keys that are gone or
   *   have another secret
   * @returns a function that stops watching
   */
  watch(credentials: Credentials, onChanged: (removedKeys: readonly string[]) => void): () => void {
    const { tokens, apiKeys, authorities } = this.authentication;
    const { jwksFile, policyFile } = this.#auth;
    this.#onChanged = onChanged;
    this.#sources = [
      ...sourceOf('AUTH_JWKS_FILE', jwksFile, async () => tokens.use(await readTokenKeys(this.#auth))),
      ...sourceOf('POLICY_FILE', policyFile, async () => credentials.usePolicy(await openPolicy(policyFile))),
      ...sourceOf('PRODUCTS_FILE', this.#productsFile, async () =>
        credentials.useProducts(await readProducts(this.#productsFile)),
      ),
      ...sourceOf('TLS_CLIENT_CA', authorities?.path, async () => authorities?.read()),
    ];
    const stops = [apiKeys?.watch(result => this.#keysReread(result))];
    // Each is read once more at first, so that a change since the start is noticed.
    for (const source of this.#sources) stops.push(source.file.watch(() => this.#reread(source)));
    return () => {
      for (const stop of stops) stop?.();
    };
  }

  /**
   * Rereads all files, changed or not, and applies these secrets of tokens. Never rejects.
   * @returns what was reread
   */
  async reload({ secret, previousSecret }: Pick<AuthConfig, 'secret' | 'previousSecret'>): Promise<Reloaded[]> {
    const { tokens, apiKeys } = this.authentication;
    const reloaded: Reloaded[] = [];
    if (secret !== this.#auth.secret || previousSecret !== this.#auth.previousSecret) {
      const changed = { ...this.#auth, secret, previousSecret };
      const use = async () => {
        tokens.use(await readTokenKeys(changed));
        this.#auth = changed;
      };
      reloaded.push(await this.#outcomeOf('AUTH_JWT_SECRET', use));
    }
    reloaded.push(...(await Promise.all(this.#sources.map(source => this.#reread(source)))));
    if (apiKeys !== undefined) reloaded.push(this.#keysReread(await apiKeys.reload()));
    return reloaded;
  }

  async #reread({ name, file, read }: Source): Promise<Reloaded> {
    const outcome = await this.#outcomeOf(name, () => file.read(read));
    if (outcome.problem === undefined) this.#onChanged([]);
    return outcome;
  }

  async #outcomeOf(name: string, change: () => Promise<void>): Promise<Reloaded> {
    try {
      await change();
      return { name, problem: undefined };
    } catch (cause) {
      if (!(cause instanceof ConfigError)) this.#onFault(`${name} not reread`, cause);
      else this.#onFault(`${name} unusable; keeping what was read before`, cause.message);
      return { name, problem: cause instanceof Error ? cause.message : String(cause) };
    }
  }

  #keysReread(result: ApiKeyReload): Reloaded {
    const name = 'AUTH_API_KEYS_FILE';
    if (!result.ok) {
      this.#onFault('API key file unusable; keeping the current keys', result.error.message);
      return { name, problem: result.error.message };
    }
    if (result.removed.length + result.changed.length > 0) this.#onChanged(result.removed);
    return { name, problem: undefined };
  }
}

function sourceOf(name: string, path: string | undefined, read: () => Promise<void>): readonly Source[] {
  return path === undefined ? [] : [{ name, file: new WatchedFiles([path]), read }];
}

/** The parser is loaded only if there is such a file. */
async function readProducts(path: string | undefined): Promise<Products> {
  return path === undefined ? NO_PRODUCTS : (await import('../../auth/products.js')).openProducts(path);
}

/** Only where certificates are credentials does it matter who issued them. */
async function authoritiesOf(tls: Config['tls']): Promise<ClientAuthorities | undefined> {
  if (tls?.clientAuth !== 'user' || tls.clientCaFile === undefined) return undefined;
  const authorities = new ClientAuthorities(tls.clientCaFile);
  await authorities.read();
  return authorities;
}
