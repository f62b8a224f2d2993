/**
 * A gateway with the limits that it has by default, a market on it, and clients who must not feel that another is attacked by
 * the programs of `npm run bench -- attack`.
 */
import { type Attack, planOf } from '../../bench/attack/attacks.js';
import { defaultLimits } from '../../bench/attack/gateway.js';
import { type Market, publishMarket } from '../../bench/attack/market.js';
import type { AttackAnswer, AttackCommand, AttackReport } from '../../bench/attack/messages.js';
import { Channel } from '../../bench/harness/channel.js';
import { Children } from '../../bench/harness/children.js';
import { TestClient } from './client.js';
import { Documents } from './documents.js';
import { startGateway, TEST_ENVIRONMENT, TEST_SECRET, type TestGateway, testToken } from './gateway.js';
import { TestPublisher } from './publisher.js';
import { until } from './until.js';

const SYMBOLS = Array.from({ length: 20 }, (_, i) => `VICTIM-${i}`);
const TICK_MS = 25;
const PER_TICK = 5;
const CAUGHT_UP_MS = 30_000;
const REACHED_MS = 30_000;

/** Follows quotes and trades of the victims' symbols. */
interface Follower {
  readonly name: string;
  readonly client: TestClient;
  readonly documents: Documents;
}

export class AttackedMarket {
  readonly gateway: TestGateway;
  readonly market: Market;
  readonly #publisher: TestPublisher;
  readonly #followers: readonly Follower[];
  readonly #children = new Children(new AbortController().signal);
  #timer: NodeJS.Timeout | undefined;
  /** Updates published of each symbol. */
  #published = 0;
  /** The symbol whose turn it is. */
  #next = 0;

  private constructor(gateway: TestGateway, market: Market, publisher: TestPublisher, followers: readonly Follower[]) {
    this.gateway = gateway;
    this.market = market;
    this.#publisher = publisher;
    this.#followers = followers;
  }

  static async open(natsUrl: string, market: Market, env: Readonly<Record<string, string>>): Promise<AttackedMarket> {
    const gateway = await startGateway({
      ...defaultLimits(TEST_ENVIRONMENT),
      NATS_URL: natsUrl,
      WORKERS: '1',
      ENCODERS: '1',
      ...env,
    });
    const publisher = await TestPublisher.connect(natsUrl);
    for (const symbol of SYMBOLS) put(publisher, symbol, 0);
    await publisher.settled(gateway);
    await publishMarket(natsUrl, Number(new URL(gateway.adminUrl).port), market);
    const followers = [
      await follow(gateway, 'institutional', { tier: 'institutional', sub: 'victim' }),
      await follow(gateway, 'institutional, MessagePack', { tier: 'institutional', sub: 'other' }, 'msgpack'),
      await follow(gateway, 'retail', { tier: 'retail', sub: 'small' }),
    ];
    return new AttackedMarket(gateway, market, publisher, followers);
  }

  /** Attacks for so long while the market moves; `beside` runs once `isReached`, in the middle of it. */
  async attack(
    attack: Attack,
    index: number,
    ms: number,
    beside: () => Promise<void>,
    isReached: (report: AttackReport) => boolean,
  ): Promise<AttackReport> {
    const attacker = new Channel<AttackCommand, AttackAnswer>(
      this.#children.fork('attacker', new URL('../../bench/attack/attacker.ts', import.meta.url)),
    );
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    try {
      const { hostname: host, port } = new URL(this.gateway.url);
      const plan = await planOf(attack, index, TEST_SECRET, this.market);
      await attacker.ask({ type: 'attack', plan, target: { host, port: Number(port) }, isPolite: false }, 'attacking');
      const over = new Promise(resolve => setTimeout(resolve, ms));
      const soFar = async () => (await attacker.ask({ type: 'report' }, 'reported')).report;
      await until(async () => isReached(await soFar()), REACHED_MS, 'the attack gets so far');
      await beside();
      await over;
      return (await attacker.ask({ type: 'stop' }, 'stopped')).report;
    } finally {
      clearInterval(this.#timer);
      while (this.#next !== 0) this.#publishNext();
      await attacker.child.end();
    }
  }

  /** The followers have all that was published, each in its order. @throws {Error} saying who lacks what */
  async caughtUp(): Promise<void> {
    for (const { name, client, documents } of this.#followers) {
      await until(
        () => {
          if (client.closed !== undefined) throw new Error(`closed with ${client.closed.code}`);
          const { document, trades } = documents.follow(client);
          return SYMBOLS.every(
            symbol =>
              document.quotes[symbol]?.current_price === this.#published &&
              trades.get(symbol)?.at(-1)?.trade_id === this.#published,
          );
        },
        CAUGHT_UP_MS,
        `${name} has everything`,
      );
      const gaps = client.ofType('gap');
      if (gaps.length > 0) throw new Error(`${name} lost messages: ${JSON.stringify(gaps.slice(0, 3))}`);
      const counted = [...documents.trades.values()].map(all => all.length);
      if (counted.some(count => count !== this.#published)) {
        throw new Error(`${name} has ${Math.min(...counted)} to ${Math.max(...counted)} of ${this.#published} trades`);
      }
    }
  }

  async close(): Promise<number | null> {
    clearInterval(this.#timer);
    await this.#children.endAll();
    for (const { client } of this.#followers) client.socket.terminate();
    await this.#publisher.close();
    return await this.gateway.stop();
  }

  #tick(): void {
    for (let i = 0; i < PER_TICK; i++) this.#publishNext();
  }

  #publishNext(): void {
    if (this.#next === 0) this.#published++;
    put(this.#publisher, SYMBOLS[this.#next] as string, this.#published);
    this.#next = (this.#next + 1) % SYMBOLS.length;
  }
}

function put(publisher: TestPublisher, symbol: string, n: number): void {
  publisher.put(`md.quotes.${symbol}`, { symbol, current_price: n });
  publisher.put(`md.trades.${symbol}`, { symbol, trade_id: n, price: '1', quantity: '1' });
}

async function follow(
  gateway: TestGateway,
  name: string,
  claims: Parameters<typeof testToken>[0],
  format = 'json',
): Promise<Follower> {
  const query = `symbols=${SYMBOLS.join(',')}&format=${format}&token=${await testToken(claims)}`;
  const client = await TestClient.connect(`${gateway.url}/ws/quotes?${query}`);
  client.send({ action: 'subscribe', stream: 'trades', symbols: SYMBOLS, id: 'trades' });
  await client.next('answer to subscribe', frame => frame.type === 'subscribed' && frame.id === 'trades');
  return { name, client, documents: new Documents() };
}
