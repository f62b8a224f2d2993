/** What the admin port answers, as values: handlers return them, the server writes them. */
import type { ServerResponse } from 'node:http';

/** Why a request is refused, with its HTTP status. */
const STATUS_OF = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  timeout: 408,
  payload_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
} as const;
type FailureCode = keyof typeof STATUS_OF;

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const json = (body: object, status = 200): Answer => jsonText(JSON.stringify(body), status);

/** @param text JSON */
export const jsonText = (text: string, status = 200): Answer => ({ status, contentType: 'application/json', text });

export function failure(code: FailureCode, message: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { ...json({ error: { code, message } }, STATUS_OF[code]), headers };
}

/** To HEAD, Node sends the headers alone; with their length, they are those of GET. */
export function write(response: ServerResponse, { status, contentType, text, headers }: Answer): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  response.end(text);
}
