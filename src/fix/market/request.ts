/** What a MarketDataRequest (V) asks for, or why it cannot be served. */
import { levelsOfDetail } from '../../threads/lanes.js';
import type { FixMessage } from '../wire/message.js';
import { Tag } from '../wire/tags.js';

/** MDReqRejReason (281). */
export const MdReject = {
  unknownSymbol: '0',
  duplicateId: '1',
  limits: '2',
  forbidden: '3',
  subscriptionType: '4',
  depth: '5',
  updateType: '6',
  aggregation: '7',
  entryType: '8',
  tradingSession: '9',
  scope: 'A',
  settlement: 'B',
  implicitDelete: 'C',
} as const;
export type MdReject = (typeof MdReject)[keyof typeof MdReject];

/** What happens while more than `max` messages wait. */
export interface QueuePolicy {
  readonly max: number;
  /** Drop what follows, then send a new W · then send the changes as one X · log the client out. */
  readonly action: 'flush' | 'overlay' | 'end';
}

export interface MarketRequest {
  readonly id: string;
  /** One W and no more. */
  readonly isSnapshot: boolean;
  /** A whole W at every change. */
  readonly isFull: boolean;
  /** Best levels per side. */
  readonly levels: number;
  /** The detail of the lane that has at least these levels. */
  readonly detail: number;
  readonly hasBids: boolean;
  readonly hasOffers: boolean;
  readonly hasTrades: boolean;
  /** Entry types of statistics: open, close, high, low. */
  readonly statistics: ReadonlySet<string>;
  /** The client would rather be logged out than miss messages (ApplQueueAction 3). */
  readonly endsWhenSlow: boolean;
  /** Undefined: the gateway's own bounds are all that counts. */
  readonly queue: QueuePolicy | undefined;
  readonly symbols: readonly string[];
  /** The client may have sent the same request before, with another number (PossResend). */
  readonly isResent: boolean;
}

type RequestRead =
  | { readonly is: 'request'; readonly request: MarketRequest }
  | { readonly is: 'unsubscribe'; readonly id: string }
  /** Y. */
  | { readonly is: 'refused'; readonly id: string; readonly reason: MdReject; readonly text: string }
  /** j: a field that this request needs is missing. */
  | { readonly is: 'incomplete'; readonly id: string; readonly text: string };

const LEVELS_MAX = 100;
const DETAILS = [0, 1, 2, 3] as const;
const STATISTICS = new Set(['4', '5', '7', '8']);
const BOOK_AND_TRADES = new Set(['0', '1', '2']);
const END_SESSION = '3';
const QUEUE_ACTIONS: ReadonlyMap<string, QueuePolicy['action']> = new Map([
  ['1', 'flush'],
  ['2', 'overlay'],
  [END_SESSION, 'end'],
]);
const QUEUE_MAX = 10_000;
/** An MDReqID is part of each message. */
const ID_LENGTH_MAX = 256;

/** @param message checked against the dictionary */
export function readRequest(message: FixMessage): RequestRead {
  const id = message.text(Tag.mdReqId) ?? '';
  const refused = (reason: MdReject, text: string): RequestRead => ({ is: 'refused', id, reason, text });
  const type = message.text(Tag.subscriptionRequestType) ?? '';
  if (type === '2') return { is: 'unsubscribe', id };
  if (id.length > ID_LENGTH_MAX) return refused(MdReject.limits, `MDReqID must have at most ${ID_LENGTH_MAX} bytes`);
  if (type !== '0' && type !== '1')
    return refused(MdReject.subscriptionType, 'SubscriptionRequestType must be 0, 1 or 2');
  const depth = message.integer(Tag.marketDepth);
  if (!(depth <= LEVELS_MAX)) return refused(MdReject.depth, `MarketDepth must be 0 to ${LEVELS_MAX}`);
  const updateType = message.text(Tag.mdUpdateType);
  if (updateType === undefined && type === '1') {
    return { is: 'incomplete', id, text: 'MDUpdateType (265) is required for a subscription' };
  }
  if (updateType !== undefined && updateType !== '0' && updateType !== '1') {
    return refused(MdReject.updateType, 'MDUpdateType must be 0 or 1');
  }
  if (message.has(Tag.aggregatedBook)) {
    return refused(MdReject.aggregation, 'AggregatedBook is not supported: books always have one entry per price');
  }
  const unsupported = unsupportedOption(message) ?? queueFault(message);
  if (unsupported !== undefined) return refused(...unsupported);
  const types = new Set(valuesOf(message, Tag.mdEntryType));
  const unknown = [...types].filter(entry => !BOOK_AND_TRADES.has(entry) && !STATISTICS.has(entry));
  if (unknown.length > 0)
    return refused(MdReject.entryType, `MDEntryType must be 0, 1, 2, 4, 5, 7 or 8, not ${unknown[0]}`);
  if (type === '0' && types.has('2')) return refused(MdReject.entryType, 'trades have no snapshot: subscribe to them');
  const levels = depth === 0 ? LEVELS_MAX : depth;
  const request: MarketRequest = {
    id,
    isSnapshot: type === '0',
    isFull: updateType === '0',
    levels,
    detail: DETAILS.find(detail => levelsOfDetail(detail) >= levels) ?? 0,
    hasBids: types.has('0'),
    hasOffers: types.has('1'),
    hasTrades: types.has('2'),
    statistics: new Set([...types].filter(entry => STATISTICS.has(entry))),
    endsWhenSlow: message.text(Tag.applQueueAction) === END_SESSION,
    queue: type === '1' ? queueOf(message) : undefined,
    symbols: [...new Set(symbolsOf(message))],
    isResent: message.isYes(Tag.possResend),
  };
  if (request.symbols.length === 0 || types.size === 0) {
    return { is: 'incomplete', id, text: 'name at least one Symbol (55) and one MDEntryType (269)' };
  }
  return { is: 'request', request };
}

type Fault = readonly [reason: MdReject, text: string];

/** Options that would change what is sent, and are not served. */
function unsupportedOption(message: FixMessage): Fault | undefined {
  if (message.has(Tag.noTradingSessions)) return [MdReject.tradingSession, 'trading sessions are not supported'];
  if (message.has(Tag.scope)) return [MdReject.scope, 'Scope is not supported'];
  if (message.has(Tag.openCloseSettlFlag)) return [MdReject.settlement, 'OpenCloseSettlFlag is not supported'];
  if (message.isYes(Tag.mdImplicitDelete)) {
    return [MdReject.implicitDelete, 'MDImplicitDelete Y: each removed level is sent'];
  }
  return undefined;
}

function queueFault(message: FixMessage): Fault | undefined {
  if (!message.has(Tag.applQueueMax)) return undefined;
  const max = message.integer(Tag.applQueueMax);
  if (!(max >= 1 && max <= QUEUE_MAX)) return [MdReject.limits, `ApplQueueMax must be 1 to ${QUEUE_MAX}`];
  if (!message.has(Tag.applQueueAction)) return [MdReject.limits, 'ApplQueueMax needs ApplQueueAction (815)'];
  return undefined;
}

function queueOf(message: FixMessage): QueuePolicy | undefined {
  const max = message.integer(Tag.applQueueMax);
  const action = QUEUE_ACTIONS.get(message.text(Tag.applQueueAction) ?? '');
  return action === undefined || Number.isNaN(max) ? undefined : { max, action };
}

function valuesOf(message: FixMessage, tag: number): string[] {
  return message.tags.flatMap((found, at) => (found === tag ? [message.valueAt(at)] : []));
}

function symbolsOf(message: FixMessage): string[] {
  return message.tags.flatMap((found, at) => (found === Tag.symbol ? [message.utf8At(at)] : []));
}

/** The streams that serve a request, for entitlements and costs. */
export function streamsOf({ detail, hasBids, hasOffers, hasTrades, statistics }: MarketRequest) {
  const book = detail === 0 ? ('orderbook' as const) : ('depth' as const);
  return [
    ...(hasBids || hasOffers ? [book] : []),
    ...(hasTrades ? ['trades' as const] : []),
    ...(statistics.size > 0 ? ['quotes' as const] : []),
  ];
}
