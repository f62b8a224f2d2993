// A table of live quotes, and the latest trades. The page's query names ?symbols=AAPL,MSFT&token=…, and &url=… for a gateway elsewhere than at
// ws://127.0.0.1:8080.
import { MillraceClient } from './millrace-client.js';

const TRADES_SHOWN = 10;

const query = new URLSearchParams(location.search);
const symbols = (query.get('symbols') ?? 'AAPL').split(',');
const client = new MillraceClient({
  url: query.get('url') ?? 'ws://127.0.0.1:8080',
  token: query.get('token') ?? undefined,
});

const status = document.querySelector('#status');
client.on('status', ({ state, feed, attempts }) => {
  status.textContent = state === 'open' ? `open, feed ${feed}` : `${state}, attempts ${attempts}`;
});
client.on('closed', ({ code, reason }) => {
  status.textContent = `closed: ${code} ${reason}`;
});

const quotes = client.quotes(symbols);
quotes.on('error', error => {
  status.textContent = `${error.names.join(', ')}: ${error.message}`;
});

const rows = new Map(symbols.map(symbol => [symbol, newRow(symbol)]));
quotes.on('change', ({ symbol, document: quote }) => {
  const row = rows.get(symbol);
  row.price.textContent = quote.current_price;
  row.bid.textContent = quote.bid ?? '';
  row.ask.textContent = quote.ask ?? '';
  row.changes.textContent = Number(row.changes.textContent) + 1;
});
// The gateway lacks a message of the symbol's publisher: its prices are old until it is whole again.
quotes.on('stale', ({ symbol }) => {
  rows.get(symbol).element.dataset.stale = true;
});
quotes.on('whole', ({ symbol }) => {
  rows.get(symbol).element.dataset.stale = false;
});
// Prices are old while there is no connection, and while this page reads more slowly than the gateway sends.
let isLagging = false;
client.on('lagging', () => {
  isLagging = true;
});
client.on('fresh', () => {
  isLagging = false;
});
setInterval(() => {
  const isOpen = client.status.state === 'open';
  isLagging &&= isOpen;
  for (const [symbol, { element }] of rows) {
    element.dataset.old = !isOpen || isLagging || quotes.stalenessMs(symbol) === undefined;
  }
}, 500);

const list = document.querySelector('#trades');
client.trades(symbols).on('event', ({ message: { symbol, trade_id, quantity, price } }) => {
  const item = document.createElement('li');
  // An id beyond 2^53 is a bigint: written as text, it has all its digits.
  item.textContent = `${symbol} ${trade_id}: ${quantity} at ${price}`;
  list.prepend(item);
  if (list.children.length > TRADES_SHOWN) list.lastChild.remove();
});

function newRow(symbol) {
  const element = document.querySelector('#quotes').insertRow();
  element.dataset.symbol = symbol;
  const [name, price, bid, ask, changes] = Array.from({ length: 5 }, () => element.insertCell());
  name.textContent = symbol;
  price.className = 'price';
  return { element, price, bid, ask, changes };
}
