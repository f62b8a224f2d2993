/** Clients of the SDK, and what they are tested against: gateways, NATS, publishers, messages. Everything ends with its test. */
import * as messagePack from 'msgpackr';
import { afterEach } from 'vitest';
import { WebSocket } from 'ws';
import {
  type AssetQuote,
  type Gap,
  MillraceClient,
  type MillraceOptions,
  type StreamEvent,
} from '../../src/client/index.js';
import { startGateway, type TestGateway, testToken } from './gateway.js';
import { type NatsServer, type NatsServerOptions, startNatsServer } from './nats-server.js';
import { TestPublisher } from './publisher.js';

/** Ends what a test has started, in the opposite order, also when the test fails. */
export const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

/** Sockets of the clients, so that a test can cut one. */
export const sockets: WebSocket[] = [];
class Tracked extends WebSocket {
  constructor(url: string, protocols?: string[]) {
    super(url, protocols);
    sockets.push(this);
  }
}

export function newClient(gateway: TestGateway, options: Partial<MillraceOptions> = {}): MillraceClient {
  const client = new MillraceClient({
    url: gateway.url,
    // One user for all that a test does, unless it says otherwise.
    token: () => testToken(),
    WebSocket: Tracked,
    messagePack,
    reconnect: { baseMs: 20, maxMs: 200 },
    ...options,
  });
  ends.push(() => client.close());
  return client;
}

export async function gatewayWith(env: Record<string, string> = {}): Promise<TestGateway> {
  const gateway = await startGateway({ WORKERS: '1', ENCODERS: '1', ...env });
  ends.push(() => gateway.stop());
  return gateway;
}

export async function market(env: Record<string, string> = {}, options: NatsServerOptions = {}) {
  const nats: NatsServer = await startNatsServer(options);
  ends.push(() => nats.stop());
  const settings = { NATS_URL: nats.url, ...env };
  const gateway = await gatewayWith(settings);
  const publisher = await TestPublisher.connect(nats.url);
  ends.push(() => publisher.close());
  return { nats, gateway, publisher, settings };
}

export const portOf = (gateway: TestGateway) => new URL(gateway.url).port;

export const quote = (symbol: string, price: number | string): AssetQuote => ({
  symbol,
  current_price: price,
  base_price: 150,
  change: 0.25,
  bid: '150.20',
  ask: '150.30',
  volume: 1_000_000,
  last_updated: '2025-01-02T03:04:05Z',
});

export const trade = (symbol: string, n: number) => ({
  type: 'trade_executed',
  trade_id: `${symbol}-${n}`,
  symbol,
  price: '50000.10',
  quantity: '0.50000000',
  executed_at: '2025-01-02T03:04:05.678Z',
});

export const orderUpdate = (user: string, n: number) => ({
  type: 'order_update',
  action: 'created',
  order_id: `o${n}`,
  user_id: user,
  symbol: 'AAPL',
  side: 'buy',
  status: 'open',
  quantity: '1',
  filled_quantity: '0',
  price: '1.50',
  timestamp: '2025-01-02T03:04:05Z',
});

export const alert = (n: number) => ({ type: 'alert', timestamp: '2025-01-02T03:04:05Z', data: { n } });

/** Everything an event stream says. */
export function followed<Message>(stream: {
  on(name: 'event', listener: (event: StreamEvent<Message>) => void): unknown;
  on(name: 'gap', listener: (gap: Gap) => void): unknown;
}) {
  const events: StreamEvent<Message>[] = [];
  const gaps: Gap[] = [];
  stream.on('event', event => events.push(event));
  stream.on('gap', gap => gaps.push(gap));
  return { events, gaps };
}
