/** A publisher at a steady rate, and clients that stay: they hold each topic's chain against the contract and measure latency. */
import { connect, headers, type NatsConnection } from 'nats';
import WebSocket from 'ws';
import type { StreamPosition } from '../../src/protocol/stream-position.js';

const PUBLISH_INTERVAL_MS = 20;
const RECONNECT_MS = 200;
const VIOLATIONS_MAX = 20;
const LATENCIES_MAX = 200_000;

interface SteadyPlan {
  readonly gatewayPort: number;
  readonly natsUrl: string;
  readonly symbols: readonly string[];
  readonly perSecond: number;
  readonly clients: number;
}

export class SteadyLoad {
  /** Frames that no gateway may send: a chain that does not fit together. */
  readonly violations: string[] = [];
  received = 0;
  gaps = 0;
  reconnects = 0;
  readonly #plan: SteadyPlan;
  readonly #nats: NatsConnection;
  readonly #clients = new Set<WebSocket>();
  readonly #timer: NodeJS.Timeout;
  #latenciesMs: number[] = [];
  #published = 0;
  #startMs = performance.now();
  #isEnding = false;

  private constructor(plan: SteadyPlan, nats: NatsConnection) {
    this.#plan = plan;
    this.#nats = nats;
    for (let i = 0; i < plan.clients; i++) this.#open();
    this.#timer = setInterval(() => this.#publish(), PUBLISH_INTERVAL_MS);
  }

  static async start(plan: SteadyPlan): Promise<SteadyLoad> {
    const nats = await connect({ servers: plan.natsUrl, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
    return new SteadyLoad(plan, nats);
  }

  get open(): number {
    return [...this.#clients].filter(({ readyState }) => readyState === WebSocket.OPEN).length;
  }

  /** Publisher to client since the last call, ms; NaN where nothing came. */
  takeLatencies(): { p50: number; p99: number } {
    const sorted = this.#latenciesMs.sort((a, b) => a - b);
    this.#latenciesMs = [];
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99) };
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    clearInterval(this.#timer);
    for (const socket of this.#clients) socket.terminate();
    await this.#nats.close();
  }

  #publish(): void {
    const { symbols, perSecond } = this.#plan;
    const target = ((performance.now() - this.#startMs) / 1000) * perSecond;
    // What could not be published in an outage of NATS is not made up for.
    if (this.#nats.isClosed()) return;
    for (; this.#published < target; this.#published++) {
      const symbol = symbols[this.#published % symbols.length] ?? '';
      const hdrs = headers();
      hdrs.set('Ts-Event', String(Math.round(Date.now() * 1000)));
      const trade = { symbol, trade_id: this.#published, price: '1.00', quantity: '1' };
      this.#nats.publish(`md.trades.${symbol}`, JSON.stringify(trade), { headers: hdrs });
      const quote = { symbol, current_price: 1 + (this.#published % 1000) / 100 };
      this.#nats.publish(`md.quotes.${symbol}`, JSON.stringify(quote));
    }
  }

  #open(): void {
    const positions = new Map<string, StreamPosition>();
    const { gatewayPort, symbols } = this.#plan;
    const url = `ws://127.0.0.1:${gatewayPort}/ws/trades?symbols=${symbols.join(',')}&timestamps=1`;
    const socket = new WebSocket(url, { perMessageDeflate: false });
    this.#clients.add(socket);
    socket.on('message', (bytes: Buffer) =>
      this.#take(JSON.parse(bytes.toString()) as Record<string, unknown>, positions),
    );
    socket.on('error', () => {
      // Followed by 'close'.
    });
    socket.on('close', () => {
      this.#clients.delete(socket);
      if (this.#isEnding) return;
      this.reconnects++;
      setTimeout(() => {
        if (!this.#isEnding) this.#open();
      }, RECONNECT_MS);
    });
  }

  #take(frame: Record<string, unknown>, positions: Map<string, StreamPosition>): void {
    if (frame.type === 'gap') {
      this.gaps++;
      positions.set(String(frame.topic), { epoch: String(frame.epoch), seq: Number(frame.to) });
      return;
    }
    if (frame.type !== 'trade_executed') return;
    this.received++;
    if (this.#latenciesMs.length < LATENCIES_MAX && typeof frame.ts_event === 'number') {
      this.#latenciesMs.push(Date.now() - frame.ts_event / 1000);
    }
    const topic = `trades:${frame.symbol}`;
    const held = positions.get(topic);
    positions.set(topic, { epoch: String(frame.epoch), seq: Number(frame.seq) });
    if (held === undefined || (held.epoch === frame.epoch && held.seq === frame.prev_seq)) return;
    if (this.violations.length < VIOLATIONS_MAX) {
      this.violations.push(`${topic} ${frame.epoch} ${frame.prev_seq}→${frame.seq} after ${held.epoch} ${held.seq}`);
    }
  }
}
