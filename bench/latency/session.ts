/**
 * One contender's processes for one round, under one load after another: publisher → nats-server → server → a bulk of
 * clients, and a few observers in a process of their own that is hardly busy, so that their latencies are the server's.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fanoutOf, type Layout } from '../fanout/layout.js';
import type { TickShape } from '../fanout/ticks.js';
import { Channel } from '../harness/channel.js';
import { type Child, Children } from '../harness/children.js';
import { type CpuSample, cpuShare, machineBusySeconds, sampleCpu } from '../harness/cpu.js';
import { GC_LOG_DELAY_MS, type GcReport } from '../harness/gc-log.js';
import { type MetricValues, scrape } from '../harness/metrics.js';
import { startNatsWebSocket } from '../harness/nats-server.js';
import type { ChurnAnswer, ChurnCommand, Churned, ChurnPlan } from '../load/churner.js';
import type { LatencyReport } from '../load/latency-histogram.js';
import type { LatencyReports } from '../load/latency-inspector.js';
import { LoadGenerator } from '../load/load-generator.js';
import type { ClientPlan, LoadReport } from '../load/messages.js';
import type { OpenLoopAnswer, OpenLoopCommand } from '../open-loop/messages.js';
import type { Rate } from '../open-loop/schedule.js';
import type { LatencyContender, RunningServer } from './contender.js';
import { type ServerStages, stagesBetween } from './stages.js';

const PROGRESS_INTERVAL_MS = 5;
const DRAIN_POLL_MS = 50;
const DONE_POLL_MS = 250;
/** Without a further delivery for so long, what is still owed is missing. */
const DRAIN_PATIENCE_MS = 2000;
/** Fewer deliveries than this share of those due, and more than so much of a second still to come: it did not keep up. */
const KEPT_UP_SHARE_MIN = 0.95;
const KEPT_UP_SECONDS_MAX = 0.25;
/** Clients of the bulk that record latencies, to compare with the observers. */
const SAMPLED_OF_BULK = 20;
const SATURATION = { windowUpdates: 500, batchUpdates: 50, stallMs: 2000 };

export interface SessionPlan {
  readonly layout: Layout;
  readonly shape: TickShape;
  readonly paddingBytes: number;
  /** Clients in the observing process. */
  readonly observers: number;
}

export interface LoadTimes {
  readonly warmupSeconds: number;
  readonly seconds: number;
}

interface GeneratorResult {
  readonly latency: LatencyReports;
  readonly loopUtilisation: number;
  readonly cpu: number;
}

export interface LoadResult {
  readonly updatesPerSecond: number;
  readonly seconds: number;
  readonly publishedPerSecond: number;
  readonly deliveriesPerSecond: number;
  readonly bytesPerDelivery: number;
  /** False: its latencies are those of a queue that grows, and say nothing but that. */
  readonly keptUp: boolean;
  /** Nothing is waited for where the server was too slow, so that none is known to be missing. */
  readonly missing: number;
  readonly surplus: number;
  readonly lostConnections: number;
  readonly faults: readonly string[];
  readonly observers: GeneratorResult;
  readonly bulk: GeneratorResult;
  /** From an update's intended time to its publish: the publisher's own delay, part of every total. */
  readonly lateness: LatencyReport;
  /** Inside the server, where it tells. */
  readonly stages: ServerStages | undefined;
  /** The server's threads' garbage collectors, where they are watched. */
  readonly gc: readonly GcReport[] | undefined;
  /** Shares of one core. */
  readonly cpu: { readonly server: number; readonly nats: number; readonly publisher: number };
  readonly busiestServerThread: number;
  readonly otherLoad: number;
  /** Each process's clock less CLOCK_REALTIME. */
  readonly clockOffsetsMicros: Readonly<Record<'publisher' | 'bulk' | 'observers', number>>;
}

interface CpuSamples extends Readonly<Record<'server' | 'nats' | 'publisher', CpuSample>> {
  readonly machineSeconds: number;
}

type Publisher = Channel<OpenLoopCommand, OpenLoopAnswer>;

export class Session {
  readonly #children: Children;
  readonly #server: RunningServer;
  readonly #nats: Child;
  readonly #publisher: Publisher;
  readonly #bulk: LoadGenerator;
  readonly #observers: LoadGenerator;
  readonly #layout: Layout;
  /** Clients that read no further, so that nothing is due to them. */
  #stalled = 0;
  readonly connectMs: number;

  private constructor(
    parts: {
      children: Children;
      server: RunningServer;
      nats: Child;
      publisher: Publisher;
      bulk: LoadGenerator;
      observers: LoadGenerator;
    },
    layout: Layout,
    connectMs: number,
  ) {
    this.#children = parts.children;
    this.#server = parts.server;
    this.#nats = parts.nats;
    this.#publisher = parts.publisher;
    this.#bulk = parts.bulk;
    this.#observers = parts.observers;
    this.#layout = layout;
    this.connectMs = connectMs;
  }

  /** Starts every process and connects every client. What it has started is ended when it fails. */
  static async open(contender: LatencyContender, plan: SessionPlan, signal: AbortSignal): Promise<Session> {
    const children = new Children(signal);
    try {
      const { layout, shape, paddingBytes } = plan;
      const nats = await startNatsWebSocket(children);
      const server = await contender.start(children, nats, layout);
      const publisher: Publisher = new Channel(
        children.fork('publisher', new URL('../open-loop/publisher.ts', import.meta.url)),
      );
      const start = { type: 'start', natsUrl: nats.url, layout, shape, form: contender.form, paddingBytes } as const;
      const { progressPort } = await publisher.ask(start, 'started');
      const [bulk, observers] = [LoadGenerator.start(children), LoadGenerator.start(children)];
      const groups = split(server.clients, plan.observers);
      const common = {
        host: '127.0.0.1',
        port: server.port,
        ...{ delivery: server.delivery, dialect: server.dialect, firstFrames: server.firstFrames },
        awaitFirstFrame: server.isStateful || server.firstFrames !== undefined,
        progress: { ports: [progressPort], intervalMs: PROGRESS_INTERVAL_MS },
      };
      const every = Math.max(1, Math.floor(groups.bulk.length / SAMPLED_OF_BULK));
      const connectMs =
        (await bulk.connect({ ...common, clients: groups.bulk, latencyEvery: every })) +
        (await observers.connect({ ...common, clients: groups.observers, latencyEvery: 1 }));
      return new Session({ children, server, nats: nats.child, publisher, bulk, observers }, layout, connectMs);
    } catch (error) {
      await children.endAll();
      throw error;
    }
  }

  get server(): RunningServer {
    return this.#server;
  }

  /** Clients that come and go from here on, from a process of their own. Returns how to stop them, and what became of them. */
  async churn(how: ChurnPlan): Promise<() => Promise<Churned>> {
    const churner = new Channel<ChurnCommand, ChurnAnswer>(
      this.#children.fork('churner', new URL('../load/churner.ts', import.meta.url)),
    );
    const { port, clients } = this.#server;
    const target = { host: '127.0.0.1', port, paths: clients.map(({ path }) => path) };
    await churner.ask({ type: 'churn', ...target, ...how }, 'churning');
    return () => churner.ask({ type: 'stop' }, 'stopped');
  }

  /** The gateway's metrics; undefined for a server without. */
  async metrics(): Promise<MetricValues | undefined> {
    return this.#server.adminPort === undefined ? undefined : await scrape(this.#server.adminPort);
  }

  /** Every k-th client of the bulk reads no further. Returns how many that are. */
  async stall(every: number): Promise<number> {
    this.#stalled = await this.#bulk.stall(every);
    return this.#stalled;
  }

  /** Updates a second that this contender takes when it is kept busy. */
  async capacity({ warmupSeconds, seconds }: LoadTimes): Promise<number> {
    return await this.#watched(async () => {
      await this.#measureBoth();
      const fanout = fanoutOf(this.#layout);
      await this.#publisher.ask({ type: 'saturate', pace: { ...SATURATION, fanout } }, 'running');
      await sleep(warmupSeconds * 1000);
      await this.#measureBoth();
      await sleep(seconds * 1000);
      const { bulk, observers } = await this.#measureBoth();
      await this.#publisher.ask({ type: 'stop' }, 'stopped');
      await this.#quiet();
      return ((bulk.deliveries + observers.deliveries) * 1000) / bulk.elapsedMs / meanFanout(this.#layout);
    });
  }

  /**
   * Publishes without a measurement until `done`, e.g. until what `stall` began has come about.
   *
   * @returns the seconds that it published
   */
  async loadUntil(rate: Rate, done: () => Promise<boolean>, secondsMax: number): Promise<number> {
    return await this.#watched(async () => {
      await this.#publisher.ask({ type: 'run', rate }, 'running');
      const startedAt = performance.now();
      const deadline = startedAt + secondsMax * 1000;
      while (!(await done()) && performance.now() < deadline) await sleep(DONE_POLL_MS);
      const seconds = (performance.now() - startedAt) / 1000;
      await this.#publisher.ask({ type: 'stop' }, 'stopped');
      await this.#quiet();
      return seconds;
    });
  }

  /** One load: warm up, measure, stop, and wait for what is owed. */
  async load(rate: Rate, times: LoadTimes): Promise<LoadResult> {
    return await this.#watched(() => this.#load(rate, times));
  }

  async close(): Promise<void> {
    await this.#children.endAll();
  }

  async #load(rate: Rate, { warmupSeconds, seconds }: LoadTimes): Promise<LoadResult> {
    const start = await this.#measureBoth();
    await this.#publisher.ask({ type: 'run', rate }, 'running');
    await sleep(warmupSeconds * 1000);
    const before = await this.metrics();
    await this.#measureBoth();
    await this.#publisher.ask({ type: 'mark' }, 'marked');
    const cpuBefore = this.#sampleCpu();
    const measuredFrom = Date.now();
    await sleep(seconds * 1000);
    const measuredTo = Date.now();
    const { bulk, observers } = await this.#measureBoth();
    const cpuAfter = this.#sampleCpu();
    const stopped = await this.#publisher.ask({ type: 'stop' }, 'stopped');
    const after = await this.metrics();
    const startTotal = start.bulk.totalDeliveries + start.observers.totalDeliveries;
    const deliveries = bulk.deliveries + observers.deliveries;
    const perSecond = 1000 / bulk.elapsedMs;
    const reading = 1 - this.#stalled / this.#layout.clients;
    const due = rate.updatesPerSecond * meanFanout(this.#layout) * reading;
    const waiting = startTotal + stopped.owed * reading - bulk.totalDeliveries - observers.totalDeliveries;
    const isFastEnough = deliveries * perSecond >= due * KEPT_UP_SHARE_MIN || waiting < due * KEPT_UP_SECONDS_MAX;
    const end = isFastEnough ? await this.#drain(startTotal + stopped.owed) : { bulk, observers };
    const keptUp = isFastEnough && end.bulk.lost + end.observers.lost === 0;
    const balance = startTotal + stopped.owed - end.bulk.totalDeliveries - end.observers.totalDeliveries;
    return {
      updatesPerSecond: rate.updatesPerSecond,
      seconds: bulk.elapsedMs / 1000,
      publishedPerSecond: (stopped.lateness.count * 1000) / (cpuAfter.server.atMs - cpuBefore.server.atMs),
      deliveriesPerSecond: deliveries * perSecond,
      bytesPerDelivery: (bulk.payloadBytes + observers.payloadBytes) / deliveries,
      keptUp,
      missing: isFastEnough ? Math.max(0, balance) : 0,
      surplus: Math.max(0, -balance),
      lostConnections: end.bulk.lost + end.observers.lost,
      faults: [...end.bulk.faults, ...end.observers.faults],
      observers: generatorResult(observers),
      bulk: generatorResult(bulk),
      lateness: stopped.lateness,
      gc: await this.#pauses(measuredFrom, measuredTo),
      stages: before === undefined || after === undefined ? undefined : stagesBetween(before, after),
      ...this.#cpuBetween(cpuBefore, cpuAfter, bulk, observers),
      clockOffsetsMicros: {
        publisher: stopped.clockOffsetMicros,
        bulk: bulk.clockOffsetMicros,
        observers: observers.clockOffsetMicros,
      },
    };
  }

  async #pauses(fromMs: number, toMs: number): Promise<GcReport[] | undefined> {
    const { gcLog, child } = this.#server;
    if (gcLog === undefined) return undefined;
    await sleep(Math.max(0, toMs + GC_LOG_DELAY_MS - Date.now()));
    return gcLog.between(child.pid, fromMs, toMs);
  }

  #sampleCpu(): CpuSamples {
    return {
      server: sampleCpu(this.#server.child.pid),
      nats: sampleCpu(this.#nats.pid),
      publisher: sampleCpu(this.#publisher.child.pid),
      machineSeconds: machineBusySeconds(),
    };
  }

  #cpuBetween(before: CpuSamples, after: CpuSamples, bulk: LoadReport, observers: LoadReport) {
    const server = cpuShare(before.server, after.server);
    // Where nats-server itself is the contender, it is counted once.
    const nats = this.#nats === this.#server.child ? 0 : cpuShare(before.nats, after.nats).process;
    const publisher = cpuShare(before.publisher, after.publisher).process;
    const elapsed = (after.server.atMs - before.server.atMs) / 1000;
    const machine = (after.machineSeconds - before.machineSeconds) / elapsed;
    const ours = server.process + nats + publisher + bulk.cpuShare + observers.cpuShare;
    return {
      cpu: { server: server.process, nats, publisher },
      busiestServerThread: server.busiestThread,
      otherLoad: Math.max(0, machine - ours),
    };
  }

  async #measureBoth(): Promise<{ bulk: LoadReport; observers: LoadReport }> {
    const [bulk, observers] = await Promise.all([this.#bulk.measure(), this.#observers.measure()]);
    return { bulk, observers };
  }

  /** Waits until all that is owed has arrived, or nothing more comes. */
  async #drain(owedTotal: number): Promise<{ bulk: LoadReport; observers: LoadReport }> {
    let last = await this.#measureBoth();
    let lastTotal = last.bulk.totalDeliveries + last.observers.totalDeliveries;
    let lastChange = performance.now();
    while (lastTotal < owedTotal && performance.now() - lastChange < DRAIN_PATIENCE_MS) {
      await sleep(DRAIN_POLL_MS);
      last = await this.#measureBoth();
      const total = last.bulk.totalDeliveries + last.observers.totalDeliveries;
      if (total > lastTotal) lastChange = performance.now();
      lastTotal = total;
    }
    return last;
  }

  /** Waits until nothing comes any more. */
  async #quiet(): Promise<void> {
    for (let idle = 0; idle < 3; ) {
      await sleep(DRAIN_POLL_MS);
      const { bulk, observers } = await this.#measureBoth();
      idle = bulk.deliveries + observers.deliveries === 0 ? idle + 1 : 0;
    }
  }

  /** A process that dies meanwhile fails the round at once, with its last output. */
  async #watched<T>(work: () => Promise<T>): Promise<T> {
    const all = [this.#server.child, this.#nats, this.#publisher.child, this.#bulk.child, this.#observers.child];
    return await all.reduce((outcome, child) => child.during(outcome), work());
  }
}

function generatorResult(report: LoadReport): GeneratorResult {
  if (report.latency === undefined) throw new Error('the generator was not asked for latencies');
  return { latency: report.latency, loopUtilisation: report.eventLoopUtilisation, cpu: report.cpuShare };
}

/** Clients of an update, on average. */
function meanFanout(layout: Layout): number {
  const fanout = fanoutOf(layout);
  return fanout.reduce((sum, clients) => sum + clients, 0) / fanout.length;
}

/** The observers are spread over all clients. At least one client stays in each group. */
function split(clients: readonly ClientPlan[], observers: number): { bulk: ClientPlan[]; observers: ClientPlan[] } {
  const wanted = Math.max(1, Math.min(observers, clients.length - 1));
  const every = Math.floor(clients.length / wanted);
  const isObserver = (index: number): boolean => index % every === 0 && index / every < wanted;
  return {
    bulk: clients.filter((_, index) => !isObserver(index)),
    observers: clients.filter((_, index) => isObserver(index)),
  };
}
