/** API keys → credentials, from the file of hashes that AUTH_API_KEYS_FILE names. */
import { timingSafeEqual } from 'node:crypto';
import { ConfigError } from '../config/config-error.js';
import { WatchedFiles } from '../config/watched-files.js';
import type { ApiKeyEntry } from './api-key-file.js';
import { apiKeyDigest, idOfKey } from './api-key-text.js';
import type { Credential } from './credential.js';
import { declaredOf } from './declared-use.js';

/** Why a key is refused. Only the holder of a key learns `expired`. */
type ApiKeyRefusal = 'malformed' | 'unknown' | 'expired';

type ApiKeyResult =
  | { readonly ok: true; readonly credential: Credential }
  | { readonly ok: false; readonly code: 'unauthorized'; readonly reason: ApiKeyRefusal };

/** The result of rereading the file; if it is unusable, the previous keys stay in force. */
export type ApiKeyReload =
  | {
      readonly ok: true;
      /** Ids that were accepted before and are gone or have another secret. */
      readonly removed: readonly string[];
      /** Ids whose credential has changed; earlier connections still hold the old one. */
      readonly changed: readonly string[];
    }
  | { readonly ok: false; readonly error: ConfigError };

export interface ApiKeyVerifier {
  /** Number of known keys, including expired ones. */
  readonly size: number;
  /** A key yields the same frozen credential object each time, until its entry in the file changes. */
  verify(key: string): ApiKeyResult;
  /** The credential that a key of this id yields now, expired or not; undefined if there is none. */
  current(id: string): Credential | undefined;
  /** Rereads the file. Never rejects because of its content. */
  reload(): Promise<ApiKeyReload>;
  /**
   * Reloads whenever the file changes, and reports each time; an unchanged file is reported once. Does not keep the
   * process alive.
   * @returns a function that stops watching; nothing is reported after that.
   */
  watch(onReload: (result: ApiKeyReload) => void, intervalMs?: number): () => void;
}

interface Known {
  readonly digest: Buffer;
  readonly credential: Credential;
  /** The entry's text, to detect changes. */
  readonly text: string;
}

/**
 * @param nowMs ms since the Unix epoch.
 * @throws {ConfigError} naming AUTH_API_KEYS_FILE and what is wrong with it.
 */
export async function openApiKeys(path: string, nowMs: () => number = Date.now): Promise<ApiKeyVerifier> {
  const keys = new ApiKeys(path, nowMs);
  const result = await keys.reload();
  if (!result.ok) throw result.error;
  return keys;
}

class ApiKeys implements ApiKeyVerifier {
  readonly #path: string;
  readonly #nowMs: () => number;
  #known: ReadonlyMap<string, Known> = new Map();
  readonly #file: WatchedFiles;

  constructor(path: string, nowMs: () => number) {
    this.#path = path;
    this.#nowMs = nowMs;
    this.#file = new WatchedFiles([path]);
  }

  get size(): number {
    return this.#known.size;
  }

  verify(key: string): ApiKeyResult {
    const id = idOfKey(key);
    if (id === undefined) return refused('malformed');
    const known = this.#known.get(id);
    if (known === undefined || !timingSafeEqual(apiKeyDigest(key), known.digest)) return refused('unknown');
    if (this.#nowMs() >= known.credential.expiresAtMs) return refused('expired');
    return { ok: true, credential: known.credential };
  }

  current(id: string): Credential | undefined {
    return this.#known.get(id)?.credential;
  }

  reload(): Promise<ApiKeyReload> {
    return this.#file.read(() => this.#read());
  }

  watch(onReload: (result: ApiKeyReload) => void, intervalMs?: number): () => void {
    let isEnded = false;
    const stop = this.#file.watch(async () => {
      const result = await this.reload();
      if (!isEnded) onReload(result);
    }, intervalMs);
    return () => {
      isEnded = true;
      stop();
    };
  }

  async #read(): Promise<ApiKeyReload> {
    // Loaded only if there is such a file.
    const { readApiKeyFile } = await import('./api-key-file.js');
    try {
      return this.#replace(await readApiKeyFile(`AUTH_API_KEYS_FILE=${JSON.stringify(this.#path)}`, this.#path));
    } catch (error) {
      if (error instanceof ConfigError) return { ok: false, error };
      throw error;
    }
  }

  #replace(entries: readonly ApiKeyEntry[]): ApiKeyReload {
    const before = this.#known;
    const known = new Map(entries.map(entry => [entry.id, knownOf(entry, before.get(entry.id))]));
    this.#known = known;
    const removed: string[] = [];
    const changed: string[] = [];
    for (const [id, old] of before) {
      const now = known.get(id);
      if (now === undefined || !now.digest.equals(old.digest)) removed.push(id);
      else if (now !== old) changed.push(id);
    }
    return { ok: true, removed, changed };
  }
}

/** An unchanged entry keeps its credential object, and with it what others have computed for it. */
function knownOf(entry: ApiKeyEntry, before: Known | undefined): Known {
  const text = JSON.stringify(entry);
  if (before?.text === text) return before;
  const { id, hash, sub, tier, roles, entitlements, expires_at, created_at } = entry;
  const credential: Credential = Object.freeze({
    sub,
    tier,
    roles: Object.freeze(roles),
    entitlements: entitlements === undefined ? undefined : Object.freeze(entitlements),
    ...declaredOf(entry),
    expiresAtMs: expires_at === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires_at),
    issuedAtMs: created_at === undefined ? undefined : Date.parse(created_at),
    jti: undefined,
    apiKeyId: id,
  });
  return { digest: Buffer.from(hash.slice('sha256:'.length), 'hex'), credential, text };
}

function refused(reason: ApiKeyRefusal): ApiKeyResult {
  return { ok: false, code: 'unauthorized', reason };
}
