/**
 * What decides, in one worker, who may do what: keys of tokens, API keys, authorities of client certificates and the
 * policy. Their files are reread when they change; unusable ones are reported, and what was read before stays in force.
 */
import type { JSONWebKeySet } from 'jose';
import { ClientAuthorities } from '../../auth/client-authorities.js';
import { type ApiKeyReload, type ApiKeyVerifier, openApiKeys } from '../../auth/api-keys.js';
import { readTokenKeys } from '../../auth/keys.js';
import { openPolicy } from '../../auth/policy.js';
import type { RevocationList } from '../../auth/revocations.js';
import { createTokenVerifier, type TokenVerifier } from '../../auth/token.js';
import { ConfigError } from '../../config/config-error.js';
import type { Config } from '../../config/environment.js';
import { WatchedFiles } from '../../config/watched-files.js';
import { Credentials, type Guard } from './credentials.js';
import { PostedKeySet } from './posted-key-set.js';

export interface AccessOptions {
  readonly config: Pick<Config, 'auth' | 'tls'>;
  /** The keys at AUTH_JWKS_URL, if the main thread has any. */
  readonly keys: JSONWebKeySet | undefined;
  /** Asks the main thread for newer ones. */
  readonly askForKeys: () => void;
  readonly guard: Guard;
  readonly revocations: RevocationList;
  readonly onFault: (what: string, cause: unknown) => void;
}

/** A file that was read again. */
export interface Reread {
  /** The setting that names it. */
  readonly name: string;
  /** Why it is unusable. */
  readonly problem: string | undefined;
}

/** A file of settings that change while the gateway runs. */
interface Source {
  readonly name: string;
  readonly file: WatchedFiles;
  /** @throws {ConfigError} if it is unusable; nothing has changed then. */
  readonly read: () => Promise<void>;
}

export class Access {
  readonly credentials: Credentials;
  readonly remoteKeys: PostedKeySet;
  readonly #options: AccessOptions;
  readonly #apiKeys: ApiKeyVerifier | undefined;
  readonly #sources: readonly Source[];
  #onChanged: (removedKeys: readonly string[]) => void = () => {};

  private constructor(
    options: AccessOptions,
    remoteKeys: PostedKeySet,
    tokens: TokenVerifier,
    apiKeys: ApiKeyVerifier | undefined,
    authorities: ClientAuthorities | undefined,
    credentials: Credentials,
  ) {
    const { auth, tls } = options.config;
    const { jwksFile, policyFile } = auth;
    this.#options = options;
    this.#apiKeys = apiKeys;
    this.remoteKeys = remoteKeys;
    this.credentials = credentials;
    this.#sources = [
      ...sourceOf('AUTH_JWKS_FILE', jwksFile, async () => tokens.use(await readTokenKeys(auth))),
      ...sourceOf('POLICY_FILE', policyFile, async () => credentials.usePolicy(await openPolicy(policyFile))),
      ...(authorities === undefined ? [] : sourceOf('TLS_CLIENT_CA', tls?.clientCaFile, () => authorities.read())),
    ];
  }

  /** @throws {ConfigError} if a key or a file is unusable. */
  static async open(options: AccessOptions): Promise<Access> {
    const { config, keys, askForKeys, guard, revocations } = options;
    const { auth, tls } = config;
    const remoteKeys = new PostedKeySet(keys, askForKeys);
    const tokens = await createTokenVerifier(auth, { remoteKeys });
    const apiKeys = auth.apiKeysFile === undefined ? undefined : await openApiKeys(auth.apiKeysFile);
    const policy = await openPolicy(auth.policyFile);
    const { clientAuth, clientCaFile } = tls ?? {};
    const isUser = clientAuth === 'user' && clientCaFile !== undefined;
    const authorities = isUser ? new ClientAuthorities(clientCaFile) : undefined;
    const { defaultEntitlements } = auth;
    const credentials = new Credentials(tokens, apiKeys, policy, guard, revocations, defaultEntitlements, authorities);
    const access = new Access(options, remoteKeys, tokens, apiKeys, authorities, credentials);
    // The policy and the key set again, so that a change since then is noticed.
    for (const { file, read } of access.#sources) await file.read(read);
    return access;
  }

  /**
   * Watches the files.
   * @param onChanged called when open sessions may have other rights. `removedKeys`: ids of API keys that are gone or
   *   have another secret.
   */
  watch(onChanged: (removedKeys: readonly string[]) => void): void {
    this.#onChanged = onChanged;
    this.#apiKeys?.watch(result => this.#keysReread(result));
    for (const source of this.#sources) source.file.watch(() => this.#reread(source));
  }

  /** Rereads all files, changed or not. */
  async reload(): Promise<readonly Reread[]> {
    const reread = await Promise.all(this.#sources.map(source => this.#reread(source)));
    if (this.#apiKeys !== undefined) reread.push(this.#keysReread(await this.#apiKeys.reload()));
    return reread;
  }

  async #reread({ name, file, read }: Source): Promise<Reread> {
    try {
      await file.read(read);
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause;
      this.#options.onFault(`${name} unusable; keeping what was read before`, cause.message);
      return { name, problem: cause.message };
    }
    this.#onChanged([]);
    return { name, problem: undefined };
  }

  #keysReread(result: ApiKeyReload): Reread {
    const name = 'AUTH_API_KEYS_FILE';
    if (!result.ok) {
      this.#options.onFault('API key file unusable; keeping the current keys', result.error.message);
      return { name, problem: result.error.message };
    }
    if (result.removed.length + result.changed.length > 0) this.#onChanged(result.removed);
    return { name, problem: undefined };
  }
}

function sourceOf(name: string, path: string | undefined, read: () => Promise<void>): readonly Source[] {
  return path === undefined ? [] : [{ name, file: new WatchedFiles([path]), read }];
}
