/**
 * `millrace/publisher`: publishes market data, orders, analytics and room messages for Millrace gateways.
 *
 *     const publisher = await connectPublisher({ servers: 'nats://127.0.0.1:4222' });
 *     publisher.quote({ symbol: 'ACME', current_price: 10.5, bid: 10.49, ask: 10.51 });
 *     publisher.trade({ symbol: 'ACME', trade_id: 'T1', price: '10.50', quantity: '100' });
 *     await publisher.close();
 */
export { connectPublisher, type PublisherOptions } from './connect.js';
export { PublisherError, type PublisherErrorCode, PublisherOverflow } from './errors.js';
export type {
  Amount,
  AnalyticsMessage,
  AssetQuote,
  BookLevel,
  Channel,
  OrderAction,
  OrderUpdate,
  PublishAck,
  PublishOptions,
  QuoteChanges,
  Side,
  Time,
  Trade,
} from './messages.js';
export type { Publisher, PublisherStats } from './publisher.js';
