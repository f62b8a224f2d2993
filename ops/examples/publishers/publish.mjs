// A publisher in Node, with millrace/publisher. NATS_URL and SYMBOL from the environment.
import { connectPublisher } from 'millrace/publisher';

const symbol = process.env.SYMBOL ?? 'ACME';
const publisher = await connectPublisher({ servers: process.env.NATS_URL ?? 'nats://127.0.0.1:4222' });

publisher.quote({ symbol, current_price: 10.5, bid: 10.49, ask: 10.51, volume: 1200 });
publisher.partialQuote(symbol, { volume: 1250 });
publisher.bookSnapshot(symbol, [['10.49', '300']], [['10.51', '200']]);
publisher.bookChange(
  symbol,
  [['10.48', '150']],
  [
    ['10.51', '0'],
    ['10.52', '75'],
  ],
);
publisher.trade({
  symbol,
  // An id that a JavaScript number cannot hold: clients get all its digits.
  trade_id: 8389766145050670869n,
  price: '10.51',
  quantity: '50',
  buyer_id: 'alice',
  seller_id: 'bob',
});
publisher.order('alice', {
  action: 'filled',
  order_id: 'A-1',
  symbol,
  side: 'buy',
  status: 'filled',
  quantity: '50',
  filled_quantity: '50',
  price: '10.51',
});
publisher.analytics('alerts', { severity: 'info', text: `${symbol} is open` });
publisher.room('desk-7', 'alice', { text: 'good morning' });

// Everything that a broken connection may have lost is told here.
await publisher.close();
