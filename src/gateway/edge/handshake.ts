/** What an upgrade reads of its request, which uWS invalidates as soon as anything is awaited. */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { Config } from '../../config/environment.js';
import type { Refusal } from '../refusal.js';
import { type Answerable, WEBSOCKET_VERSION } from './answers.js';
import { acceptableOffer } from './deflate-offer.js';
import { headerLines } from './header-lines.js';
import type { UpgradeContexts } from './payload-routes.js';
import { parseRequest, type UpgradeRequest } from './upgrade-request.js';

/** Longest query of a rate-limited request that is still explained. */
const EXPLAINED_QUERY_LENGTH_MAX = 4096;
/** Every 101 and every refusal has it: the connection's id, as in the log. */
export const CONNECTION_HEADER = 'Millrace-Connection';

/** What an upgrade needs of its request once uWS has invalidated it. */
export interface Handshake {
  readonly asked: Answerable;
  readonly parsed: UpgradeRequest;
  readonly key: string;
  readonly extensions: string;
  readonly contexts: UpgradeContexts;
  /** Something was awaited since the request came. */
  isAwaited: boolean;
}

export function readHandshake(
  asked: Answerable,
  request: HttpRequest,
  query: string,
  contexts: UpgradeContexts,
): Handshake | Refusal {
  const lists = headerLines(request, 'sec-websocket-protocol', 'sec-websocket-extensions');
  const parsed = parseRequest(request.getUrl(), query, {
    authorization: request.getHeader('authorization'),
    apiKey: request.getHeader('x-api-key'),
    subprotocols: lists['sec-websocket-protocol'],
  });
  if ('status' in parsed) return parsed;
  const key = request.getHeader('sec-websocket-key');
  const extensions = acceptableOffer(lists['sec-websocket-extensions']);
  return { asked, parsed, key, extensions, contexts, isAwaited: false };
}

/** Writes the id of a connection before its upgrade, which keeps a status that is already written. */
export function connectionHeader(connection: string): (response: HttpResponse) => HttpResponse {
  return response => response.writeStatus('101 Switching Protocols').writeHeader(CONNECTION_HEADER, connection);
}

/** Whether a refusal may be reported by a close code and its request is cheap to read. */
export function mayBeExplained(query: string): boolean {
  return query.length <= EXPLAINED_QUERY_LENGTH_MAX && query.includes('explain=1');
}

/** Only an `SSLApp` has this; missing from the typings. */
interface WithCertificate {
  /** PEM of the client's certificate; '' when it presented none. */
  getX509Certificate(): string;
}

export function certificateOf(response: HttpResponse, tls: Config['tls']): string {
  if (tls?.clientCaFile === undefined) return '';
  return (response as HttpResponse & WithCertificate).getX509Certificate();
}

export function isWebSocket(request: HttpRequest): boolean {
  const isVersion = request.getHeader('sec-websocket-version') === WEBSOCKET_VERSION;
  return isVersion && request.getHeader('upgrade').toLowerCase() === 'websocket';
}
