/** What there is to be attacked besides the victim's quotes: books, quotes and a history of trades. */

import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'nats';
import { bookBefore, quoteAt } from '../fanout/ticks.js';
import { scrape } from '../harness/metrics.js';

export interface Market {
  /** Books `B0` and up, and as many quotes `Q0` and up. */
  readonly topics: number;
  /** Of one symbol, {@link TRADED}. */
  readonly trades: number;
}

export const BOOK_PREFIX = 'B';
export const QUOTE_PREFIX = 'Q';
export const TRADED = 'T';

const TAKEN_WITHIN_MS = 20_000;
const POLL_MS = 50;

/** Publishes all of it, and waits until the gateway has taken it. @throws {Error} when it does not */
export async function publishMarket(natsUrl: string, adminPort: number, market: Market): Promise<void> {
  const nats = await connect({ servers: natsUrl });
  try {
    const before = await taken(adminPort);
    for (let i = 0; i < market.topics; i++) {
      const [book, quote] = [`${BOOK_PREFIX}${i}`, `${QUOTE_PREFIX}${i}`];
      nats.publish(`md.books.${book}`, JSON.stringify(bookBefore(book)));
      nats.publish(`md.quotes.${quote}`, JSON.stringify(quoteAt(quote, i, 'tick')));
    }
    for (let i = 1; i <= market.trades; i++) {
      const price = (15_000 + (i % 100)) / 100;
      const trade = { symbol: TRADED, trade_id: i, price: price.toFixed(2), quantity: '1.5', executed_at: EXECUTED_AT };
      nats.publish(`md.trades.${TRADED}`, JSON.stringify(trade));
    }
    await nats.flush();
    const published = 2 * market.topics + market.trades;
    const deadline = performance.now() + TAKEN_WITHIN_MS;
    while ((await taken(adminPort)) < before + published) {
      if (performance.now() > deadline) throw new Error(`the gateway has not taken ${published} messages`);
      await sleep(POLL_MS);
    }
  } finally {
    await nats.close();
  }
}

const EXECUTED_AT = '2025-01-02T14:30:00.000Z';

async function taken(adminPort: number): Promise<number> {
  return (await scrape(adminPort)).get('millrace_feed_messages_total') ?? 0;
}
