/** D1, D2, D6, D7, D8: what a lost message does to the topic, and who is told. */
import { inOrder, message, type PublishedMessage, type VectorSpec } from './spec.js';

const QUOTE = 'md.quotes.A';
const BOOK = 'md.books.A';
const TRADE = 'md.trades.A';

const whole = '{"symbol":"A","bids":[["100","1"],["99","1"]],"asks":[["101","1"],["102","1"]],"snapshot":true}';
const change = '{"symbol":"A","asks":[["99.5","7"]]}';
const bad = '{"symbol":"A","bids":[["100","no amount"]]}';
const trade = (n: number) => JSON.stringify({ symbol: 'A', trade_id: n, price: '1', quantity: '1' });
const badTrade = '{"symbol":"A","trade_id":0,"price":"no amount","quantity":"1"}';
const BOOKS = ['depth:A', 'orderbook:A'];

/** Each payload with its sequence. */
const numbered = (subject: string, ...messages: readonly (readonly [seq: number, payload: string, epoch?: string])[]) =>
  messages.map(
    ([seq, payload, epoch]): PublishedMessage =>
      message(subject, payload, { seq, ...(epoch === undefined ? {} : { epoch }) }),
  );
const trades = (...seqs: readonly number[]) => numbered(TRADE, ...seqs.map(seq => [seq, trade(seq)] as const));

const refusals: readonly VectorSpec[] = [
  {
    name: 'D1: a change of a book that deletes with 1E-8 and 0 is applied',
    topics: BOOKS,
    published: inOrder(BOOK, [
      whole,
      '{"symbol":"A","bids":[["100","0"],["99","0"],["0.0000001","1E-8"],["98","3"]]}',
      change,
    ]),
  },
  {
    name: 'D1: a book is held back after a refused change',
    topics: BOOKS,
    published: inOrder(BOOK, [whole, bad, change]),
    hasHeartbeats: true,
  },
  {
    name: 'D1: a whole book ends it',
    topics: BOOKS,
    published: inOrder(BOOK, [whole, bad, change, whole, change]),
    hasHeartbeats: true,
  },
  {
    name: 'D1: a whole book that is refused does not',
    topics: BOOKS,
    published: inOrder(BOOK, [whole, whole.replace('"100"', '"x"'), change]),
  },
  {
    name: 'D1: a newcomer gets the book and is told that it is stale',
    topics: BOOKS,
    isNewcomer: true,
    published: inOrder(BOOK, [whole, bad, change]),
    hasHeartbeats: true,
  },
  {
    name: 'D1: without numbers',
    topics: BOOKS,
    published: [whole, bad, change, whole].map(payload => message(BOOK, payload)),
  },
  {
    name: 'D2: a quote is held back after a refused change',
    topics: ['quotes:A'],
    published: inOrder(QUOTE, [
      '{"symbol":"A","current_price":10,"bid":9,"ask":11}',
      '{"symbol":"A","current_price":20,"bid":"x","partial":true}',
      '{"symbol":"A","ask":21,"partial":true}',
    ]),
    hasHeartbeats: true,
  },
  {
    name: 'D2: a change whose bid is null is applied',
    topics: ['quotes:A'],
    published: inOrder(QUOTE, [
      '{"symbol":"A","current_price":10,"bid":9,"ask":11}',
      '{"symbol":"A","current_price":20,"bid":null,"partial":true}',
      '{"symbol":"A","ask":21,"partial":true}',
    ]),
  },
  {
    name: 'D2: a whole quote ends it',
    topics: ['quotes:A'],
    published: inOrder(QUOTE, [
      '{"symbol":"A","bid":9,"ask":11}',
      '[]',
      '{"symbol":"A","bid":8}',
      '{"symbol":"A","bid":7,"partial":true}',
    ]),
  },
  {
    name: 'D2: a message of another symbol is a loss',
    topics: ['quotes:A'],
    published: inOrder(QUOTE, [
      '{"symbol":"A","bid":9}',
      '{"symbol":"B","bid":8}',
      '{"symbol":"A","ask":7,"partial":true}',
    ]),
  },
];

const holes: readonly VectorSpec[] = [
  {
    name: 'D6: a book with a hole in its numbers',
    topics: BOOKS,
    published: numbered(BOOK, [1, whole], [3, change], [4, change]),
    hasHeartbeats: true,
  },
  {
    name: 'D6: a newcomer to it',
    topics: BOOKS,
    isNewcomer: true,
    published: numbered(BOOK, [1, whole], [3, change], [4, change]),
    hasHeartbeats: true,
  },
  {
    name: 'D6: a whole book behind the hole',
    topics: BOOKS,
    published: numbered(BOOK, [1, whole], [3, whole], [4, change]),
  },
  {
    name: 'D6: a whole book later',
    topics: BOOKS,
    published: numbered(BOOK, [1, whole], [3, change], [4, whole], [5, change]),
  },
  {
    name: 'D6: changes before any whole book',
    topics: BOOKS,
    published: inOrder(BOOK, [change, change]),
    hasHeartbeats: true,
  },
  { name: 'D6: a newcomer to that', topics: BOOKS, isNewcomer: true, published: inOrder(BOOK, [change, change]) },
  { name: 'D6: changes, then a whole book', topics: BOOKS, published: inOrder(BOOK, [change, whole, change]) },
  {
    name: 'D6: a quote with a hole in its numbers',
    topics: ['quotes:A'],
    published: numbered(QUOTE, [1, '{"symbol":"A","bid":9}'], [3, '{"symbol":"A","ask":7,"partial":true}']),
    hasHeartbeats: true,
  },
  {
    name: 'D6: a repeated number changes nothing',
    topics: BOOKS,
    published: numbered(BOOK, [1, whole], [2, change], [2, bad], [3, change]),
  },
  { name: 'D6: trades with a hole', topics: ['trades:A'], published: trades(1, 2, 6, 7), hasHeartbeats: true },
];

const restarts: readonly VectorSpec[] = [
  {
    name: 'D7: a book’s publisher restarts with a whole one',
    topics: BOOKS,
    published: numbered(BOOK, [1, whole], [2, change], [1, whole], [2, change]),
  },
  {
    name: 'D7: a book’s publisher restarts with a change',
    topics: BOOKS,
    published: numbered(BOOK, [1, whole], [2, change], [1, change], [2, change]),
    hasHeartbeats: true,
  },
  {
    name: 'D7: and sends a whole one later',
    topics: BOOKS,
    published: numbered(BOOK, [1, whole], [2, change], [1, change], [2, whole], [3, change]),
  },
  { name: 'D7: a publisher restarts twice', topics: ['trades:A'], published: trades(1, 2, 3, 1, 2, 1, 2) },
  {
    name: 'D7: a trades’ publisher restarts with another epoch',
    topics: ['trades:A'],
    published: [...trades(1, 2), ...numbered(TRADE, [1, trade(1), 'p2'], [2, trade(2), 'p2'])],
  },
  {
    name: 'D7: a book’s publisher restarts with another epoch',
    topics: BOOKS,
    published: numbered(BOOK, [1, whole], [2, change], [1, whole, 'p2'], [2, change, 'p2']),
  },
  { name: 'D7: a late copy is no restart', topics: ['trades:A'], published: trades(1, 2, 3, 2, 3, 4) },
];

const gaps: readonly VectorSpec[] = [
  {
    name: 'D8: trades 3 to 6 are refused',
    topics: ['trades:A'],
    published: numbered(
      TRADE,
      [1, trade(1)],
      [2, trade(2)],
      [3, badTrade],
      [4, badTrade],
      [5, badTrade],
      [6, badTrade],
      [7, trade(7)],
    ),
    hasHeartbeats: true,
  },
  {
    name: 'D8: the last trade is refused',
    topics: ['trades:A'],
    published: numbered(TRADE, [1, trade(1)], [2, badTrade]),
    hasHeartbeats: true,
  },
  {
    name: 'D8: the first trade is refused',
    topics: ['trades:A'],
    published: numbered(TRADE, [1, badTrade], [2, trade(2)]),
  },
  {
    name: 'D8: one is missing and the next is refused',
    topics: ['trades:A'],
    published: numbered(TRADE, [1, trade(1)], [3, badTrade], [4, trade(4)]),
  },
  {
    name: 'D8: one is refused and the next is missing',
    topics: ['trades:A'],
    published: numbered(TRADE, [1, trade(1)], [2, badTrade], [4, trade(4)]),
  },
  {
    name: 'D8: of all trades',
    topics: ['trades:*'],
    published: numbered(TRADE, [1, trade(1)], [2, badTrade], [3, trade(3)]),
  },
  {
    name: 'D8: an order is refused',
    topics: ['orders:alice'],
    published: inOrder('orders.alice', [
      '{"action":"created","order_id":"o1"}',
      '{"action":"gone","order_id":"o1"}',
      '{"action":"filled","order_id":"o1"}',
    ]),
  },
  {
    name: 'D8: an alert is refused',
    topics: ['analytics:alerts'],
    published: inOrder('analytics.alerts', ['{"data":1}', '{"nothing":1}', '{"data":3}']),
  },
  {
    name: 'D8: a room’s message is refused',
    topics: ['rooms:desk'],
    published: inOrder('rooms.desk', ['{"from":"bob","data":1}', '{"from":"bob"}', '{"from":"bob","data":3}']),
  },
];

export const losses: readonly VectorSpec[] = [...refusals, ...holes, ...restarts, ...gaps];
