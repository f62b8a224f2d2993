/** One line of text per data frame: its topic, its sequence and what changed, short enough to read while it scrolls. */
import { bestLevels } from '../client/book.js';
import type { ClientDocuments, ServerFrame, Staleness } from '../client/chain.js';
import { stringifyExact } from '../protocol/exact-json.js';

/** Most changes shown; the rest is counted. */
const CHANGES_SHOWN_MAX = 8;
/** Longest value shown, in characters. */
const VALUE_LENGTH_MAX = 48;

/** The line for a topic that is held back. */
export function describeStale(topic: string, { since, reason }: Staleness): string {
  return `STALE ${topic}${since === undefined ? '' : ` since ${since}`} (${reason}): prices are old`;
}

/** What a `gap` says is missing. */
export function describeLoss(from: number, to: number, reason: unknown): string {
  if (reason === 'new_epoch') return 'numbers begin again; whether anything was lost is unknown (new_epoch)';
  return `${from} to ${to} are lost (${String(reason)})`;
}

/** The line for a frame, without time or line end. `documents` hold the state after the frame. */
export function describeFrame(frame: ServerFrame, documents: ClientDocuments): string {
  switch (frame.type) {
    case 'quotes_patch':
      return frame.snapshot === true
        ? quotesSnapshot(frame)
        : `${head('quotes', frame)} ${wholeQuote(frame) ?? changes(frame.operations, 2)}`;
    case 'depth_patch':
      return depth(frame, documents);
    case 'orderbook_update':
      return `${head('orderbook', frame)} ${orderbook(frame)}`;
    case 'trade_executed':
      return `${head('trades', frame)} ${value(frame.quantity)} at ${value(frame.price)} (trade ${value(frame.trade_id)})`;
    case 'order_update':
      return `orders:${frame.user_id} seq ${frame.seq} ${frame.action} ${value(frame.order_id)} ${order(frame)}`;
    case 'room_message':
      return `rooms:${frame.room} seq ${frame.seq} ${value(frame.from)}: ${value(frame.data)}`;
    default:
      if (typeof frame.channel === 'string')
        return `analytics:${frame.channel} seq ${frame.seq} ${analytics(frame.data)}`;
      return value(frame);
  }
}

function head(stream: string, frame: ServerFrame): string {
  return `${stream}:${frame.symbol} seq ${frame.seq}${frame.snapshot === true ? ' snapshot' : ''}`;
}

function quotesSnapshot(frame: ServerFrame): string {
  const seqs = Object.entries(frame.seqs ?? {}).map(([symbol, seq]) => `${symbol} seq ${seq}`);
  const named = seqs.slice(0, CHANGES_SHOWN_MAX).join(', ');
  const rest = seqs.length > CHANGES_SHOWN_MAX ? ` and ${seqs.length - CHANGES_SHOWN_MAX} more` : '';
  const [only] = operationsOf(frame.operations);
  const quote = seqs.length === 1 && typeof only?.value === 'object' ? ` ${members(only.value)}` : '';
  return `quotes:${named}${rest} snapshot${quote}`;
}

/** Of a delta that replaces the quote, as it does where single changes would be longer. */
function wholeQuote(frame: ServerFrame): string | undefined {
  const [only, ...others] = operationsOf(frame.operations);
  const isWhole = others.length === 0 && only?.op === 'replace' && only.path.split('/').length === 3;
  return isWhole && typeof only.value === 'object' ? `whole ${members(only.value)}` : undefined;
}

function depth(frame: ServerFrame, documents: ClientDocuments): string {
  const book = documents.depth.get(String(frame.symbol));
  const bid = book === undefined ? undefined : bestLevels(book, 'bids', 1)[0];
  const ask = book === undefined ? undefined : bestLevels(book, 'asks', 1)[0];
  const best = `best ${bid?.[0] ?? '-'}/${ask?.[0] ?? '-'}`;
  if (frame.snapshot !== true) return `${head('depth', frame)} ${best} ${changes(frame.operations, 1)}`;
  const levels = `${Object.keys(book?.bids ?? {}).length} bids, ${Object.keys(book?.asks ?? {}).length} asks`;
  return `${head('depth', frame)} ${best} ${levels}`;
}

function orderbook(frame: ServerFrame): string {
  const bid = frame.best_bid === null ? '-' : `${value(frame.bid_quantity)}@${value(frame.best_bid)}`;
  const ask = frame.best_ask === null ? '-' : `${value(frame.ask_quantity)}@${value(frame.best_ask)}`;
  return `bid ${bid} ask ${ask} spread ${value(frame.spread)}`;
}

/** An alert of surveillance as its sentence, anything else as its value. */
function analytics(data: unknown): string {
  if (typeof data !== 'object' || data === null || !('source' in data) || data.source !== 'surveillance')
    return value(data);
  const { detector, symbol, summary } = data as ServerFrame;
  // The sentence is what the line is for: it is never cut.
  return `${value(detector)}${typeof symbol === 'string' ? ` ${symbol}` : ''}: ${String(summary)}`;
}

function order({ side, quantity, symbol, price, status }: ServerFrame): string {
  return `${value(side)} ${value(quantity)} ${value(symbol)} at ${value(price)} ${value(status)}`;
}

/** `current_price=150.25 bid=150.24 -note`, from the part of each path after `skip` tokens. */
function changes(operations: unknown, skip: number): string {
  const list = operationsOf(operations);
  const shown = list.slice(0, CHANGES_SHOWN_MAX).map(operation => {
    const tokens = operation.path.split('/').slice(1);
    const name = tokens
      .slice(Math.min(skip, tokens.length - 1))
      .map(unescapeToken)
      .join('/');
    const side = skip === 1 && tokens.length > 1 ? `${tokens[0]} ` : '';
    return operation.op === 'remove' ? `${side}-${name}` : `${side}${name}=${value(operation.value)}`;
  });
  const more = list.length > CHANGES_SHOWN_MAX ? [`and ${list.length - CHANGES_SHOWN_MAX} more`] : [];
  return [...shown, ...more].join(skip === 1 ? ', ' : ' ');
}

function members(document: object | null): string {
  return Object.entries(document ?? {})
    .filter(([name]) => name !== 'symbol')
    .slice(0, CHANGES_SHOWN_MAX)
    .map(([name, content]) => `${name}=${value(content)}`)
    .join(' ');
}

interface ShownOperation {
  readonly op: unknown;
  readonly path: string;
  readonly value?: unknown;
}

function operationsOf(operations: unknown): readonly ShownOperation[] {
  return Array.isArray(operations) ? operations.filter(isShownOperation) : [];
}

function isShownOperation(item: unknown): item is ShownOperation {
  return typeof item === 'object' && item !== null && 'path' in item && typeof item.path === 'string';
}

function unescapeToken(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** Text as it is, anything else as JSON with all its digits, truncated to leave room for the others. */
function value(content: unknown): string {
  const text = typeof content === 'string' ? content : (stringifyExact(content) ?? '-');
  return text.length <= VALUE_LENGTH_MAX ? text : `${text.slice(0, VALUE_LENGTH_MAX - 1)}…`;
}
