// A table of live quotes. The page's query names ?symbols=AAPL,MSFT&token=…, and &url=… for a gateway elsewhere than at
// ws://127.0.0.1:8080.
import { MillraceClient } from './millrace-client.js';

// The gateway tells about a silent symbol every second, so what is older than this may be out of date.
const OLD_MS = 3_000;

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
setInterval(() => {
  for (const [symbol, { element }] of rows) element.dataset.old = (quotes.stalenessMs(symbol) ?? OLD_MS) >= OLD_MS;
}, 500);

function newRow(symbol) {
  const element = document.querySelector('#quotes').insertRow();
  element.dataset.symbol = symbol;
  const [name, price, bid, ask, changes] = Array.from({ length: 5 }, () => element.insertCell());
  name.textContent = symbol;
  price.className = 'price';
  return { element, price, bid, ask, changes };
}
