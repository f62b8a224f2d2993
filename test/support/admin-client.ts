/** Asks the admin API of a gateway, and holds every answer against the published OpenAPI document. */
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

interface Ref {
  readonly $ref: string;
}
interface Response {
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>;
}
interface Operation {
  readonly responses: Readonly<Record<string, Response | Ref>>;
}
interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly responses: Readonly<Record<string, Response>> };
}

export const OPENAPI_FILE = new URL('../../src/admin/openapi.json', import.meta.url);
const document = JSON.parse(readFileSync(OPENAPI_FILE, 'utf8')) as OpenApi;

const ajv = new Ajv2020({ strict: false, allErrors: true });
(addFormats as unknown as (to: Ajv2020) => void)(ajv);
ajv.addSchema({ $id: 'openapi', ...document });
const compiled = new Map<string, ValidateFunction>();

/** Requests seen, as `GET /api/v1/stats 200`. */
export const seen = new Set<string>();

/** Every operation of the document that answers JSON, with its expected status. */
export function operations(): string[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { responses }]) =>
      responses?.['200'] === undefined ? [] : [`${method.toUpperCase()} ${path} 200`],
    ),
  );
}

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export class AdminClient {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.#url = url;
    this.#headers = headers;
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<AdminAnswer> {
    return this.ask('GET', path, undefined, headers);
  }

  /** @param path below `/api/v1`. @throws {Error} if the answer is not as the document says */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<AdminAnswer> {
    const isChange = method !== 'GET';
    const response = await fetch(`${this.#url}/api/v1${path}`, {
      method,
      headers: {
        connection: 'close',
        ...(isChange ? { 'content-type': 'application/json' } : {}),
        ...this.#headers,
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed: unknown = JSON.parse(text);
    check(method, `/api/v1${path.split('?')[0]}`, response.status, parsed);
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: parsed as Readonly<Record<string, unknown>>,
    };
  }
}

function check(method: string, path: string, status: number, body: unknown): void {
  const template = templateOf(path);
  if (template === undefined) return;
  const operation = document.paths[template]?.[method.toLowerCase()];
  if (operation === undefined) return;
  const key = `${method} ${template} ${status}`;
  const validate = compiled.get(key) ?? compile(key, template, method.toLowerCase(), status, operation);
  if (!validate(body)) throw new Error(`${key}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(body)}`);
  seen.add(key);
}

function compile(key: string, path: string, method: string, status: number, operation: Operation): ValidateFunction {
  const response = operation.responses[status];
  if (response === undefined) throw new Error(`${key} is not in the document`);
  const pointer = [path, method, 'responses', String(status), 'content', 'application/json', 'schema'];
  const at =
    '$ref' in response
      ? `openapi${response.$ref}/content/application~1json/schema`
      : `openapi#/paths/${pointer.map(part => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
  const validate = ajv.compile({ $ref: at });
  compiled.set(key, validate);
  return validate;
}

/** The path of the document that a request asks for. */
function templateOf(path: string): string | undefined {
  return Object.keys(document.paths).find(template =>
    new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+').replaceAll('.', '\\.')}$`).test(path),
  );
}
