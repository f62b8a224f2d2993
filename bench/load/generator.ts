/**
 * The load generator: a process of its own that opens WebSocket clients on raw sockets and counts what they get. It says
 * how busy it was itself, so that a round which measured the generator instead of the server shows.
 */

import { serve } from '../harness/channel.js';
import { clockOffsetMicros } from '../harness/clock.js';
import { ProgressSender } from '../pacing/progress.js';
import type { FrameInspector } from './frame-reader.js';
import { LatencyHistogram, type LatencyReport } from './latency-histogram.js';
import { LatencyInspector } from './latency-inspector.js';
import { LoadSocket, type LoadSocketContext } from './load-socket.js';
import type { Dialect, LoadAnswer, LoadCommand, LoadPlan, LoadReport } from './messages.js';
import { OrderInspector } from './order-inspector.js';
import { ReadTurns } from './read-turns.js';
import { Rests } from './rests.js';
import { SnapshotInspector } from './snapshot-inspector.js';
import { Tally } from './tally.js';

const READ_BUFFER_BYTES = 256 * 1024;
const CONNECTS_IN_FLIGHT_MAX = 64;
/** How often connections that are due by their rate are begun. */
const CONNECT_TICK_MS = 2;
const SNAPSHOT_PATIENCE_MS = 5_000;
const FIRST_FRAME_TIMEOUT_MS = 15_000;
const FAULTS_KEPT = 10;

class Generator implements LoadSocketContext {
  readonly host: string;
  readonly port: number;
  readonly tally: Tally;
  readonly inspector: FrameInspector | undefined;
  readonly turns: Pick<ReadTurns, 'enter'> | undefined;
  readonly dialect: Dialect;
  readonly buffer = new Uint8Array(READ_BUFFER_BYTES);
  readonly #sockets: LoadSocket[] = [];
  readonly #order: OrderInspector | undefined;
  readonly #latency: LatencyInspector | undefined;
  readonly #snapshots: SnapshotInspector | undefined;
  readonly #closeCodes: Record<string, number> = {};
  readonly #faults: string[] = [];
  readonly #rests: Rests | undefined;
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
    if (plan.latencyEvery !== undefined) {
      const turns = new ReadTurns();
      this.turns = turns;
      this.#latency = new LatencyInspector(turns);
    } else if (plan.restMsMax !== undefined) {
      this.#rests = new Rests(plan.restMsMax);
      this.turns = this.#rests;
    }
    if (plan.delivery === undefined && !plan.awaitFirstFrame)
      this.#snapshots = new SnapshotInspector(plan.clients.length);
    this.inspector = both(this.#order, this.#snapshots);
    this.#before = now(this.tally, this.#rests);
  }

  /** Opens every client: as many a second as the plan says, or a bounded number at a time. */
  async connect(): Promise<LatencyReport> {
    const { clients, awaitFirstFrame, firstFrames = 1, progress, connectsPerSecond } = this.#plan;
    const upgrades = new LatencyHistogram();
    if (connectsPerSecond === undefined) await this.#connectInTurn(upgrades);
    else await this.#connectAtRate(connectsPerSecond, upgrades);
    if (awaitFirstFrame) await this.#firstFrames(clients.length, firstFrames);
    if (progress !== undefined) await this.#reportProgress(progress.ports, progress.intervalMs);
    this.#before = now(this.tally, this.#rests);
    return upgrades.take();
  }

  async #connectInTurn(upgrades: LatencyHistogram): Promise<void> {
    const waiting = this.#plan.clients.keys();
    const openNext = async (): Promise<void> => {
      for (const index of waiting) await this.#open(index, performance.now(), upgrades);
    };
    await Promise.all(Array.from({ length: CONNECTS_IN_FLIGHT_MAX }, openNext));
  }

  /** An open loop: a connection that is late to begin has its wait counted. */
  async #connectAtRate(perSecond: number, upgrades: LatencyHistogram): Promise<void> {
    const { clients } = this.#plan;
    const startedMs = performance.now();
    const opening: Promise<void>[] = [];
    let failure: unknown;
    while (opening.length < clients.length) {
      const due = Math.min(clients.length, ((performance.now() - startedMs) / 1000) * perSecond);
      while (opening.length < due) {
        const index = opening.length;
        const opened = this.#open(index, startedMs + (index / perSecond) * 1000, upgrades).catch((error: unknown) => {
          failure ??= error;
        });
        opening.push(opened);
      }
      await new Promise(resolve => setTimeout(resolve, CONNECT_TICK_MS));
      if (failure !== undefined) throw failure;
    }
    await Promise.all(opening);
    if (failure !== undefined) throw failure;
  }

  async #open(index: number, dueMs: number, upgrades: LatencyHistogram): Promise<void> {
    const { clients, latencyEvery } = this.#plan;
    const client = clients[index];
    if (client === undefined) return;
    const isSampled = latencyEvery !== undefined && index % latencyEvery === 0;
    const inspector = isSampled ? both(this.inspector, this.#latency) : this.inspector;
    const socket = new LoadSocket(index, client, this, { inspector });
    this.#sockets.push(socket);
    await socket.open().catch((error: unknown) => {
      throw new Error(`client ${index} of ${clients.length}`, { cause: error });
    });
    upgrades.record((performance.now() - dueMs) * 1000);
  }

  /** Every k-th client reads no further. */
  stall(every: number): number {
    const stalled = this.#sockets.filter(socket => socket.index % every === 0);
    for (const socket of stalled) socket.stall();
    return stalled.length;
  }

  /** Every client sends `text`, evenly over `overMs`. */
  async subscribe(text: string, overMs: number): Promise<Extract<LoadAnswer, { type: 'subscribed' }>> {
    const snapshots = this.#snapshots;
    if (snapshots === undefined) throw new Error('clients of this plan are subscribed when they open');
    const clients = this.#sockets.length;
    const startedMs = performance.now();
    let sent = 0;
    while (sent < clients) {
      const due = Math.min(clients, Math.ceil(((performance.now() - startedMs) / overMs) * clients));
      for (; sent < due; sent++) {
        const socket = this.#sockets[sent];
        if (socket === undefined) continue;
        snapshots.asked(socket.index, startedMs + (sent / clients) * overMs);
        socket.send(text);
      }
      await new Promise(resolve => setTimeout(resolve, 1));
    }
    while (snapshots.waiting > 0 && performance.now() - snapshots.lastMs < SNAPSHOT_PATIENCE_MS) {
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    const elapsedMs = snapshots.lastMs - startedMs;
    return { type: 'subscribed', elapsedMs, missing: snapshots.waiting, snapshot: snapshots.take() };
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
    const to = now(this.tally, this.#rests);
    this.#before = to;
    const elapsedMs = to.atMs - from.atMs;
    const loop = performance.eventLoopUtilization(to.loop, from.loop);
    const cpuMicros = to.cpu.user + to.cpu.system - from.cpu.user - from.cpu.system;
    return {
      elapsedMs,
      deliveries: to.deliveries - from.deliveries,
      payloadBytes: to.payloadBytes - from.payloadBytes,
      wireBytes: to.wireBytes - from.wireBytes,
      otherFrames: to.otherFrames - from.otherFrames,
      cpuShare: cpuMicros / 1000 / elapsedMs,
      // To the loop a rest is work.
      eventLoopUtilisation: (loop.active - (to.sleptMs - from.sleptMs)) / (loop.active + loop.idle),
      totalDeliveries: to.deliveries,
      connected: this.#sockets.length - this.#lostCount,
      lost: this.#lostCount,
      closeCodes: { ...this.#closeCodes },
      faults: [...this.#faults],
      ...(this.#order === undefined ? {} : { order: this.#order.report() }),
      ...(this.#latency === undefined ? {} : { latency: this.#latency.take() }),
      clockOffsetMicros: clockOffsetMicros(),
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

  async #reportProgress(ports: readonly number[], intervalMs: number): Promise<void> {
    const senders = await Promise.all(ports.map(port => ProgressSender.connect(port)));
    let reported = 0;
    setInterval(() => {
      const { deliveries } = this.tally;
      if (deliveries === reported) return;
      reported = deliveries;
      for (const sender of senders) sender.send(deliveries);
    }, intervalMs);
  }
}

type Before = ReturnType<typeof now>;

/** Every figure that a stretch is the difference of. */
function now({ deliveries, payloadBytes, wireBytes, otherFrames }: Tally, rests: Rests | undefined) {
  const counts = { deliveries, payloadBytes, wireBytes, otherFrames, sleptMs: rests?.sleptMs ?? 0 };
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
    const upgrade = await generator.connect();
    return { type: 'connected', elapsedMs: performance.now() - started, upgrade };
  }
  if (generator === undefined) throw new Error(`${command.type} before connect`);
  if (command.type === 'stall') return { type: 'stalled', clients: generator.stall(command.every) };
  if (command.type === 'subscribe') return await generator.subscribe(command.text, command.overMs);
  return { type: 'measured', report: generator.measure() };
});
