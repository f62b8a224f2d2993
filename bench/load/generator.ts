/**
 * The load generator: a process of its own that opens WebSocket clients on raw sockets and counts what they get. It says
 * how busy it was itself, so that a round which measured the generator instead of the server shows.
 */
import { serve } from '../harness/channel.js';
import { ProgressSender } from '../pacing/progress.js';
import type { FrameInspector } from './frame-reader.js';
import { LatencyInspector } from './latency-inspector.js';
import { LoadSocket, type LoadSocketContext } from './load-socket.js';
import type { Dialect, LoadAnswer, LoadCommand, LoadPlan, LoadReport } from './messages.js';
import { OrderInspector } from './order-inspector.js';
import { Tally } from './tally.js';

const READ_BUFFER_BYTES = 256 * 1024;
const CONNECTS_IN_FLIGHT_MAX = 64;
const FIRST_FRAME_TIMEOUT_MS = 15_000;
const FAULTS_KEPT = 10;

class Generator implements LoadSocketContext {
  readonly host: string;
  readonly port: number;
  readonly tally: Tally;
  readonly inspector: FrameInspector | undefined;
  readonly dialect: Dialect;
  readonly buffer = new Uint8Array(READ_BUFFER_BYTES);
  readonly #sockets: LoadSocket[] = [];
  readonly #order: OrderInspector | undefined;
  readonly #latency: LatencyInspector | undefined;
  readonly #closeCodes: Record<string, number> = {};
  readonly #faults: string[] = [];
  #lostCount = 0;
  #before: Before;
  readonly #plan: LoadPlan;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    this.host = plan.host;
    this.port = plan.port;
    this.dialect = plan.dialect ?? 'plain';
    this.tally = new Tally(plan.delivery);
    if (plan.orderOf !== undefined) this.#order = new OrderInspector(plan.clients.length, plan.orderOf);
    if (plan.latency === true) this.#latency = new LatencyInspector();
    this.inspector = both(this.#order, this.#latency);
    this.#before = now(this.tally);
  }

  /** Opens every client, a bounded number at a time. */
  async connect(): Promise<void> {
    const { clients, awaitFirstFrame, firstFrames = 1, progress } = this.#plan;
    const waiting = clients.entries();
    const openNext = async (): Promise<void> => {
      for (const [index, client] of waiting) {
        const socket = new LoadSocket(index, client, this);
        this.#sockets.push(socket);
        await socket.open().catch((error: unknown) => {
          throw new Error(`client ${index} of ${clients.length}`, { cause: error });
        });
      }
    };
    await Promise.all(Array.from({ length: CONNECTS_IN_FLIGHT_MAX }, openNext));
    if (awaitFirstFrame) await this.#firstFrames(clients.length, firstFrames);
    if (progress !== undefined) await this.#reportProgress(progress.port, progress.intervalMs);
    this.#before = now(this.tally);
  }

  lost(socket: LoadSocket, reason: string, code: number | undefined): void {
    this.#lostCount++;
    if (code !== undefined) this.#closeCodes[code] = (this.#closeCodes[code] ?? 0) + 1;
    if (this.#faults.length < FAULTS_KEPT)
      this.#faults.push(`client ${socket.index}: ${reason}, code ${code ?? 'none'}`);
  }

  /** What happened since the last call. */
  measure(): LoadReport {
    const from = this.#before;
    const to = now(this.tally);
    this.#before = to;
    const elapsedMs = to.atMs - from.atMs;
    const cpuMicros = to.cpu.user + to.cpu.system - from.cpu.user - from.cpu.system;
    return {
      elapsedMs,
      deliveries: to.deliveries - from.deliveries,
      payloadBytes: to.payloadBytes - from.payloadBytes,
      wireBytes: to.wireBytes - from.wireBytes,
      otherFrames: to.otherFrames - from.otherFrames,
      cpuShare: cpuMicros / 1000 / elapsedMs,
      eventLoopUtilisation: performance.eventLoopUtilization(to.loop, from.loop).utilization,
      totalDeliveries: to.deliveries,
      connected: this.#sockets.length - this.#lostCount,
      lost: this.#lostCount,
      closeCodes: { ...this.#closeCodes },
      faults: [...this.#faults],
      ...(this.#order === undefined ? {} : { order: this.#order.report() }),
      ...(this.#latency === undefined ? {} : { latency: this.#latency.take() }),
    };
  }

  /** Waits until all clients' first frames have come: each gets exactly so many before anything is published. */
  async #firstFrames(clients: number, each: number): Promise<void> {
    const deadline = performance.now() + FIRST_FRAME_TIMEOUT_MS;
    const frames = (): number => this.tally.deliveries + this.tally.otherFrames;
    while (frames() < clients * each) {
      if (this.#lostCount > 0 || performance.now() > deadline) {
        const lost = this.#lostCount === 0 ? '' : `; ${this.#lostCount} were lost: ${this.#faults.join(', ')}`;
        throw new Error(`${frames()} of ${clients * each} first frames came${lost}`);
      }
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  }

  async #reportProgress(port: number, intervalMs: number): Promise<void> {
    const sender = await ProgressSender.connect(port);
    let reported = 0;
    setInterval(() => {
      const { deliveries } = this.tally;
      if (deliveries === reported) return;
      reported = deliveries;
      sender.send(deliveries);
    }, intervalMs);
  }
}

type Before = ReturnType<typeof now>;

/** Every figure that a stretch is the difference of. */
function now({ deliveries, payloadBytes, wireBytes, otherFrames }: Tally) {
  const counts = { deliveries, payloadBytes, wireBytes, otherFrames };
  return { atMs: performance.now(), ...counts, cpu: process.cpuUsage(), loop: performance.eventLoopUtilization() };
}

function both(first: FrameInspector | undefined, second: FrameInspector | undefined): FrameInspector | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return {
    inspect: (socket, bytes, from, to) => {
      first.inspect(socket, bytes, from, to);
      second.inspect(socket, bytes, from, to);
    },
  };
}

let generator: Generator | undefined;

serve<LoadCommand, LoadAnswer>(async command => {
  if (command.type === 'connect') {
    const started = performance.now();
    generator = new Generator(command.plan);
    await generator.connect();
    return { type: 'connected', elapsedMs: performance.now() - started };
  }
  if (generator === undefined) throw new Error('measure before connect');
  return { type: 'measured', report: generator.measure() };
});
