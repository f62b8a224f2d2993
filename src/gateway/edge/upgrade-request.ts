/** Parses an upgrade request: what it asks for, or why it is refused. Nothing here depends on uWS. */
import { decimalOf } from '../../protocol/amount.js';
import { isChannel, type Stream } from '../../protocol/topics.js';
import { CLASSES, classNumber, type Format } from '../../protocol/view-options.js';
import { depthDetail } from '../../threads/lanes.js';
import { type Refusal, refusal, shorten } from '../refusal.js';
import { type Endpoint, Query } from './query.js';
import { readSubprotocols } from './subprotocols.js';

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
  /** Members of the query that had no effect. */
  readonly ignored: readonly string[];
  /** What is wrong with the query or path; reported once the credential is accepted. */
  readonly problem: Refusal | undefined;
}

/** Endpoints that require a credential. */
export const PRIVATE_ENDPOINTS: ReadonlySet<Endpoint> = new Set(['quotes', 'orders', 'analytics']);

const MARKETS_PREFIX = '/ws/markets';

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

interface RequestHeaders {
  readonly authorization: string;
  readonly apiKey: string;
  /** All lines. */
  readonly subprotocols: string;
}

/** @param query the query string without `?` */
export function parseRequest(path: string, query: string, headers: RequestHeaders): UpgradeRequest | Refusal {
  const endpoint = endpointOf(path);
  if (endpoint === undefined) return refusal(404, 'not_found', 'no such endpoint');
  const members = new Query(endpoint, query);
  const subprotocols = readSubprotocols(headers.subprotocols);
  const format = formatOf(members.get('format'), subprotocols.format);
  const className = members.get('class');
  const rateClass = className === undefined ? undefined : classNumber(className);
  const topics = topicsOf(endpoint, path, members);
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization)?.[1];
  let problem = 'status' in topics ? topics : undefined;
  if (format === undefined) {
    problem = refusal(400, 'invalid_message', 'format: must be json or msgpack, and match the subprotocol');
  }
  if (className !== undefined && rateClass === undefined) {
    problem = refusal(400, 'invalid_message', `class: must be one of ${CLASSES.join(', ')}`);
  }
  return {
    endpoint,
    token: members.get('token') ?? subprotocols.token ?? bearer,
    apiKey: members.get('api_key') ?? (headers.apiKey === '' ? undefined : headers.apiKey),
    format: format ?? 'json',
    subprotocol: subprotocols.confirmed,
    rateClass,
    isStamped: members.get('timestamps') === '1',
    isExplained: members.get('explain') === '1',
    ignored: members.ignored,
    ...('status' in topics ? NO_TOPICS : topics),
    problem,
  };
}

type Topics = Pick<UpgradeRequest, 'stream' | 'symbols' | 'bookDetail'>;

const NO_TOPICS: Topics = { stream: undefined, symbols: [], bookDetail: 0 };

function topicsOf(endpoint: Endpoint, path: string, members: Query): Topics | Refusal {
  const symbols = members.list('symbols');
  switch (endpoint) {
    case 'quotes':
      if (symbols === undefined || symbols.length === 0) {
        return refusal(400, 'missing_symbol', 'symbols: name at least one');
      }
      return { stream: 'quotes', symbols, bookDetail: 0 };
    case 'trades':
      if (symbols?.length === 0) return refusal(400, 'missing_symbol', 'symbols: is empty');
      return { stream: 'trades', symbols: symbols ?? [], bookDetail: 0 };
    case 'markets':
      return marketOf(path, members.get('depth'));
    case 'orders':
      // The credential says whose orders.
      return { stream: 'orders', symbols: [], bookDetail: 0 };
    case 'analytics':
      return analyticsOf(members.list('channels') ?? []);
    case 'general':
      return NO_TOPICS;
  }
}

function marketOf(path: string, depth: string | undefined): Topics | Refusal {
  const encoded = path.slice(MARKETS_PREFIX.length + 1);
  if (encoded === '') return refusal(400, 'missing_symbol', 'name the symbol: /ws/markets/{symbol}');
  let symbol: string;
  try {
    symbol = decodeURIComponent(encoded);
  } catch {
    return refusal(400, 'invalid_symbol', 'the symbol is not valid percent-encoding');
  }
  if (depth === undefined) return { stream: 'orderbook', symbols: [symbol], bookDetail: 0 };
  const detail = depthDetail(Number(decimalOf(depth)));
  if (detail === undefined) return refusal(400, 'invalid_message', 'depth: must be 10, 25 or 100');
  return { stream: 'depth', symbols: [symbol], bookDetail: detail };
}

function analyticsOf(channels: readonly string[]): Topics | Refusal {
  if (channels.length === 0) return NO_TOPICS;
  const unknown = channels.filter(channel => !isChannel(channel));
  if (unknown.length === 0) return { stream: 'analytics', symbols: channels, bookDetail: 0 };
  return refusal(400, 'unknown_channel', `unknown: ${shorten(unknown)}`);
}

/** @param promised by the subprotocol that is confirmed */
function formatOf(member: string | undefined, promised: Format | undefined): Format | undefined {
  if (member === undefined) return promised ?? 'json';
  if (member !== 'json' && member !== 'msgpack') return undefined;
  return promised === undefined || promised === member ? member : undefined;
}
