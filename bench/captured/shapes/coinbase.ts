/** Coinbase: the Exchange's feed (`type`), and Advanced Trade's (`channel` and `events`). */
import { isList, isObject, microsOf, type Parsed, type ParsedObject, textOf } from '../exchange-json.js';
import { levelPairs } from '../levels.js';
import { type MarketEvent, membersOf, type Shape } from '../market-event.js';

/** Messages of the Exchange's feed that say nothing of what is mapped: answers, and those of the full channel. */
const SILENT = new Set(
  'subscriptions heartbeat error status received open done change activate rfq_match auction'.split(' '),
);

export class Coinbase implements Shape {
  readonly name = 'Coinbase';

  read(message: Parsed): readonly MarketEvent[] | undefined {
    if (!isObject(message)) return undefined;
    if (typeof message.channel === 'string' && isList(message.events)) return advanced(message);
    const type = textOf(message.type) ?? '';
    if (SILENT.has(type)) return [];
    const symbol = textOf(message.product_id);
    if (symbol === undefined) return undefined;
    const timeMicros = microsOf(message.time);
    switch (type) {
      case 'snapshot': {
        const [bids, asks] = [levelPairs(message.bids), levelPairs(message.asks)];
        return [{ kind: 'book', symbol, isWhole: true, bids, asks, timeMicros }];
      }
      case 'l2update': {
        const changes = isList(message.changes) ? message.changes.filter(isList) : [];
        const side = (name: string) => levelPairs(changes.filter(change => change[0] === name).map(c => c.slice(1)));
        return [{ kind: 'book', symbol, isWhole: false, bids: side('buy'), asks: side('sell'), timeMicros }];
      }
      case 'match':
      case 'last_match':
        return [{ kind: 'trade', symbol, members: tradeMembers(message), timeMicros }];
      case 'ticker':
        return [{ kind: 'quote', symbol, members: quoteMembers(message), timeMicros }];
      default:
        return undefined;
    }
  }
}

function advanced({ channel, events, timestamp }: ParsedObject): MarketEvent[] {
  const timeMicros = microsOf(timestamp);
  return (events as readonly Parsed[]).filter(isObject).flatMap((event): MarketEvent[] => {
    if (channel === 'l2_data' && isList(event.updates)) {
      const updates = event.updates.filter(isObject);
      const side = (isBid: boolean) =>
        levelPairs(
          updates
            .filter(update => (textOf(update.side) === 'bid') === isBid)
            .map(({ price_level = '', new_quantity = '' }) => [price_level, new_quantity]),
        );
      const isWhole = event.type === 'snapshot';
      const symbol = textOf(event.product_id) ?? '';
      return [{ kind: 'book', symbol, isWhole, bids: side(true), asks: side(false), timeMicros }];
    }
    if (channel === 'market_trades' && isList(event.trades)) {
      // The newest first.
      return event.trades
        .filter(isObject)
        .reverse()
        .map(trade => {
          const members = tradeMembers({ ...trade, side: textOf(trade.side)?.toLowerCase() });
          return { kind: 'trade', symbol: textOf(trade.product_id) ?? '', members, timeMicros: microsOf(trade.time) };
        });
    }
    if ((channel === 'ticker' || channel === 'ticker_batch') && isList(event.tickers)) {
      return event.tickers.filter(isObject).map(ticker => {
        return { kind: 'quote', symbol: textOf(ticker.product_id) ?? '', members: advancedQuote(ticker), timeMicros };
      });
    }
    return [];
  });
}

function tradeMembers({ trade_id, price, size, side, time, maker_order_id, taker_order_id }: ParsedObject) {
  return membersOf({ trade_id, price, quantity: size, side, executed_at: time, maker_order_id, taker_order_id });
}

function quoteMembers(ticker: ParsedObject) {
  const { price, best_bid, best_bid_size, best_ask, best_ask_size, volume_24h, high_24h, low_24h, open_24h } = ticker;
  return membersOf({
    current_price: price,
    bid: best_bid,
    bid_size: best_bid_size,
    ask: best_ask,
    ask_size: best_ask_size,
    volume: volume_24h,
    high: high_24h,
    low: low_24h,
    base_price: open_24h,
    last_updated: ticker.time,
  });
}

function advancedQuote(ticker: ParsedObject) {
  const { price, best_bid, best_bid_quantity, best_ask, best_ask_quantity, volume_24_h, high_24_h, low_24_h } = ticker;
  return membersOf({
    current_price: price,
    bid: best_bid,
    bid_size: best_bid_quantity,
    ask: best_ask,
    ask_size: best_ask_quantity,
    volume: volume_24_h,
    high: high_24_h,
    low: low_24_h,
    change_percent: ticker.price_percent_chg_24_h,
  });
}
