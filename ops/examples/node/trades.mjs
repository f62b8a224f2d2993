// Follows trades and prints each with its id: node ops/examples/node/trades.mjs [AAPL …], all symbols when none is named
// From the environment: MILLRACE_URL (ws://127.0.0.1:8080), MILLRACE_TOKEN, MILLRACE_FORMAT (json or msgpack).

import { MillraceClient } from 'millrace/client';
import * as messagePack from 'msgpackr';
// Node has a WebSocket of its own from version 22 on; before, the package ws has one.
import { WebSocket } from 'ws';

const symbols = process.argv.slice(2);
const client = new MillraceClient({
  url: process.env.MILLRACE_URL ?? 'ws://127.0.0.1:8080',
  token: process.env.MILLRACE_TOKEN,
  format: process.env.MILLRACE_FORMAT ?? 'json',
  messagePack,
  WebSocket,
  // Whole numbers that a JavaScript number cannot hold come as bigints. With 'string', all come as their digits.
  integers: 'auto',
});
client.on('error', error => say(console.error, `${error.code}: ${error.message}`));
process.once('SIGINT', () => client.close());
process.once('SIGTERM', () => client.close());

const trades = symbols.length === 0 ? client.trades() : client.trades(symbols);
trades.on('error', error => say(console.error, `${error.names.join(', ')}: ${error.code}: ${error.message}`));
// Events that will not come, and why.
trades.on('gap', ({ topic, from, to, reason }) => {
  const loss = reason === 'new_epoch' ? 'numbers begin again; what was lost is unknown' : `${from} to ${to} are lost`;
  say(console.error, `${topic}: ${loss}: ${reason}`);
});
try {
  // A text such as `${trade_id}` has all digits of an id, whether it is a number, a bigint or a string.
  for await (const { message } of trades) {
    say(console.log, `${message.symbol} ${message.trade_id} ${message.quantity} at ${message.price}`);
  }
} catch (error) {
  say(console.error, `ended: ${error.message}`);
  process.exitCode = 1;
} finally {
  client.close();
}

// Text from outside must not steer the terminal: no control, format or separator characters.
function say(print, text) {
  print(text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?'));
}
