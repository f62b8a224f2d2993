/** Bitfinex, version 2: arrays that begin with a channel's number, which an event before has given a meaning. */
import { isList, isObject, microsOf, NumberText, type Parsed, type ParsedObject, textOf } from '../exchange-json.js';
import { type Level, type MarketEvent, membersOf, type Shape, timeText } from '../market-event.js';

const EVENTS = new Set(['info', 'subscribed', 'unsubscribed', 'conf', 'error', 'auth', 'pong']);
/** Raw books hold orders, not levels. */
const RAW = 'R0';

interface Channel {
  readonly kind: string;
  readonly symbol: string;
}

export class Bitfinex implements Shape {
  readonly name = 'Bitfinex';
  readonly #channels = new Map<string, Channel>();

  read(message: Parsed): readonly MarketEvent[] | undefined {
    if (isObject(message)) return this.#event(message);
    if (!isList(message) || !(message[0] instanceof NumberText)) return undefined;
    const channel = this.#channels.get(message[0].text);
    if (channel === undefined) return undefined;
    const [, content, argument] = message;
    if (content === 'hb') return [];
    if (content === 'cs') {
      const value = textOf(argument) ?? '';
      return [{ kind: 'checksum', symbol: channel.symbol, checksum: { rule: 'bitfinex', value } }];
    }
    switch (channel.kind) {
      case 'book':
        return isList(content) ? [book(content, channel.symbol)] : [];
      case 'trades':
        return trades(content, argument, channel.symbol);
      case 'ticker':
        return isList(content) ? [quote(content, channel.symbol)] : [];
      default:
        return [];
    }
  }

  #event({ event, channel, chanId, symbol, prec }: ParsedObject): readonly MarketEvent[] | undefined {
    const name = textOf(event) ?? '';
    if (!EVENTS.has(name)) return undefined;
    const [id, kind, pair] = [textOf(chanId), textOf(channel), textOf(symbol)];
    if (name !== 'subscribed' || id === undefined || kind === undefined || pair === undefined) return [];
    this.#channels.set(id, { kind: prec === RAW ? 'raw' : kind, symbol: pair.replace(/^t(?=[A-Z0-9])/, '') });
    return [];
  }
}

/** A snapshot is a list of levels `[price, count, amount]`, an update one of them. */
function book(content: readonly Parsed[], symbol: string): MarketEvent {
  const isWhole = content.length === 0 || isList(content[0]);
  const bids: Level[] = [];
  const asks: Level[] = [];
  for (const level of isWhole ? content.filter(isList) : [content]) {
    const [price, count, amount] = level.map(textOf);
    if (price === undefined || amount === undefined) continue;
    const isAsk = amount.startsWith('-');
    const quantity = count === '0' ? '0' : unsigned(amount);
    (isAsk ? asks : bids).push([price, quantity]);
  }
  return { kind: 'book', symbol, isWhole, bids, asks };
}

/** Without a leading minus: one of the exponent stays. */
function unsigned(text: string): string {
  return text.replace(/^-/, '');
}

/** A trade comes as `te` when it is executed, and once more as `tu`. The snapshot has the newest first. */
function trades(content: Parsed | undefined, argument: Parsed | undefined, symbol: string): readonly MarketEvent[] {
  if (content === 'te' && isList(argument)) return [trade(argument, symbol)];
  return isList(content)
    ? content
        .filter(isList)
        .reverse()
        .map(item => trade(item, symbol))
    : [];
}

function trade([id, time, amount, price]: readonly Parsed[], symbol: string): MarketEvent {
  const timeMicros = microsOf(time);
  const signed = textOf(amount) ?? '';
  const members = membersOf({
    trade_id: id,
    price,
    quantity: new NumberText(unsigned(signed)),
    side: signed.startsWith('-') ? 'sell' : 'buy',
    executed_at: timeText(timeMicros),
  });
  return { kind: 'trade', symbol, members, timeMicros };
}

function quote(content: readonly Parsed[], symbol: string): MarketEvent {
  const [bid, bid_size, ask, ask_size, change, change_percent, current_price, volume, high, low] = content;
  const members = { current_price, bid, bid_size, ask, ask_size, change, change_percent, volume, high, low };
  return { kind: 'quote', symbol, members: membersOf(members) };
}
