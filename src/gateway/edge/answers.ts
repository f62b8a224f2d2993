/** Answers to HTTP requests that do not become connections. */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import type { Refusal } from '../refusal.js';

/** Version of the WebSocket protocol (RFC 6455 section 4.2.2). */
export const WEBSOCKET_VERSION = '13';

/** Of every answer, unless it has others. */
const COMMON_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store',
};

/** A request that awaits its answer. */
export interface Answerable {
  readonly response: HttpResponse;
  /** Only the headers of the answer are wanted (RFC 9110 section 9.3.2). */
  readonly isHead: boolean;
  /** The client's, as limits count it. */
  readonly address: string;
  /** The number of its connection (model/connection-ids.ts). */
  readonly connection: number;
  /** The connection is closed. */
  isAborted: boolean;
}

export function answerable(
  response: HttpResponse,
  request: HttpRequest,
  address: string,
  connection: number,
): Answerable {
  const asked = { response, isHead: request.getMethod() === 'head', address, connection, isAborted: false };
  response.onAborted(() => {
    asked.isAborted = true;
  });
  return asked;
}

export interface HttpAnswer {
  readonly status: number;
  /** Besides those that all answers have, or in their place. */
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, unless `headers` says what else. */
  readonly body: string;
}

/**
 * The answer ends the connection, in a later turn. A pipelined second request ends the connection earlier. So each
 * connection asks once and counts once.
 */
export function answer(asked: Answerable, { status, headers = {}, body }: HttpAnswer): void {
  const { response, isHead } = asked;
  setImmediate(() => {
    if (asked.isAborted) return;
    response.cork(() => {
      response.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`);
      for (const [name, value] of Object.entries({ ...COMMON_HEADERS, ...headers })) response.writeHeader(name, value);
      if (isHead) response.endWithoutBody(Buffer.byteLength(body), true);
      else response.end(body, true);
    });
  });
}

/** @param headers further ones */
export function refusalAnswer(
  { status, code, message, product, retryAfterSeconds }: Refusal,
  headers: Readonly<Record<string, string>>,
): HttpAnswer {
  return {
    status,
    headers: {
      ...headers,
      // RFC 6750 section 3
      ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
      ...(status === 426 ? { Upgrade: 'websocket', 'Sec-WebSocket-Version': WEBSOCKET_VERSION } : {}),
      ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfterSeconds)) }),
    },
    body: JSON.stringify({ error: { code, message, product } }),
  };
}
