/** One client at each gateway: how late each trade is, and whether any is missing or out of order. */
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { serve } from '../harness/channel.js';
import { LatencyHistogram } from '../load/latency-histogram.js';
import type { ReaderReport, ReadersAnswer, ReadersCommand } from './messages.js';

const POLL_MS = 50;

interface Trade {
  readonly type: string;
  readonly symbol: string;
  readonly trade_id: number;
  readonly ts_event: number;
  readonly prev_seq: number;
  readonly seq: number;
}

const nowMicros = (): number => (performance.timeOrigin + performance.now()) * 1000;

class Reader {
  readonly subscribed: Promise<void>;
  readonly #latency = new LatencyHistogram();
  readonly #last = new Map<string, Trade>();
  /** Trades so far. */
  count = 0;
  #outOfOrder = 0;
  #brokenChains = 0;
  #closed: string | undefined;

  constructor(url: string, symbols: readonly string[]) {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.once('open', () => socket.send(JSON.stringify({ action: 'subscribe', stream: 'trades', symbols })));
    this.subscribed = new Promise((resolve, reject) => {
      socket.on('message', (data: Buffer) => {
        const atMicros = nowMicros();
        const frame = JSON.parse(data.toString()) as Trade;
        if (frame.type === 'subscribed') resolve();
        else if (frame.type === 'trade_executed') this.#take(frame, atMicros);
      });
      socket.once('error', reject);
    });
    socket.once('close', (code, reason) => {
      this.#closed = `${code} ${reason.toString()}`;
    });
  }

  report(): ReaderReport {
    return {
      latency: this.#latency.take(),
      outOfOrder: this.#outOfOrder,
      brokenChains: this.#brokenChains,
      closed: this.#closed,
    };
  }

  #take(trade: Trade, atMicros: number): void {
    this.count++;
    this.#latency.record(atMicros - trade.ts_event);
    const last = this.#last.get(trade.symbol);
    if (last !== undefined && trade.trade_id <= last.trade_id) this.#outOfOrder++;
    if (last !== undefined && trade.prev_seq !== last.seq) this.#brokenChains++;
    this.#last.set(trade.symbol, trade);
  }
}

let readers: Reader[] = [];

serve<ReadersCommand, ReadersAnswer>(async command => {
  if (command.type === 'connect') {
    readers = command.urls.map(url => new Reader(url, command.symbols));
    await Promise.all(readers.map(({ subscribed }) => subscribed));
    return { type: 'connected' };
  }
  const deadline = performance.now() + command.timeoutMs;
  while (readers.some(({ count }) => count < command.trades) && performance.now() < deadline) await sleep(POLL_MS);
  return { type: 'measured', readers: readers.map(reader => reader.report()) };
});
