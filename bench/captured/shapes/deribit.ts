/** Deribit: JSON-RPC 2.0 notifications, `{"params":{"channel","data"}}`. Their amounts are JSON numbers. */
import { isList, isObject, microsOf, type Parsed, type ParsedObject, textOf } from '../exchange-json.js';
import { type Level, type MarketEvent, membersOf, type Shape, timeText } from '../market-event.js';

export class Deribit implements Shape {
  readonly name = 'Deribit';

  read(message: Parsed): readonly MarketEvent[] | undefined {
    if (!isObject(message)) return undefined;
    const { params } = message;
    if (!isObject(params) || typeof params.channel !== 'string') return message.jsonrpc === undefined ? undefined : [];
    const { channel, data } = params;
    const [kind] = channel.split('.');
    switch (kind) {
      case 'book':
        return isObject(data) ? [book(data)] : [];
      case 'trades':
        return isList(data) ? data.filter(isObject).map(trade) : [];
      case 'ticker':
        return isObject(data) ? [quote(data)] : [];
      default:
        return [];
    }
  }
}

/** Grouped books are whole and have no `type`; their levels have no action. */
function book(data: ParsedObject): MarketEvent {
  const isWhole = data.type === undefined || data.type === 'snapshot';
  return {
    kind: 'book',
    symbol: textOf(data.instrument_name) ?? '',
    isWhole,
    bids: levels(data.bids),
    asks: levels(data.asks),
    follows: isWhole ? undefined : textOf(data.prev_change_id),
    number: textOf(data.change_id),
    timeMicros: microsOf(data.timestamp),
  };
}

/** `["new" | "change" | "delete", price, amount]`, or `[price, amount]` */
function levels(value: Parsed | undefined): Level[] {
  if (!isList(value)) return [];
  return value.flatMap(level => {
    if (!isList(level)) return [];
    const [action, price, amount] = level.length > 2 ? level : ['new', ...level];
    const [priceText, amountText] = [textOf(price), textOf(amount)];
    if (priceText === undefined || amountText === undefined) return [];
    return [[priceText, action === 'delete' ? '0' : amountText] as const];
  });
}

function trade(data: ParsedObject): MarketEvent {
  const { trade_id, trade_seq, price, amount, direction, timestamp, index_price, mark_price } = data;
  const timeMicros = microsOf(timestamp);
  const members = membersOf({
    trade_id,
    trade_seq,
    price,
    quantity: amount,
    side: direction,
    executed_at: timeText(timeMicros),
    index_price,
    mark_price,
  });
  return { kind: 'trade', symbol: textOf(data.instrument_name) ?? '', members, timeMicros };
}

/** An option without orders has `null` for its best prices, one that was never traded for its last. */
function quote(data: ParsedObject): MarketEvent {
  const { last_price, best_bid_price, best_bid_amount, best_ask_price, best_ask_amount, stats, timestamp } = data;
  const { mark_price, index_price, open_interest } = data;
  const timeMicros = microsOf(timestamp);
  const day = isObject(stats) ? stats : {};
  const members = membersOf({
    current_price: last_price,
    bid: best_bid_price,
    bid_size: best_bid_amount,
    ask: best_ask_price,
    ask_size: best_ask_amount,
    volume: day.volume,
    high: day.high,
    low: day.low,
    change_percent: day.price_change,
    mark_price,
    index_price,
    open_interest,
    last_updated: timeText(timeMicros),
  });
  return { kind: 'quote', symbol: textOf(data.instrument_name) ?? '', members, timeMicros };
}
