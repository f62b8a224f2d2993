/** Parses an upgrade request: what it asks for, or why it is refused. Nothing here depends on uWS. */

import { hostNameOf, isFixedHost, isListedHost } from '../../config/hosts.js';
import { decimalOf } from '../../protocol/amount.js';
import { isChannel, type Stream } from '../../protocol/topics.js';
import { CLASSES, classNumber, type Format } from '../../protocol/view-options.js';
import { depthDetail } from '../../threads/lanes.js';
import { type Refusal, refusal, shorten } from '../refusal.js';

export interface UpgradeRequest {
  readonly endpoint: Endpoint;
  readonly token: string | undefined;
  readonly apiKey: string | undefined;
  /** PEM of the client certificate, where it may stand in for a token. */
  readonly certificate?: string | undefined;
  readonly format: Format;
  /** The WebSocket subprotocol to confirm; '' for none. */
  readonly subprotocol: string;
  /** The requested class, as its number. */
  readonly rateClass: number | undefined;
  readonly isStamped: boolean;
  /** Whether to report a refusal by a close code: browsers cannot read the HTTP answer to an upgrade. */
  readonly isExplained: boolean;
  /** What to subscribe to at once: the stream, and the names that the request gives. */
  readonly stream: Stream | undefined;
  readonly symbols: readonly string[];
  /** Detail of the books view: 0 best level. */
  readonly bookDetail: number;
  /** What is wrong with the query or path; reported once the credential is accepted. */
  readonly problem: Refusal | undefined;
}

export type Endpoint = 'quotes' | 'trades' | 'markets' | 'orders' | 'analytics' | 'general';

/** Endpoints that require a credential. */
export const PRIVATE_ENDPOINTS: ReadonlySet<Endpoint> = new Set(['quotes', 'orders', 'analytics']);

const MARKETS_PREFIX = '/ws/markets';
const SUBPROTOCOLS: Readonly<Record<string, Format>> = { 'millrace.json': 'json', 'millrace.msgpack': 'msgpack' };

/** The endpoint of a path, or undefined. */
export function endpointOf(path: string): Endpoint | undefined {
  switch (path) {
    case '/ws':
      return 'general';
    case '/ws/quotes':
      return 'quotes';
    case '/ws/trades':
      return 'trades';
    case '/ws/orders':
      return 'orders';
    case '/ws/analytics':
      return 'analytics';
    default:
      return path === MARKETS_PREFIX || path.startsWith(`${MARKETS_PREFIX}/`) ? 'markets' : undefined;
  }
}

export interface RequestHeaders {
  readonly authorization: string;
  readonly apiKey: string;
  readonly subprotocols: string;
}

/** @param query the query string without `?` */
export function parseRequest(path: string, query: string, headers: RequestHeaders): UpgradeRequest | Refusal {
  const endpoint = endpointOf(path);
  if (endpoint === undefined) return refusal(404, 'not_found', 'no such endpoint');
  const members = new URLSearchParams(query);
  const subprotocol = chooseSubprotocol(headers.subprotocols);
  const format = formatOf(members.get('format'), subprotocol);
  const className = members.get('class');
  const rateClass = className === null ? undefined : classNumber(className);
  const topics = topicsOf(endpoint, path, members);
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization)?.[1];
  let problem = 'status' in topics ? topics : undefined;
  if (format === undefined) {
    problem = refusal(400, 'invalid_message', 'format: must be json or msgpack, and match the subprotocol');
  }
  if (className !== null && rateClass === undefined) {
    problem = refusal(400, 'invalid_message', `class: must be one of ${CLASSES.join(', ')}`);
  }
  return {
    endpoint,
    token: members.get('token') ?? bearer,
    apiKey: members.get('api_key') ?? (headers.apiKey === '' ? undefined : headers.apiKey),
    format: format ?? 'json',
    subprotocol,
    rateClass,
    isStamped: members.get('timestamps') === '1',
    isExplained: members.get('explain') === '1',
    ...('status' in topics ? NO_TOPICS : topics),
    problem,
  };
}

type Topics = Pick<UpgradeRequest, 'stream' | 'symbols' | 'bookDetail'>;

const NO_TOPICS: Topics = { stream: undefined, symbols: [], bookDetail: 0 };

function topicsOf(endpoint: Endpoint, path: string, members: URLSearchParams): Topics | Refusal {
  const symbols = listOf(members.get('symbols'));
  switch (endpoint) {
    case 'quotes':
      if (symbols.length === 0) return refusal(400, 'missing_symbol', 'symbols: name at least one');
      return { stream: 'quotes', symbols, bookDetail: 0 };
    case 'trades':
      if (members.has('symbols') && symbols.length === 0) return refusal(400, 'missing_symbol', 'symbols: is empty');
      return { stream: 'trades', symbols, bookDetail: 0 };
    case 'markets':
      return marketOf(path, members);
    case 'orders':
      // The credential says whose orders.
      return { stream: 'orders', symbols: [], bookDetail: 0 };
    case 'analytics':
      return analyticsOf(members);
    case 'general':
      return NO_TOPICS;
  }
}

function marketOf(path: string, members: URLSearchParams): Topics | Refusal {
  const encoded = path.slice(MARKETS_PREFIX.length + 1);
  if (encoded === '') return refusal(400, 'missing_symbol', 'name the symbol: /ws/markets/{symbol}');
  let symbol: string;
  try {
    symbol = decodeURIComponent(encoded);
  } catch {
    return refusal(400, 'invalid_symbol', 'the symbol is not valid percent-encoding');
  }
  const depth = members.get('depth');
  if (depth === null) return { stream: 'orderbook', symbols: [symbol], bookDetail: 0 };
  const detail = depthDetail(Number(decimalOf(depth)));
  if (detail === undefined) return refusal(400, 'invalid_message', 'depth: must be 10, 25 or 100');
  return { stream: 'depth', symbols: [symbol], bookDetail: detail };
}

function analyticsOf(members: URLSearchParams): Topics | Refusal {
  const channels = listOf(members.get('channels'));
  if (channels.length === 0) return NO_TOPICS;
  const unknown = channels.filter(channel => !isChannel(channel));
  if (unknown.length === 0) return { stream: 'analytics', symbols: channels, bookDetail: 0 };
  return refusal(400, 'unknown_channel', `unknown: ${shorten(unknown)}`);
}

function listOf(text: string | null): string[] {
  const items = (text ?? '').split(',').map(item => item.trim());
  return [...new Set(items.filter(item => item !== ''))];
}

function chooseSubprotocol(offered: string): string {
  const names = offered.split(',').map(name => name.trim());
  return names.find(name => Object.hasOwn(SUBPROTOCOLS, name)) ?? '';
}

function formatOf(member: string | null, subprotocol: string): Format | undefined {
  const confirmed = SUBPROTOCOLS[subprotocol];
  if (member === null) return confirmed ?? 'json';
  if (member !== 'json' && member !== 'msgpack') return undefined;
  // Confirming a subprotocol promises its format.
  return confirmed === undefined || confirmed === member ? member : undefined;
}

/**
 * A browser page may connect from its own host or from a listed origin (`*` allows all). "Its own host" must be a name
 * that DNS rebinding cannot forge: a certificate proves it, it is an IP address, or `hosts` lists it.
 */
export function isOriginAllowed(
  origin: string,
  host: string,
  origins: readonly string[],
  hosts: readonly string[],
): boolean {
  if (origin === '' || origins.includes('*') || origins.includes(origin)) return true;
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  if (url?.host !== host) return false;
  return url.protocol === 'https:' || isFixedHost(hostNameOf(host)) || isListedHost(host, hosts);
}
