/**
 * A WebSocket client on a slow link: it takes from its socket no more bytes a second than it may, so that the rest waits
 * in the kernel's buffers of both sides, as it does on a slow link. It answers pings when it has read them.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { CLASSES } from '../../src/protocol/view-options.js';
import { CLASS_INTERVAL_MS } from '../../src/threads/lanes.js';
import type { ReaderPlan, ReaderReport } from './messages.js';

/** The most that is taken at once. */
const PORTION_BYTES = 4 * 1024;
const REFILL_INTERVAL_MS = 10;
/** Budget that may pile up while nothing is there to read. */
const BURST_SECONDS = 0.05;
const TOLD_WITHIN_MS = 1_000;

const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

interface Frame {
  readonly type?: string;
  readonly code?: string;
  readonly class?: string;
  readonly age_ms?: number;
  readonly complete?: boolean;
  readonly operations?: readonly { readonly path: string; readonly value: unknown }[];
}

const nowMs = (): number => performance.timeOrigin + performance.now();

export class ThrottledReader {
  readonly #plan: ReaderPlan;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  /** Resolves once it has all first snapshots. */
  readonly connected: Promise<void>;
  #onComplete: () => void = () => undefined;
  #budgetBytes = 0;
  #refilledMs = performance.now();
  #isPaused = false;
  #pending = Buffer.alloc(0);
  #isOpen = false;
  #rateClass: (typeof CLASSES)[number];
  #isLagging = false;
  #closed: string | undefined;
  #begunMs = nowMs();
  #bytes = 0;
  /** Of each price: when it was read, and how old it was. */
  #ages: { readonly atMs: number; readonly ageMs: number; readonly isTooOld: boolean; readonly isTold: boolean }[] = [];
  #told: { readonly atMs: number; readonly ageMs: number }[] = [];

  constructor(port: number, plan: ReaderPlan) {
    this.#plan = plan;
    this.#rateClass = 'realtime';
    const buffer = Buffer.alloc(PORTION_BYTES);
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer, callback: count => this.#read(buffer.subarray(0, count)) },
    });
    this.#socket.on('error', error => {
      this.#closed ??= error.message;
    });
    this.#socket.on('close', () => {
      this.#closed ??= 'closed';
    });
    const key = randomBytes(16).toString('base64');
    this.#socket.write(
      `GET ${plan.path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    this.#timer = setInterval(() => this.#refill(), REFILL_INTERVAL_MS);
    this.connected = new Promise(resolve => {
      this.#onComplete = resolve;
    });
  }

  begin(): void {
    this.#begunMs = nowMs();
    this.#bytes = 0;
    this.#ages = [];
    this.#told = [];
  }

  end(): void {
    clearInterval(this.#timer);
    this.#socket.destroy();
  }

  report(): ReaderReport {
    const ages = this.#ages.map(({ ageMs }) => ageMs).sort((a, b) => a - b);
    const percentile = (share: number) =>
      ages[Math.min(ages.length - 1, Math.floor(ages.length * share))] ?? Number.NaN;
    const old = this.#ages.filter(({ isTooOld }) => isTooOld);
    const isNear = (a: number, b: number) => Math.abs(a - b) <= TOLD_WITHIN_MS;
    const untold = old.filter(({ atMs, isTold }) => !isTold && !this.#told.some(told => isNear(told.atMs, atMs)));
    const falselyTold = this.#told.filter(told => !old.some(({ atMs }) => isNear(told.atMs, atMs)));
    return {
      bytesPerSecond: this.#bytes / ((nowMs() - this.#begunMs) / 1000),
      prices: ages.length,
      p50: percentile(0.5),
      p99: percentile(0.99),
      max: ages.at(-1) ?? Number.NaN,
      tooOld: old.length,
      untold: untold.length,
      lagging: this.#told.length,
      toldMs: Math.max(0, ...this.#told.map(({ ageMs }) => ageMs)),
      falselyTold: falselyTold.length,
      rateClass: this.#rateClass,
      closed: this.#closed,
    };
  }

  #refill(): void {
    const { bytesPerSecond } = this.#plan;
    if (bytesPerSecond === undefined) return;
    const now = performance.now();
    const earned = ((now - this.#refilledMs) / 1000) * bytesPerSecond;
    this.#refilledMs = now;
    this.#budgetBytes = Math.min(bytesPerSecond * BURST_SECONDS, this.#budgetBytes + earned);
    if (!this.#isPaused || this.#budgetBytes <= 0) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** @returns whether more may be read now */
  #read(bytes: Buffer): boolean {
    this.#bytes += bytes.length;
    this.#pending = this.#pending.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#pending, bytes]);
    this.#parse();
    if (this.#plan.bytesPerSecond === undefined) return true;
    this.#budgetBytes -= bytes.length;
    if (this.#budgetBytes > 0) return true;
    this.#isPaused = true;
    return false;
  }

  #parse(): void {
    if (!this.#isOpen) {
      const end = this.#pending.indexOf('\r\n\r\n');
      if (end < 0) return;
      const status = this.#pending.toString('latin1', 0, this.#pending.indexOf('\r\n'));
      if (!status.includes(' 101 ')) this.#closed = status;
      this.#isOpen = true;
      this.#pending = this.#pending.subarray(end + 4);
    }
    for (;;) {
      const [first = 0, second = 0] = this.#pending;
      if (this.#pending.length < 2) return;
      const short = second & 0x7f;
      const head = short === LENGTH_16 ? 4 : short === LENGTH_64 ? 10 : 2;
      if (this.#pending.length < head) return;
      const length =
        short === LENGTH_16
          ? this.#pending.readUInt16BE(2)
          : short === LENGTH_64
            ? Number(this.#pending.readBigUInt64BE(2))
            : short;
      if (this.#pending.length < head + length) return;
      const payload = this.#pending.subarray(head, head + length);
      this.#pending = this.#pending.subarray(head + length);
      this.#frame(first & 0x0f, payload);
    }
  }

  #frame(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.ping) this.#pong(payload);
    else if (opcode === OPCODE.close) this.#closed = payload.length < 2 ? 'closed' : String(payload.readUInt16BE(0));
    else if (opcode === OPCODE.text) this.#message(JSON.parse(payload.toString()) as Frame);
  }

  /** Client frames are masked; with a mask of zeros the payload stays as it is. */
  #pong(payload: Buffer): void {
    const head = Buffer.from([0x80 | OPCODE.pong, 0x80 | payload.length, 0, 0, 0, 0]);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #message(frame: Frame): void {
    const atMs = nowMs();
    if (frame.type === 'lagging') {
      this.#isLagging = true;
      this.#told.push({ atMs, ageMs: frame.age_ms ?? 0 });
    } else if (frame.type === 'fresh') this.#isLagging = false;
    else if (frame.type === 'warning') this.#rateClass = CLASSES.find(name => name === frame.class) ?? this.#rateClass;
    for (const { path, value } of frame.operations ?? []) {
      const published = path.endsWith('/t') ? value : (value as { readonly t?: unknown } | null)?.t;
      if (typeof published !== 'number') continue;
      // What was published before the feed began was the newest until then.
      const ageMs = atMs - Math.max(published, this.#begunMs);
      const limitMs = this.#plan.maxAgeMs + (CLASS_INTERVAL_MS[CLASSES.indexOf(this.#rateClass)] ?? 0);
      this.#ages.push({ atMs, ageMs, isTooOld: ageMs > limitMs, isTold: this.#isLagging });
    }
    if (frame.complete === true) this.#onComplete();
  }
}
