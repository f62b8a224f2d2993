/** What spans say of a message and its views, in the words of clients. A user's name is personal, and left out. */
import { ALL_SYMBOLS, isStateSource, type SourceKind, topicOf } from '../../protocol/topics.js';
import {
  classNameOfLane,
  detailOfLane,
  isMsgpackLane,
  isStampedLane,
  levelsOfDetail,
  TRADES_FULL,
} from '../../threads/lanes.js';

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** The subject of a message, as the hub knows it. */
export interface TracedSubject {
  readonly id: number;
  /** `md.quotes.AAPL`. */
  readonly name: string;
  readonly kind: SourceKind;
  readonly symbol: string;
  readonly epoch: string;
  readonly seq: number;
}

const BEST = 0;

export function messageAttributes({ name, kind, epoch, seq }: TracedSubject): SpanAttributes {
  return {
    'messaging.system': 'nats',
    'messaging.operation.type': 'process',
    'messaging.destination.name': kind === 'orders' ? 'orders' : name,
    'millrace.epoch': epoch,
    'millrace.seq': seq,
  };
}

/** @param isAllTrades the view of the trades of all symbols */
export function viewAttributes({ kind, symbol }: TracedSubject, lane: number, isAllTrades = false): SpanAttributes {
  return {
    'millrace.topic': topicText(kind, isAllTrades ? ALL_SYMBOLS : symbol, detailOfLane(lane)),
    'millrace.class': isStateSource(kind) ? classNameOfLane(lane) : 'event',
    'millrace.format': isMsgpackLane(lane) ? 'msgpack' : 'json',
    'millrace.stamped': isStampedLane(lane),
    ...detailAttribute(kind, detailOfLane(lane)),
  };
}

function topicText(kind: SourceKind, symbol: string, detail: number): string {
  if (kind === 'books') return topicOf(detail === BEST ? 'orderbook' : 'depth', symbol);
  return kind === 'orders' ? kind : topicOf(kind, symbol);
}

function detailAttribute(kind: SourceKind, detail: number): SpanAttributes {
  if (kind === 'trades') return { 'millrace.detail': detail === TRADES_FULL ? 'full' : 'public' };
  return kind === 'books' && detail !== BEST ? { 'millrace.detail': `${levelsOfDetail(detail)} levels` } : {};
}
