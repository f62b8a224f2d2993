// Follows quotes and prints each change: node ops/examples/node/quotes.mjs AAPL MSFT
// From the environment: MILLRACE_URL (ws://127.0.0.1:8080), MILLRACE_TOKEN, MILLRACE_FORMAT (json or msgpack).

import { MillraceClient } from 'millrace/client';
import * as messagePack from 'msgpackr';
// Node has a WebSocket of its own from version 22 on; before, the package ws has one.
import { WebSocket } from 'ws';

const symbols = process.argv.slice(2);
if (symbols.length === 0) {
  console.error('usage: node quotes.mjs SYMBOL…');
  process.exit(2);
}

const client = new MillraceClient({
  url: process.env.MILLRACE_URL ?? 'ws://127.0.0.1:8080',
  // A program that runs for longer than a token is valid gives a function here, which is asked for the next one.
  token: process.env.MILLRACE_TOKEN,
  format: process.env.MILLRACE_FORMAT ?? 'json',
  messagePack,
  WebSocket,
});
client.on('status', ({ state, feed, attempts }) => say(console.error, `${state}, feed ${feed}, attempts ${attempts}`));
client.on('error', error => say(console.error, `${error.code}: ${error.message}`));
process.once('SIGINT', () => client.close());
process.once('SIGTERM', () => client.close());

const quotes = client.quotes(symbols);
quotes.on('error', error => say(console.error, `${error.names.join(', ')}: ${error.code}: ${error.message}`));
// While the gateway lacks a message of a symbol's publisher, it sends nothing of it and says so: the prices are old.
quotes.on('stale', ({ symbol, since, reason }) => say(console.error, `${symbol}: old since ${since}: ${reason}`));
quotes.on('whole', ({ symbol }) => say(console.error, `${symbol}: whole again`));
try {
  // The document is kept up to date by the client; a slow consumer gets the newest of each symbol.
  for await (const { symbol, document, seq, skipped } of quotes) {
    const { current_price, bid, ask } = document;
    say(console.log, `${symbol} ${current_price} bid ${bid} ask ${ask} seq ${seq} skipped ${skipped}`);
  }
} catch (error) {
  // Every symbol was refused, or the gateway closed the connection for good.
  say(console.error, `ended: ${error.message}`);
  process.exitCode = 1;
} finally {
  client.close();
}

// Text from outside must not steer the terminal: no control, format or separator characters.
function say(print, text) {
  print(text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?'));
}
