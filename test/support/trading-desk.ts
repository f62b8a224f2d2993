/** What the scenario tests share: a gateway on a real NATS, clients that end with their test, and messages to publish. */

import { type Frame, TestClient } from './client.js';
import { startGateway, type TestGateway, testToken } from './gateway.js';
import { type NatsServer, startNatsServer } from './nats-server.js';
import { TestPublisher } from './publisher.js';

/** Of all messages that are published here. */
export const TIME = '2026-11-20T10:00:00.000Z';

/** `/api/v1/stats` */
export interface Stats {
  readonly uptime_seconds: number;
  readonly feed: Readonly<Record<string, unknown>>;
  readonly connections: Readonly<Record<'open' | 'opened' | 'closed' | 'refused', number>>;
  readonly messages: Readonly<Record<'received' | 'sent' | 'sent_bytes', number>>;
  readonly topics: Readonly<Record<'followed' | 'views', number>>;
  readonly workers: Readonly<Record<'listening' | 'restarts', number>>;
  readonly encoders: Readonly<Record<'threads' | 'restarts', number>>;
}

type Level = readonly [price: string, quantity: string];

const ENVIRONMENT = { SYMBOLS: 'SYM-*', WORKERS: '2', ENCODERS: '2' };

export class TradingDesk {
  readonly nats: NatsServer;
  readonly gateway: TestGateway;
  readonly publisher: TestPublisher;
  /** Ends what a test has started, in the opposite order. */
  readonly #ends: (() => Promise<unknown>)[] = [];
  #symbols = 0;
  #commands = 0;

  private constructor(nats: NatsServer, gateway: TestGateway, publisher: TestPublisher) {
    this.nats = nats;
    this.gateway = gateway;
    this.publisher = publisher;
  }

  static async open(): Promise<TradingDesk> {
    // Its monitoring says who is subscribed to what.
    const nats = await startNatsServer({ args: ['-m', '-1'] });
    const gateway = await startGateway({ ...ENVIRONMENT, NATS_URL: nats.url });
    return new TradingDesk(nats, gateway, await TestPublisher.connect(nats.url));
  }

  async close(): Promise<void> {
    await this.publisher.close();
    await this.gateway.stop();
    await this.nats.stop();
  }

  /** To be run when the test is over. */
  atEnd(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  async endTest(): Promise<void> {
    for (let end = this.#ends.pop(); end !== undefined; end = this.#ends.pop()) await end();
  }

  /** A gateway for this test only. */
  async gatewayWith(env: Readonly<Record<string, string>> = {}): Promise<TestGateway> {
    const gateway = await startGateway({ ...ENVIRONMENT, NATS_URL: this.nats.url, ...env });
    this.atEnd(() => gateway.stop());
    return gateway;
  }

  async connect(path: string, claims: Parameters<typeof testToken>[0] = {}, to = this.gateway): Promise<TestClient> {
    return this.#open(path, { token: await testToken(claims) }, to);
  }

  /** A client without a credential. */
  spectator(path: string): Promise<TestClient> {
    return this.#open(path, {}, this.gateway);
  }

  async stats(of = this.gateway): Promise<Stats> {
    return (await (await fetch(`${of.adminUrl}/api/v1/stats`)).json()) as Stats;
  }

  /** Subjects that a gateway is subscribed to. */
  async followedAtNats(node: string): Promise<string[]> {
    const answer = await (await fetch(`${this.nats.monitorUrl}/connz?subs=1`)).json();
    const { connections } = answer as { connections: { name?: string; subscriptions_list?: string[] }[] };
    return connections.find(({ name }) => name === node)?.subscriptions_list?.sort() ?? [];
  }

  /** Known by its pattern before it has data. */
  newSymbol(): string {
    return `SYM-${++this.#symbols}`;
  }

  /** The answer to a command: the first frame with its id. */
  async ask(client: TestClient, command: object): Promise<Frame> {
    const id = `c${++this.#commands}`;
    client.send({ ...command, id });
    return client.next(`answer to ${JSON.stringify(command)}`, frame => frame.id === id);
  }

  /** @throws {Error} when it is refused */
  async subscribe(client: TestClient, stream: string, members: object = {}): Promise<Frame> {
    const answer = await this.ask(client, { action: 'subscribe', stream, ...members });
    if (answer.type !== 'subscribed') throw new Error(`not subscribed: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Subscribes to every stream: of the symbol, of its user, to `alerts` and to the room of the symbol's name. */
  async subscribeToAll(client: TestClient, symbol: string): Promise<void> {
    for (const stream of ['quotes', 'trades', 'orderbook', 'depth']) await this.subscribe(client, stream, { symbol });
    await this.subscribe(client, 'orders');
    await this.subscribe(client, 'rooms', { room: symbol });
    await this.subscribe(client, 'analytics', { channel: 'alerts' });
  }

  trade(symbol: string, id: string | number, more: object = {}): void {
    this.publisher.put(`md.trades.${symbol}`, { ...trade(symbol, id), ...more });
  }

  order(user: string, id: string, action?: string): void {
    this.publisher.put(`orders.${user}`, order(id, action));
  }

  book(symbol: string, bids: readonly Level[], asks: readonly Level[]): void {
    this.publisher.put(`md.books.${symbol}`, { symbol, bids, asks, snapshot: true });
  }

  bookChange(symbol: string, bids: readonly Level[], asks: readonly Level[]): void {
    this.publisher.put(`md.books.${symbol}`, { symbol, bids, asks });
  }

  /** A message of every stream that `subscribeToAll` subscribes to. */
  oneOfEach(symbol: string, user: string, n: number): void {
    this.publisher.put(`md.quotes.${symbol}`, { symbol, current_price: n, bid: `${n}.50`, last_updated: TIME });
    this.trade(symbol, n, { executed_at: TIME });
    this.book(symbol, [[`${n}.00`, '1.00']], [['100.10', '2.50']]);
    this.order(user, `o${n}`);
    this.publisher.put(`rooms.${symbol}`, { room: symbol, from: 'desk', data: { n }, timestamp: TIME });
    this.publisher.put('analytics.alerts', { type: 'alert', data: { n }, timestamp: TIME });
  }

  async #open(path: string, query: Record<string, string>, to: TestGateway): Promise<TestClient> {
    const separator = path.includes('?') ? '&' : '?';
    const client = await TestClient.connect(`${to.url}${path}${separator}${new URLSearchParams(query)}`);
    this.atEnd(() => client.close());
    return client;
  }
}

export const trade = (symbol: string, id: string | number) => ({
  symbol,
  trade_id: id,
  price: '1.50',
  quantity: '2.00',
});

export const order = (id: string, action = 'created') => ({
  action,
  order_id: id,
  symbol: 'SYM-1',
  side: 'buy',
  status: action,
  quantity: '2.50',
  filled_quantity: '0.00',
  price: '49999.00',
  timestamp: TIME,
});

/** `<prefix>0`, `<prefix>1`, … */
export const numbered = (count: number, prefix = ''): string[] =>
  Array.from({ length: count }, (_, n) => `${prefix}${n}`);

export const tradeIds = (client: TestClient): unknown[] => client.ofType('trade_executed').map(frame => frame.trade_id);
export const orderIds = (client: TestClient): unknown[] => client.ofType('order_update').map(frame => frame.order_id);
