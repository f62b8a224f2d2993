/** Asks the admin API, with the operator's token where there is one. */

/** Relative, so that it holds behind a proxy that serves the port under a path of its own. */
const BASE = 'api/v1';
const TIMEOUT_MS = 5_000;
/** For this tab and until it closes; never in a cookie, which a browser would add to requests of other pages. */
const TOKEN_KEY = 'millrace-admin-token';
const OPERATOR_KEY = 'millrace-operator';

/** The gateway's refusal of a request. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface ApiEvents {
  /** The gateway answered, with whatever. */
  answered(): void;
  /** It did not. */
  silent(): void;
  /** It wants a token, or another one. @param wasRefused the one sent was wrong */
  tokenWanted(wasRefused: boolean): void;
}

export type Query = Readonly<Record<string, string | number | undefined>>;

export class Api {
  readonly #events: ApiEvents;

  constructor(events: ApiEvents) {
    this.#events = events;
  }

  useToken(token: string): void {
    sessionStorage.setItem(TOKEN_KEY, token);
  }

  get hasToken(): boolean {
    return sessionStorage.getItem(TOKEN_KEY) !== null;
  }

  forgetToken(): void {
    sessionStorage.removeItem(TOKEN_KEY);
  }

  /** Who acts, for the gateway's log. */
  get operator(): string {
    return sessionStorage.getItem(OPERATOR_KEY) ?? '';
  }

  /** @param name printable ASCII, as a header carries it */
  set operator(name: string) {
    sessionStorage.setItem(OPERATOR_KEY, name);
  }

  /** @throws {ApiError} if the gateway refuses; {TypeError} or {DOMException} if it does not answer */
  get<Answer>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Answer> {
    const given = Object.entries(query).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [[name, String(value)]],
    );
    const suffix = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
    return this.#ask<Answer>('GET', `${path}${suffix}`, undefined, signal);
  }

  /** Changes something: the gateway logs who did it and why. */
  send<Answer>(method: 'POST' | 'PUT' | 'DELETE', path: string, body: object = {}): Promise<Answer> {
    return this.#ask<Answer>(method, path, JSON.stringify(body));
  }

  async #ask<Answer>(method: string, path: string, body?: string, signal?: AbortSignal): Promise<Answer> {
    const token = sessionStorage.getItem(TOKEN_KEY);
    const headers: Record<string, string> = {};
    if (token !== null) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (body !== undefined && this.operator !== '') headers['X-Operator'] = this.operator;
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    let response: Response;
    try {
      response = await fetch(`${BASE}${path}`, {
        method,
        headers,
        credentials: 'omit',
        cache: 'no-store',
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
        ...(body === undefined ? {} : { body }),
      });
    } catch (cause) {
      if (signal?.aborted !== true) this.#events.silent();
      throw cause;
    }
    this.#events.answered();
    if (response.ok) return (await response.json()) as Answer;
    if (response.status === 401) this.#events.tokenWanted(token !== null);
    throw new ApiError(response.status, await reasonOf(response));
  }
}

async function reasonOf(response: Response): Promise<string> {
  try {
    const { error } = (await response.json()) as { error?: { message?: unknown } };
    return typeof error?.message === 'string' ? error.message : `status ${response.status}`;
  } catch {
    return `status ${response.status}`;
  }
}
