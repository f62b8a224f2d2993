/** A gateway that is fuzzed, with somebody who does nothing wrong and watches: what he is sent must stay whole. */
import { fileURLToPath } from 'node:url';
import { TestClient } from '../support/client.js';
import { Documents } from '../support/documents.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

export const MIB = 1024 * 1024;
/**
 * What may be left of any number of messages when all clients have gone and every thread has collected its garbage: what the
 * gateway keeps for clients that come back (HISTORY_BYTES), and what its threads keep in heaps and code. (native-notes/memory.md)
 */
export const GROWTH_BYTES_MAX = 128 * MIB;
/**
 * So that its resident memory is what it uses. By itself, glibc keeps large blocks that were freed, and V8 48 MB of a thread's
 * young objects.
 */
const MEASURABLE = {
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '131072',
  NODE_OPTIONS: `--max-semi-space-size=2 --require ${fileURLToPath(new URL('../support/collect-garbage.cjs', import.meta.url))}`,
};
const SETTLE_TIMEOUT_MS = 30_000;
/** Published by nobody but the watcher's friend. */
const GOOD = 'GOOD';

export class FuzzTarget {
  readonly gateway: TestGateway;
  readonly publisher: TestPublisher;
  readonly tokens: readonly string[];
  readonly #nats: NatsServer;
  readonly #watcher: TestClient;
  readonly #held = new Documents();
  readonly #symbols: readonly string[];
  /** Since the start, when it was looked for problems last. */
  grownBytes = 0;
  #good = 0;
  #memoryBefore = 0;

  private constructor(parts: {
    gateway: TestGateway;
    publisher: TestPublisher;
    nats: NatsServer;
    watcher: TestClient;
    tokens: readonly string[];
    symbols: readonly string[];
  }) {
    this.gateway = parts.gateway;
    this.publisher = parts.publisher;
    this.tokens = parts.tokens;
    this.#nats = parts.nats;
    this.#watcher = parts.watcher;
    this.#symbols = parts.symbols;
  }

  /** @param symbols that the watcher follows besides his own */
  static async start(symbols: readonly string[]): Promise<FuzzTarget> {
    const nats = await startNatsServer();
    const gateway = await startGateway({
      ...MEASURABLE,
      NATS_URL: nats.url,
      WORKERS: '1',
      ENCODERS: '1',
      SYMBOLS: `S*,A,B,C,BTC/USDT,${GOOD},${symbols.join(',')}`,
      WS_MESSAGE_RATE: '1000000',
      WS_CONNECT_RATE_PER_IP: '1000000',
      WS_COST_RATE: '1000000000',
      WS_AUTH_FAILURES_PER_IP: '1000000',
      // A machine that is busy with something else is no fault.
      OVERLOAD_AFTER: '10m',
    });
    const publisher = await TestPublisher.connect(nats.url);
    const token = await testToken({ sub: 'watcher' });
    const watcher = await TestClient.connect(`${gateway.url}/ws/quotes?symbols=${GOOD}&token=${token}`);
    const others = await Promise.all([
      testToken({ sub: 'fuzzed' }),
      testToken({ sub: 'retail', tier: 'retail', entitlements: ['trades:A'] }),
      testToken({ secret: 'another-secret-than-the-one-of-the-gateway' }),
    ]);
    const target = new FuzzTarget({ gateway, publisher, nats, watcher, tokens: [...others, 'e.e.e'], symbols });
    await target.#begin();
    return target;
  }

  /** Memory is compared with that of now. */
  async mark(): Promise<void> {
    this.#memoryBefore = await this.#memory();
  }

  /** What is wrong with the gateway now that the fuzzer is done; empty when nothing is. */
  async problems(): Promise<string[]> {
    const problems: string[] = [];
    const tried = async (what: string, run: () => unknown) => {
      try {
        await run();
      } catch (cause) {
        const detail = cause instanceof Error ? `${cause.message} ${cause.cause ?? ''}` : String(cause);
        problems.push(`${what}: ${detail}`);
      }
    };
    await tried('the watcher is not served', () => this.#isServed());
    await tried('connections are left', () =>
      until(async () => (await this.gateway.metric('millrace_connections_open')) === 1, SETTLE_TIMEOUT_MS),
    );
    const faults = this.gateway.log().match(/^.*"level":(50|60).*$/gm) ?? [];
    problems.push(...faults.slice(0, 5).map(line => `in the log: ${line}`));
    let grown = 0;
    await until(async () => {
      grown = (await this.#memory()) - this.#memoryBefore;
      return grown < GROWTH_BYTES_MAX;
    }, SETTLE_TIMEOUT_MS).catch(() =>
      problems.push(`its memory has grown by ${Math.round(grown / MIB)} MiB, limit ${GROWTH_BYTES_MAX / MIB} MiB`),
    );
    this.grownBytes = grown;
    return problems;
  }

  /** @returns the gateway's exit code */
  async end(): Promise<number | null> {
    await this.#watcher.close();
    await this.publisher.close();
    const code = await this.gateway.stop();
    await this.#nats.stop();
    return code;
  }

  async #begin(): Promise<void> {
    for (const stream of ['quotes', 'trades', 'orderbook', 'depth']) {
      this.#watcher.send({ action: 'subscribe', stream, symbols: [GOOD, ...this.#symbols] });
    }
    this.#watcher.send({ action: 'subscribe', stream: 'analytics', channels: ['alerts', 'routing-metrics'] });
    this.#watcher.send({ action: 'subscribe', stream: 'rooms', room: 'lobby' });
    await this.#watcher.arrived('subscribed', 6);
    await this.#isServed();
    await this.mark();
  }

  /** @throws {Error} where the watcher's chain is broken, or what is published now does not reach him */
  async #isServed(): Promise<void> {
    const good = ++this.#good;
    this.publisher.put(`md.quotes.${GOOD}`, { symbol: GOOD, current_price: good });
    this.publisher.put(`md.books.${GOOD}`, { symbol: GOOD, bids: [['1', String(good)]], asks: [], snapshot: true });
    this.publisher.put(`md.trades.${GOOD}`, { symbol: GOOD, trade_id: good, price: '1', quantity: '1' });
    const arrived = () =>
      this.#watcher.frames.some(
        frame => frame.type === 'trade_executed' && frame.symbol === GOOD && frame.trade_id === good,
      );
    await until(
      arrived,
      SETTLE_TIMEOUT_MS,
      `trade ${good} reaches the watcher (closed: ${JSON.stringify(this.#watcher.closed)})`,
    );
    await until(
      () => {
        this.#held.follow(this.#watcher);
        return (
          this.#held.document.quotes[GOOD]?.current_price === good &&
          this.#held.books.get(GOOD)?.bids['1'] === String(good)
        );
      },
      SETTLE_TIMEOUT_MS,
      'the watcher holds what was published',
    );
  }

  async #memory(): Promise<number> {
    process.kill(this.gateway.pid, 'SIGUSR2');
    return this.gateway.metric('process_resident_memory_bytes');
  }
}
