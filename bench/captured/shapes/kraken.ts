/** Kraken's WebSocket API: version 1 (arrays) and version 2 (objects). */
import { isList, isObject, microsOf, type Parsed, type ParsedObject, textOf } from '../exchange-json.js';
import { levelPairs } from '../levels.js';
import { type Level, type MarketEvent, membersOf, type Shape, timeText } from '../market-event.js';

const V1_EVENTS = new Set(['heartbeat', 'systemStatus', 'subscriptionStatus', 'pong']);
const V1_DEPTH_DEFAULT = 10;
/** Depths that can be asked for: where the answer to the subscription is not in the file, the snapshot tells which it is. */
const DEPTHS = [10, 25, 100, 500, 1000];

const depthFor = (levels: number) => DEPTHS.find(depth => depth >= levels);

export class KrakenV1 implements Shape {
  readonly name = 'Kraken v1';
  #trades = 0;

  read(message: Parsed): readonly MarketEvent[] | undefined {
    if (isObject(message)) return V1_EVENTS.has(textOf(message.event) ?? '') ? [] : undefined;
    if (!isList(message) || message.length < 4) return undefined;
    const [channel, symbol] = message.slice(-2).map(textOf);
    if (channel === undefined || symbol === undefined || !symbol.includes('/')) return undefined;
    const parts = message.slice(1, -2);
    if (channel.startsWith('book')) return this.#book(parts, channel, symbol);
    if (channel === 'trade') return parts.flatMap(part => this.#tradesOf(part, symbol));
    if (channel === 'ticker') return parts.flatMap(part => (isObject(part) ? [quoteV1(part, symbol)] : []));
    return [];
  }

  /** An update of both sides comes in two objects; the second one has the checksum. */
  #book(parts: readonly Parsed[], channel: string, symbol: string): MarketEvent[] {
    const all: ParsedObject = Object.assign({}, ...parts.filter(isObject));
    const isWhole = all.as !== undefined || all.bs !== undefined;
    const value = textOf(all.c);
    return [
      {
        kind: 'book',
        symbol,
        isWhole,
        bids: levelPairs(isWhole ? all.bs : all.b),
        asks: levelPairs(isWhole ? all.as : all.a),
        depthMax: Number(channel.split('-')[1] ?? V1_DEPTH_DEFAULT),
        checksum: value === undefined ? undefined : { rule: 'kraken', value },
      },
    ];
  }

  #tradesOf(part: Parsed, symbol: string): MarketEvent[] {
    if (!isList(part)) return [];
    return part.filter(isList).map(([price, quantity, time, side, order]) => {
      const timeMicros = microsOf(time);
      // Trades have no id here. The time with the place in the capture is one.
      const members = membersOf({
        trade_id: `${textOf(time)}-${++this.#trades}`,
        price,
        quantity,
        side: textOf(side) === 'b' ? 'buy' : 'sell',
        order_type: textOf(order) === 'm' ? 'market' : 'limit',
        executed_at: timeText(timeMicros),
      });
      return { kind: 'trade', symbol, members, timeMicros };
    });
  }
}

function quoteV1(ticker: ParsedObject, symbol: string): MarketEvent {
  const at = (member: string, place: number) => {
    const list = ticker[member];
    return isList(list) ? list[place] : undefined;
  };
  const members = membersOf({
    current_price: at('c', 0),
    bid: at('b', 0),
    bid_size: at('b', 2),
    ask: at('a', 0),
    ask_size: at('a', 2),
    volume: at('v', 1),
    high: at('h', 1),
    low: at('l', 1),
    open: at('o', 1),
  });
  return { kind: 'quote', symbol, members };
}

export class KrakenV2 implements Shape {
  readonly name = 'Kraken v2';
  readonly #depths = new Map<string, number>();

  read(message: Parsed): readonly MarketEvent[] | undefined {
    if (!isObject(message)) return undefined;
    if (message.method !== undefined && message.jsonrpc === undefined) return this.#answer(message);
    const { channel, type, data } = message;
    if (typeof channel !== 'string' || message.events !== undefined) return undefined;
    if (!isList(data)) return channel === 'heartbeat' ? [] : undefined;
    const isWhole = type === 'snapshot';
    switch (channel) {
      case 'book':
        return data.filter(isObject).map(book => this.#book(book, isWhole));
      case 'trade':
        return data.filter(isObject).map(tradeV2);
      case 'ticker':
        return data.filter(isObject).map(quoteV2);
      default:
        return [];
    }
  }

  #answer({ result }: ParsedObject): readonly MarketEvent[] {
    if (!isObject(result) || result.channel !== 'book') return [];
    const [symbol, depth] = [textOf(result.symbol), Number(textOf(result.depth))];
    if (symbol !== undefined && depth > 0) this.#depths.set(symbol, depth);
    return [];
  }

  #book(book: ParsedObject, isWhole: boolean): MarketEvent {
    const symbol = textOf(book.symbol) ?? '';
    const bids = objectLevels(book.bids);
    const asks = objectLevels(book.asks);
    if (isWhole && !this.#depths.has(symbol)) {
      const depth = depthFor(Math.max(bids.length, asks.length));
      if (depth !== undefined) this.#depths.set(symbol, depth);
    }
    const value = textOf(book.checksum);
    return {
      kind: 'book',
      symbol,
      isWhole,
      bids,
      asks,
      depthMax: this.#depths.get(symbol),
      checksum: value === undefined ? undefined : { rule: 'kraken', value },
      timeMicros: microsOf(book.timestamp),
    };
  }
}

function objectLevels(value: Parsed | undefined): Level[] {
  return levelPairs(isList(value) ? value.filter(isObject).map(({ price = '', qty = '' }) => [price, qty]) : undefined);
}

function tradeV2(trade: ParsedObject): MarketEvent {
  const { trade_id, price, qty, side, ord_type, timestamp } = trade;
  const timeMicros = microsOf(timestamp);
  const members = { trade_id, price, quantity: qty, side, order_type: ord_type, executed_at: timestamp };
  return { kind: 'trade', symbol: textOf(trade.symbol) ?? '', members: membersOf(members), timeMicros };
}

function quoteV2(ticker: ParsedObject): MarketEvent {
  const { last, bid, bid_qty, ask, ask_qty, volume, vwap, high, low, change, change_pct, timestamp } = ticker;
  const members = membersOf({
    current_price: last,
    bid,
    bid_size: bid_qty,
    ask,
    ask_size: ask_qty,
    volume,
    vwap,
    high,
    low,
    change,
    change_percent: change_pct,
    last_updated: timestamp,
  });
  return { kind: 'quote', symbol: textOf(ticker.symbol) ?? '', members, timeMicros: microsOf(timestamp) };
}
