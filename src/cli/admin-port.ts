/** Asks a gateway's admin port, for `millrace admin`. */
import { readConfig } from '../config/environment.js';
import { withFiles } from '../config/settings-files.js';
import { withoutSecrets } from '../config/url-text.js';
import { CommandFailure, reasonOf } from './failure.js';
import { adminAddress } from './takeover.js';
import { userName } from './user-name.js';

const ANSWER_MAX_MS = 10_000;
/** As the admin port accepts it. */
const OPERATOR = /^[\x20-\x7e]{1,64}$/;

interface Asked {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/api/v1`, its variable parts encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: object;
}

export class AdminPort {
  readonly #url: string;
  readonly #token: string | undefined;

  /** @param url undefined: MILLRACE_ADMIN_URL, or ADMIN_HOST and ADMIN_PORT. @throws {CommandFailure} if it is none */
  constructor(url: string | undefined, env: NodeJS.ProcessEnv) {
    const { ADMIN_HOST, ADMIN_PORT, ADMIN_TOKEN } = withFiles(env);
    this.#token = ADMIN_TOKEN === '' ? undefined : ADMIN_TOKEN;
    const given = url ?? (env.MILLRACE_ADMIN_URL || undefined);
    this.#url = given === undefined ? ownAddress(ADMIN_HOST, ADMIN_PORT) : checked(given);
  }

  /** The JSON text of the answer. @throws {CommandFailure} saying why there is none */
  async ask({ method, path, query = {}, body }: Asked): Promise<string> {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, value);
    const target = `${this.#url}/api/v1${path}${params.size > 0 ? `?${params}` : ''}`;
    let response: Response;
    let text: string;
    try {
      response = await fetch(target, {
        method,
        headers: this.#headers(method),
        signal: AbortSignal.timeout(ANSWER_MAX_MS),
        ...(method === 'GET' ? {} : { body: JSON.stringify(body ?? {}) }),
      });
      text = await response.text();
    } catch (cause) {
      const { cause: deeper } = cause as Error;
      throw new CommandFailure(`${this.#url} does not answer (${reasonOf(deeper ?? cause)})`, { cause });
    }
    if (response.ok) return text;
    throw new CommandFailure(
      `${this.#url} refuses (${response.status}): ${messageIn(text)}${this.#hint(response.status)}`,
    );
  }

  #headers(method: string): Record<string, string> {
    const username = userName();
    return {
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
      ...(method !== 'GET' && OPERATOR.test(username) ? { 'x-operator': username } : {}),
    };
  }

  #hint(status: number): string {
    if (status !== 401) return '';
    return this.#token === undefined ? '; set ADMIN_TOKEN' : '; this ADMIN_TOKEN is another one';
  }
}

/** Where this machine reaches the gateway that these settings are for. */
function ownAddress(host: string | undefined, port: string | undefined): string {
  const { adminHost, adminPort } = readConfig({ ADMIN_PORT: port });
  return adminAddress({ adminHost: host || adminHost, adminPort });
}

function checked(url: string): string {
  const { protocol = '', username = '', password = '' } = URL.canParse(url) ? new URL(url) : {};
  const shown = withoutSecrets(url);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new CommandFailure(`${shown}: must be a URL such as http://127.0.0.1:9090`);
  if (username !== '' || password !== '')
    throw new CommandFailure(`${shown}: a URL with a password cannot be asked; set ADMIN_TOKEN`);
  return url.replace(/\/+$/, '');
}

function messageIn(text: string): string {
  try {
    return String((JSON.parse(text) as { error: { message: string } }).error.message);
  } catch {
    // It is another program, or a proxy.
    return 'not an answer of a Millrace gateway';
  }
}
