/** OKX, version 5: `{"arg":{"channel","instId"},"action","data":[…]}`. */
import { isList, isObject, microsOf, type Parsed, type ParsedObject, textOf } from '../exchange-json.js';
import { levelPairs } from '../levels.js';
import { type MarketEvent, membersOf, type Shape, timeText } from '../market-event.js';

/** Channels whose every message is a whole book. */
const WHOLE = new Set(['books5', 'bbo-tbt', 'sprd-books5', 'sprd-bbo-tbt']);
/** What a snapshot says that it follows. */
const NOTHING = '-1';

export class Okx implements Shape {
  readonly name = 'OKX';

  read(message: Parsed): readonly MarketEvent[] | undefined {
    if (message === 'pong') return [];
    if (!isObject(message) || !isObject(message.arg)) return undefined;
    const { arg, action, data, event } = message;
    const channel = textOf(arg.channel) ?? '';
    if (event !== undefined) return [];
    if (!isList(data)) return undefined;
    const items = data.filter(isObject);
    const symbolOf = (item: ParsedObject) => textOf(item.instId ?? item.sprdId ?? arg.instId ?? arg.sprdId) ?? '';
    if (/^(sprd-)?(books|bbo)/.test(channel)) {
      const isWhole = action === 'snapshot' || WHOLE.has(channel);
      return items.map(item => book(item, symbolOf(item), isWhole));
    }
    if (/^(sprd-)?(public-)?trades/.test(channel)) return items.map(item => trade(item, symbolOf(item)));
    if (/^(sprd-)?tickers$/.test(channel)) return items.map(item => quote(item, symbolOf(item)));
    return [];
  }
}

function book(item: ParsedObject, symbol: string, isWhole: boolean): MarketEvent {
  const value = textOf(item.checksum);
  const follows = textOf(item.prevSeqId);
  return {
    kind: 'book',
    symbol,
    isWhole,
    bids: levelPairs(item.bids),
    asks: levelPairs(item.asks),
    follows: isWhole || follows === NOTHING ? undefined : follows,
    number: textOf(item.seqId),
    // It has been 0 since it was withdrawn.
    checksum: value === undefined || value === '0' ? undefined : { rule: 'okx', value },
    timeMicros: microsOf(item.ts),
  };
}

function trade({ tradeId, px, sz, side, ts, count }: ParsedObject, symbol: string): MarketEvent {
  const timeMicros = microsOf(ts);
  const members = { trade_id: tradeId, price: px, quantity: sz, side, count, executed_at: timeText(timeMicros) };
  return { kind: 'trade', symbol, members: membersOf(members), timeMicros };
}

function quote(ticker: ParsedObject, symbol: string): MarketEvent {
  const { last, bidPx, bidSz, askPx, askSz, vol24h, high24h, low24h, open24h, ts } = ticker;
  const timeMicros = microsOf(ts);
  const members = membersOf({
    current_price: last,
    bid: bidPx,
    bid_size: bidSz,
    ask: askPx,
    ask_size: askSz,
    volume: vol24h,
    high: high24h,
    low: low24h,
    base_price: open24h,
    last_updated: timeText(timeMicros),
  });
  return { kind: 'quote', symbol, members, timeMicros };
}
