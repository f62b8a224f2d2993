/**
 * The JSON Web Key Set at AUTH_JWKS_URL. The main thread fetches it at the start, again when it is old, and when a
 * token names a key that it lacks. If it cannot be fetched, the last keys stay in force for a day.
 */
import type { JSONWebKeySet } from 'jose';
import { withoutSecrets } from '../config/url-text.js';
import type { KeySource } from './key-set.js';

/** A fetch fails after this time. Short, because connecting clients wait for it. */
export const KEY_SET_TIMEOUT_MS = 3_000;
/** A key missing from the set triggers a fetch, at most this often: tokens with invented key ids cost no more. */
export const KEY_SET_COOLDOWN_MS = 10_000;
/** The set is fetched again after this time, so that withdrawn keys stop counting. */
export const KEY_SET_AGE_MAX_MS = 5 * 60_000;
/** Keys that could not be refreshed for this long no longer count: nothing tells whether they were withdrawn. */
export const KEY_SET_STALE_MAX_MS = 24 * 3_600_000;
/** Pause after a failed fetch, twice as long after each further one; a token that needs a key cuts it to the first. */
export const KEY_SET_RETRY_MS = 1_000;
export const KEY_SET_RETRY_MAX_MS = 60_000;
/** A longer answer is a failed fetch. */
export const KEY_SET_BYTES_MAX = 1024 ** 2;
const LOOK_MS = 500;

/** Why a fetch failed. */
export const KEY_SET_FAILURES = ['unreachable', 'timeout', 'status', 'invalid'] as const;
type KeySetFailure = (typeof KEY_SET_FAILURES)[number];

/** `current`: the last fetch succeeded. `stale`: it failed, and the keys before it are in use. `missing`: no keys. */
export const KEY_SET_STATES = ['current', 'stale', 'missing'] as const;
type KeySetState = (typeof KEY_SET_STATES)[number];

export interface KeySetStats {
  readonly state: KeySetState;
  /** Since the last successful fetch; undefined before the first. */
  readonly ageMs: number | undefined;
  readonly fetches: number;
  readonly failures: Readonly<Record<KeySetFailure, number>>;
}

/** The methods of pino used here. */
export interface KeySetLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

interface RemoteKeySetOptions {
  readonly url: string;
  readonly log: KeySetLog;
  /** Of a clock that is never set. */
  readonly monotonicMs?: () => number;
  /** Called when there are other keys than before, or none any more. */
  readonly onChanged?: () => void;
}

class FetchFailure extends Error {
  override readonly name = 'FetchFailure';
  readonly kind: KeySetFailure;

  constructor(kind: KeySetFailure, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

export class RemoteKeySet implements KeySource {
  readonly #url: string;
  readonly #log: KeySetLog;
  readonly #monotonicMs: () => number;
  readonly #onChanged: () => void;
  readonly #ending = new AbortController();
  readonly #failures: Record<KeySetFailure, number> = { unreachable: 0, timeout: 0, status: 0, invalid: 0 };
  #fetches = 0;
  #keys: JSONWebKeySet | undefined;
  #text = '';
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  /** Failures since the last success. */
  #failuresInRow = 0;
  /** Kinds of failure that were logged since the last success. */
  readonly #logged = new Set<KeySetFailure>();
  #fetching: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ url, log, monotonicMs, onChanged }: RemoteKeySetOptions) {
    this.#url = url;
    this.#log = log;
    this.#monotonicMs = monotonicMs ?? (() => performance.now());
    this.#onChanged = onChanged ?? (() => {});
  }

  get keys(): JSONWebKeySet | undefined {
    return this.#keys;
  }

  get stats(): KeySetStats {
    const ageMs = this.#monotonicMs() - this.#fetchedAtMs;
    const isStale = this.#failuresInRow > 0 || ageMs > KEY_SET_AGE_MAX_MS + KEY_SET_TIMEOUT_MS;
    return {
      state: this.#keys === undefined ? 'missing' : isStale ? 'stale' : 'current',
      ageMs: Number.isFinite(ageMs) ? ageMs : undefined,
      fetches: this.#fetches,
      failures: { ...this.#failures },
    };
  }

  /** Resolves after the first fetch, whatever its outcome; fetches again whenever that is due. */
  open(): Promise<void> {
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
    return this.#fetch();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#ending.abort();
  }

  /** Fetches if the set is old, or if it is time to try again after a failure. */
  async look(): Promise<void> {
    this.#expire();
    const nowMs = this.#monotonicMs();
    const pauseMs = Math.min(KEY_SET_RETRY_MAX_MS, KEY_SET_RETRY_MS * 2 ** (this.#failuresInRow - 1));
    const dueMs = this.#failuresInRow > 0 ? this.#failedAtMs + pauseMs : this.#fetchedAtMs + KEY_SET_AGE_MAX_MS;
    if (nowMs >= dueMs) await this.#fetch();
  }

  async refresh(): Promise<void> {
    if (this.#fetching !== undefined) return this.#fetching;
    const nowMs = this.#monotonicMs();
    const isCooling = nowMs - this.#fetchedAtMs < KEY_SET_COOLDOWN_MS;
    if (!isCooling && nowMs - this.#failedAtMs >= KEY_SET_RETRY_MS) await this.#fetch();
  }

  /** Fetches now, whether or not it is due. */
  reload(): Promise<void> {
    return this.#fetch();
  }

  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<void> {
    this.#fetches++;
    try {
      this.#take(await fetchedText(this.#url, this.#ending.signal));
    } catch (cause) {
      if (!this.#ending.signal.aborted) this.#failed(cause);
    }
  }

  #take(text: string): void {
    const keys = parsed(text);
    const failures = this.#failuresInRow;
    this.#fetchedAtMs = this.#monotonicMs();
    this.#failuresInRow = 0;
    this.#logged.clear();
    const hasChanged = text !== this.#text;
    if (hasChanged || failures > 0) {
      this.#log.info({ url: this.#shownUrl, keys: keys.keys.length, hasChanged, failures }, 'key set fetched');
    }
    if (!hasChanged) return;
    this.#text = text;
    this.#keys = keys;
    this.#onChanged();
  }

  #failed(cause: unknown): void {
    const failure = cause instanceof FetchFailure ? cause : new FetchFailure('invalid', reasonOf(cause), cause);
    const { kind, message } = failure;
    this.#failures[kind]++;
    this.#failuresInRow++;
    this.#failedAtMs = this.#monotonicMs();
    this.#expire();
    if (this.#logged.has(kind)) return;
    this.#logged.add(kind);
    const fields = { url: this.#shownUrl, kind, detail: message };
    if (this.#keys === undefined) {
      this.#log.error(fields, 'cannot fetch the key set; tokens get 503 and the gateway is not ready until it can');
    } else {
      this.#log.error(fields, 'cannot refresh the key set; keeping the last keys');
    }
  }

  /** Keys that are too old no longer count. */
  #expire(): void {
    if (this.#keys === undefined || this.#monotonicMs() - this.#fetchedAtMs < KEY_SET_STALE_MAX_MS) return;
    this.#keys = undefined;
    this.#text = '';
    this.#log.error(
      { url: this.#shownUrl },
      'the keys of the key set are too old; refusing tokens until it is fetched',
    );
    this.#onChanged();
  }

  get #shownUrl(): string {
    return withoutSecrets(this.#url);
  }
}

async function fetchedText(url: string, ending: AbortSignal): Promise<string> {
  const late = AbortSignal.timeout(KEY_SET_TIMEOUT_MS);
  try {
    const { address, headers } = requestOf(url);
    const response = await fetch(address, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.any([late, ending]),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new FetchFailure('status', `it answers HTTP ${response.status}`);
    }
    return await boundedText(response);
  } catch (cause) {
    if (cause instanceof FetchFailure) throw cause;
    if (late.aborted) throw new FetchFailure('timeout', `no answer within ${KEY_SET_TIMEOUT_MS} ms`, cause);
    throw new FetchFailure('unreachable', reasonOf(cause), cause);
  }
}

/** `fetch` takes no URL with a user: that goes into a header. */
function requestOf(text: string) {
  const address = new URL(text);
  const { username, password } = address;
  address.username = '';
  address.password = '';
  const headers: Record<string, string> = { accept: 'application/json, application/jwk-set+json' };
  if (username !== '') {
    const user = [username, password].map(decodeURIComponent).join(':');
    headers.authorization = `Basic ${Buffer.from(user).toString('base64')}`;
  }
  return { address, headers };
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > KEY_SET_BYTES_MAX) throw new FetchFailure('invalid', `it has more than ${KEY_SET_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** An empty set is valid: it withdraws every key. @throws {FetchFailure} */
function parsed(text: string): JSONWebKeySet {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FetchFailure('invalid', 'the answer is not JSON', cause);
  }
  if (isKeySet(value)) return value;
  throw new FetchFailure('invalid', 'the answer is not a key set: it has no list of "keys"');
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  if (typeof value !== 'object' || value === null || !('keys' in value)) return false;
  return Array.isArray(value.keys) && value.keys.every(key => typeof key === 'object' && key !== null);
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const { cause: inner } = cause;
  if (!(inner instanceof Error)) return cause.message;
  return 'code' in inner ? String(inner.code) : inner.message;
}
