/** Publishes with the library, several times a second, until standard input ends: `node steady-publisher.mjs <NATS URL>`. */
import { connectPublisher } from '../../dist/publisher/index.js';

const publisher = await connectPublisher({ servers: process.argv[2] });
process.stdin.resume().on('end', () => process.exit());
let n = 0;
setInterval(() => {
  n++;
  void publisher.quote({ symbol: 'LIBRARY', current_price: n });
  void publisher.trade({ symbol: 'LIBRARY', trade_id: `t${n}`, price: '1', quantity: '1' });
  void publisher.analytics('alerts', { n });
}, 50);
