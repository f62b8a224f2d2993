/**
 * A crowd of connections to several gateways that one NATS joins: each gateway gets client processes of its own, as a
 * process may have only so many files open.
 */
import { symbolsOf, symbolsOfClient } from '../fanout/layout.js';
import { Channel } from '../harness/channel.js';
import { type Child, ChildFailure, type Children } from '../harness/children.js';
import { type Gateway, startGateway } from '../harness/gateway.js';
import { startNatsServer } from '../harness/nats-server.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import { DELIVERY } from '../latency/contender.js';
import type { LatencyReport } from '../load/latency-histogram.js';
import { LoadGenerator } from '../load/load-generator.js';
import type { LoadReport } from '../load/messages.js';
import type { OpenLoopAnswer, OpenLoopCommand } from '../open-loop/messages.js';

export interface CrowdPlan {
  readonly gateways: number;
  readonly clientsPerGateway: number;
  readonly symbols: number;
  readonly symbolsPerClient: number;
  readonly connectsPerSecond: number;
  readonly workers: string;
  readonly encoders: string;
  /** Of topics without messages; each is a write to every socket. */
  readonly heartbeatInterval: string;
}

/** Of each gateway, every so many-th client records latencies. */
const LATENCY_EVERY = 10;
/**
 * Towards one address and port the kernel has 28,232 ports by default. Once the even half is taken it looks through that half
 * for each connection, one port after another: 0.7 ms each, with 100,000 connections both cores. So many go to one address.
 */
const CONNECTIONS_PER_ADDRESS = 10_000;
/** Tokens are made once and used by several clients; making 100,000 would take longer than connecting them. */
const TOKENS_MAX = 1000;

export class Crowd {
  readonly gateways: readonly Gateway[];
  readonly #plan: CrowdPlan;
  readonly #generators: readonly LoadGenerator[];
  readonly #tokens: readonly string[];
  readonly #natsChild: Child;
  readonly publisher: Channel<OpenLoopCommand, OpenLoopAnswer>;

  private constructor(
    plan: CrowdPlan,
    parts: {
      readonly gateways: readonly Gateway[];
      readonly generators: readonly LoadGenerator[];
      readonly tokens: readonly string[];
      readonly nats: Child;
      readonly publisher: Channel<OpenLoopCommand, OpenLoopAnswer>;
    },
  ) {
    this.#plan = plan;
    this.gateways = parts.gateways;
    this.#generators = parts.generators;
    this.#tokens = parts.tokens;
    this.#natsChild = parts.nats;
    this.publisher = parts.publisher;
  }

  /** Starts the servers and the publisher; nobody is connected yet. `children` ends all of it. */
  static async start(children: Children, plan: CrowdPlan): Promise<Crowd> {
    const { child: nats, url: natsUrl } = await startNatsServer(children);
    const layout = layoutOf(plan);
    const secret = newSecret();
    const gateways: Gateway[] = [];
    for (let node = 0; node < plan.gateways; node++) {
      const gateway = await startGateway(children, {
        NODE_NAME: `bench-${node}`,
        HOST: '0.0.0.0',
        FEED: 'nats',
        NATS_URL: natsUrl,
        AUTH_JWT_SECRET: secret,
        WORKERS: plan.workers,
        ENCODERS: plan.encoders,
        HEARTBEAT_INTERVAL: plan.heartbeatInterval,
        SYMBOLS: symbolsOf(layout).join(','),
      });
      gateways.push(gateway);
    }
    const publisher = new Channel<OpenLoopCommand, OpenLoopAnswer>(
      children.fork('publisher', new URL('../open-loop/publisher.ts', import.meta.url)),
    );
    const start = { natsUrl, layout, shape: 'tick', form: 'quotes', paddingBytes: 0 } as const;
    await publisher.ask({ type: 'start', ...start }, 'started');
    const tokens = await mintTokens(secret, Math.min(TOKENS_MAX, plan.clientsPerGateway * plan.gateways));
    const generators = gateways.map(() => LoadGenerator.start(children));
    return new Crowd(plan, { gateways, generators, tokens, nats, publisher });
  }

  /** Connects the clients of all gateways at once, each at its share of the rate. How long the upgrades took, by gateway. */
  async connect(): Promise<{ readonly elapsedMs: number; readonly upgrades: readonly LatencyReport[] }> {
    const { gateways, clientsPerGateway, connectsPerSecond } = this.#plan;
    const startedMs = performance.now();
    const layout = layoutOf(this.#plan);
    const connected = await this.#watched(
      Promise.all(
        this.#generators.map((generator, node) =>
          generator.connectTimed({
            host: '127.0.0.1',
            port: this.gateways[node]?.port ?? 0,
            clients: Array.from({ length: clientsPerGateway }, (_, i) => {
              const client = node * clientsPerGateway + i;
              const token = this.#tokens[client % this.#tokens.length];
              const symbols = symbolsOfClient(layout, client).join(',');
              const host = `127.0.0.${1 + Math.floor(i / CONNECTIONS_PER_ADDRESS)}`;
              return { host, path: `/ws/quotes?symbols=${symbols}&class=realtime&timestamps=1&token=${token}` };
            }),
            delivery: DELIVERY,
            awaitFirstFrame: true,
            latencyEvery: LATENCY_EVERY,
            connectsPerSecond: connectsPerSecond / gateways,
          }),
        ),
      ),
    );
    return { elapsedMs: performance.now() - startedMs, upgrades: connected.map(({ upgrade }) => upgrade) };
  }

  /** What came in since the last call, by gateway. */
  measure(): Promise<LoadReport[]> {
    return this.#watched(Promise.all(this.#generators.map(generator => generator.measure())));
  }

  async #watched<T>(work: Promise<T>): Promise<T> {
    const processes = [
      ...this.gateways.map(({ child }) => child),
      ...this.#generators.map(({ child }) => child),
      this.#natsChild,
      this.publisher.child,
    ];
    try {
      return await processes.reduce((outcome, child) => child.during(outcome), work);
    } catch (error) {
      if (!(error instanceof ChildFailure)) throw error;
      const said = this.gateways.flatMap(({ child }, node) => {
        return child.lastOutput === '' ? [] : [`gateway ${node} wrote last:\n${child.lastOutput}`];
      });
      throw new ChildFailure([error.message, ...said].join('\n'), { cause: error });
    }
  }
}

export function layoutOf({ gateways, clientsPerGateway, symbols, symbolsPerClient }: CrowdPlan) {
  return { clients: gateways * clientsPerGateway, symbolsPerClient, universe: symbols };
}
