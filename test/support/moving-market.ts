/** A market that moves while things break, and clients that hold the gateway to the contract all the while. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestClient } from './client.js';
import { Documents } from './documents.js';
import { startGateway, type TestGateway, testToken } from './gateway.js';
import { type NatsServer, startNatsServer } from './nats-server.js';
import { TestPublisher } from './publisher.js';
import { until } from './until.js';

const FAULTS = new URL('./faults.mjs', import.meta.url).href;
const INTERVAL_MS = 5;
const SETTLE_TIMEOUT_MS = 30_000;

export class MovingMarket {
  readonly gateway: TestGateway;
  readonly publisher: TestPublisher;
  /** Quotes published of each symbol, and trades. */
  readonly quotes: Record<string, number> = { A: 0, B: 0 };
  trades = 0;
  /** How long the gateway took to start: a measure of the machine. */
  startMs = 0;
  readonly #nats: NatsServer;
  readonly #folder: string;
  readonly #clients: TestClient[] = [];
  readonly #timer: NodeJS.Timeout;

  private constructor(nats: NatsServer, gateway: TestGateway, publisher: TestPublisher, folder: string) {
    this.#nats = nats;
    this.gateway = gateway;
    this.publisher = publisher;
    this.#folder = folder;
    this.tick();
    this.#timer = setInterval(() => this.tick(), INTERVAL_MS);
  }

  static async open(env: Readonly<Record<string, string>> = {}): Promise<MovingMarket> {
    const nats = await startNatsServer();
    const folder = await mkdtemp(join(tmpdir(), 'millrace-faults-'));
    execFileSync('mkfifo', [join(folder, 'fault.pipe')]);
    const startedMs = performance.now();
    const gateway = await startGateway({
      NATS_URL: nats.url,
      WORKERS: '2',
      ENCODERS: '1',
      THREAD_BUSY_AFTER: '500ms',
      THREAD_HUNG_AFTER: '1s',
      SYMBOLS: 'A,B',
      NODE_OPTIONS: `--import ${FAULTS}`,
      FAULT_FILE: join(folder, 'fault'),
      ...env,
    });
    const startMs = performance.now() - startedMs;
    const market = new MovingMarket(nats, gateway, await TestPublisher.connect(nats.url), folder);
    market.startMs = startMs;
    return market;
  }

  async close(): Promise<void> {
    this.halt();
    for (const client of this.#clients) await client.close();
    await this.publisher.close();
    await this.gateway.stop();
    await this.#nats.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** A trade of A, and a quote of each symbol: A's whole, B's the change of one field, whole now and then. */
  tick(): void {
    const n = ++this.trades;
    this.publisher.put('md.trades.A', { symbol: 'A', trade_id: n, price: '1', quantity: '1' });
    for (const symbol of ['A', 'B']) {
      const isPartial = symbol === 'B' && n % 20 !== 1;
      this.quotes[symbol] = n;
      this.publisher.put(`md.quotes.${symbol}`, { symbol, current_price: n, ...(isPartial && { partial: true }) });
    }
  }

  halt(): void {
    clearInterval(this.#timer);
  }

  /** Makes a thread fail, see faults.mjs. */
  async fail(thread: 'worker' | 'encoder', fault: string): Promise<void> {
    const file = join(this.#folder, 'fault');
    // In one go, or it is read half written.
    await writeFile(`${file}.new`, `${thread} ${fault}`);
    await rename(`${file}.new`, file);
  }

  /** Lets a thread that is `stuck` come back. */
  async release(): Promise<void> {
    await (await open(join(this.#folder, 'fault.pipe'), 'w')).close();
  }

  async heal(): Promise<void> {
    await rm(join(this.#folder, 'fault'), { force: true });
  }

  /** One more client of everything, in JSON. */
  async connectOne(): Promise<TestClient> {
    const [client] = await this.connect(1);
    return client as TestClient;
  }

  /** Clients of everything, in both formats, which have begun to receive. */
  async connect(count: number): Promise<TestClient[]> {
    const token = await testToken();
    const clients = await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const format = i % 2 === 0 ? 'json' : 'msgpack';
        const url = `${this.gateway.url}/ws/quotes?symbols=A,B&token=${token}&format=${format}`;
        const client = await TestClient.connect(url);
        client.send({ action: 'subscribe', stream: 'trades', symbol: 'A' });
        return client;
      }),
    );
    this.#clients.push(...clients);
    for (const client of clients) {
      await client.arrived('trade_executed', 3, SETTLE_TIMEOUT_MS);
      await client.arrived('quotes_patch', 3, SETTLE_TIMEOUT_MS);
    }
    return clients;
  }

  /** Waits until each of the clients has a trade that was published after this call. */
  async reaches(clients: readonly TestClient[]): Promise<void> {
    const last = this.trades;
    const isReached = (client: TestClient) => Number(client.ofType('trade_executed').at(-1)?.trade_id) > last;
    await until(() => clients.every(isReached), SETTLE_TIMEOUT_MS, 'every client gets new trades');
  }

  /**
   * Stops the market and holds every client to it: all chains, the documents as they were published last, and of the trades
   * each one there once or within an announced gap.
   */
  async settle(clients: readonly TestClient[]): Promise<void> {
    await this.reaches(clients);
    this.halt();
    // Whole ones, so that who waits for a base has one.
    this.trades = Math.ceil(this.trades / 20) * 20;
    this.tick();
    await this.publisher.nats.flush();
    for (const client of clients) {
      const held = new Documents();
      await until(
        () => {
          const { quotes } = held.follow(client).document;
          const isQuoted = ['A', 'B'].every(symbol => quotes[symbol]?.current_price === this.quotes[symbol]);
          return isQuoted && held.trades.get('A')?.at(-1)?.trade_id === this.trades;
        },
        SETTLE_TIMEOUT_MS,
        'a client holds what was published last',
      );
      if (client.closed !== undefined) throw new Error(`closed with ${client.closed.code}`);
    }
  }

  /** Waits until some of the clients have been cut off, and gives back the others. */
  async survivors(clients: readonly TestClient[]): Promise<TestClient[]> {
    await until(() => clients.some(client => client.closed !== undefined), SETTLE_TIMEOUT_MS);
    // The others of the same thread went with it.
    await until(async () => {
      const open = clients.filter(client => client.closed === undefined).length;
      return open === (await this.gateway.metric('millrace_connections_open'));
    }, SETTLE_TIMEOUT_MS);
    return clients.filter(client => client.closed === undefined);
  }

  async ready(): Promise<{ readonly status: number; readonly missing: readonly string[] }> {
    const response = await fetch(`${this.gateway.adminUrl}/readyz`);
    return { status: response.status, missing: ((await response.json()) as { missing: string[] }).missing };
  }
}
