/** Reads what publishers write (ops/publishing.md) as events for the detectors. */
import { ExactNumber } from '../protocol/exact-number.js';
import { timeText } from '../protocol/time-text.js';
import type { OrderEvent, Side, TradeEvent } from './events.js';

const ACTIONS: ReadonlySet<string> = new Set([
  'created',
  'replaced',
  'partially_filled',
  'filled',
  'cancelled',
  'rejected',
]);

/** Who cancels an order besides its user. The contract writes `exchange`; venues also use the others. */
const VENUES: ReadonlySet<unknown> = new Set(['exchange', 'venue', 'market', 'system', 'operator']);

type Members = Readonly<Record<string, unknown>>;

/** @param user whom the subject names. @param receivedMicros counts when the message has no time. @returns undefined when it says too little */
export function parseOrder(message: Members, user: string, receivedMicros: number): OrderEvent | undefined {
  const { action, order_id: id, symbol, quantity, filled_quantity: filled, price, timestamp } = message;
  const side = sideOf(message.side);
  if (typeof action !== 'string' || !ACTIONS.has(action)) return undefined;
  if (!isName(id) || typeof symbol !== 'string' || symbol === '') return undefined;
  return {
    kind: 'order',
    atMicros: microsOf(timestamp) ?? receivedMicros,
    user,
    symbol,
    orderId: String(id),
    action: action as OrderEvent['action'],
    side,
    price: numberOf(price),
    quantity: amountOf(quantity),
    filled: amountOf(filled),
    isQuote: lowerCase(message.order_type) === 'quote',
    isByVenue: VENUES.has(lowerCase(message.cancelled_by)),
  };
}

/** @returns undefined without both parties: there is nothing to watch then */
export function parseTrade(message: Members, receivedMicros: number): TradeEvent | undefined {
  const { trade_id: id, symbol, buyer_id: buyer, seller_id: seller, executed_at: time } = message;
  const [price, quantity] = [numberOf(message.price), numberOf(message.quantity)];
  if (!isName(id) || !isName(buyer) || !isName(seller) || typeof symbol !== 'string' || symbol === '') return undefined;
  if (price === undefined || quantity === undefined || quantity <= 0) return undefined;
  return {
    kind: 'trade',
    atMicros: microsOf(time) ?? receivedMicros,
    symbol,
    tradeId: String(id),
    price,
    quantity,
    buyer: String(buyer),
    seller: String(seller),
    aggressor: sideOf(message.aggressor_side),
  };
}

function sideOf(side: unknown): Side | undefined {
  const text = lowerCase(side);
  return text === 'buy' || text === 'sell' ? text : undefined;
}

const lowerCase = (value: unknown): string => (typeof value === 'string' ? value.toLowerCase() : '');

/** Empty text names nothing: two parties that are both left empty are not the same user. */
const isName = (value: unknown): value is string | number | bigint =>
  (typeof value === 'string' && value !== '') || typeof value === 'number' || typeof value === 'bigint';

/** An amount as publishers write it; near enough for comparisons. */
export function numberOf(value: unknown): number | undefined {
  const isWritten = (typeof value === 'string' && value.trim() !== '') || typeof value === 'bigint';
  const number = isWritten || value instanceof ExactNumber ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** A quantity; 0 when it is not given, or makes no sense. */
const amountOf = (value: unknown): number => Math.max(0, numberOf(value) ?? 0);

/** A time in any form that publishers may write, to the millisecond; more digits do not matter here. */
function microsOf(time: unknown): number | undefined {
  if (time === undefined) return undefined;
  const text = timeText(time);
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms * 1000;
}
