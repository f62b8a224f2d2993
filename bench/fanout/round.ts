/** One round: fresh processes, connect, warm up, measure, drain, end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Children } from '../harness/children.js';
import { type CpuSample, type CpuShare, cpuShare, machineBusySeconds, sampleCpu } from '../harness/cpu.js';
import { GENERATOR_BOUND_UTILISATION, LoadGenerator } from '../load/load-generator.js';
import type { LoadReport } from '../load/messages.js';
import type { OrderReport } from '../load/order-inspector.js';
import type { Contender, Role, RoundPlan, RunningContender } from './contender.js';
import { symbolsOf } from './layout.js';

/** How often the generator reports to the publishing process. */
const PROGRESS_INTERVAL_MS = 5;
/** Short beside the window: what is under way lasts for 100 ms and more. */
const REST_MS_MAX = 10;
const DRAIN_POLL_MS = 50;
/** Without a further delivery for so long, what is still owed is missing. */
const DRAIN_PATIENCE_MS = 2000;
/** A thread that works, or waits for a core, more than this share of the time is what limits its contender. */
const THREAD_BOUND_SHARE = 0.9;

export interface RoundTimes {
  readonly warmupSeconds: number;
  readonly seconds: number;
}

/** What limited a round: the load generator, a thread of the server, or neither (the loop's own delay, or other load). */
type Limit = 'generator' | 'server' | 'neither';

export interface RoundResult {
  /** Which row of the matrix, see matrix.ts. */
  readonly row: string;
  readonly contender: string;
  readonly round: number;
  readonly seconds: number;
  readonly deliveries: number;
  readonly deliveriesPerSecond: number;
  /** Payload bytes of the deliveries, 10^6 a second. */
  readonly megabytesPerSecond: number;
  readonly bytesPerDelivery: number;
  /** Deliveries that the published updates owed and that never came. */
  readonly missing: number;
  /** Deliveries beyond what was owed. */
  readonly surplus: number;
  readonly lostConnections: number;
  /** Why connections were lost, the first few. */
  readonly faults: readonly string[];
  readonly connectMs: number;
  /** Shares of one core; NaN (null in JSON) where CPU times cannot be read. */
  readonly cpu: Readonly<Record<Role | 'generator', number>>;
  readonly busiestServerThread: number;
  /** The same, had it never waited for a core: near 1, and the machine rather than the server was slow. */
  readonly busiestServerThreadDemand: number;
  /** Cores' worth of work of everything else on the machine, this benchmark's own parent included. */
  readonly otherLoad: number;
  readonly generatorLoopUtilisation: number;
  readonly limit: Limit;
  readonly order?: OrderReport;
}

/** Runs one contender once. All its processes are ended afterwards, whatever happens. */
export async function runRound(
  contender: Contender,
  plan: RoundPlan,
  times: RoundTimes,
  options: { readonly row: string; readonly round: number; readonly checkOrder: boolean; readonly signal: AbortSignal },
): Promise<RoundResult> {
  const children = new Children(options.signal);
  try {
    const running = await contender.start(children, plan);
    const generator = LoadGenerator.start(children);
    const connectMs = await generator.connect({
      host: '127.0.0.1',
      port: running.port,
      clients: running.clients,
      delivery: running.delivery,
      awaitFirstFrame: running.isStateful || running.firstFrames !== undefined,
      firstFrames: running.firstFrames ?? 1,
      dialect: running.dialect ?? 'plain',
      restMsMax: REST_MS_MAX,
      progress: { ports: running.progressPorts, intervalMs: PROGRESS_INTERVAL_MS },
      ...(options.checkOrder ? { orderOf: symbolsOf(plan.layout) } : {}),
    });
    const before = (await generator.measure()).totalDeliveries;
    await running.publisher.ask({ type: 'run' }, 'running');
    // A process that dies meanwhile fails the round at once, with its last output.
    const work = measureStretch(generator, running, times);
    const stretch = await running.processes.reduce((outcome, { child }) => child.during(outcome), work);
    const { owed } = await running.publisher.ask({ type: 'stop' }, 'stopped');
    const after = await drain(generator, before + owed);
    const balance = before + owed - after.totalDeliveries;
    return {
      row: options.row,
      contender: contender.name,
      round: options.round,
      ...stretch,
      missing: Math.max(0, balance),
      surplus: Math.max(0, -balance),
      lostConnections: after.lost,
      faults: after.faults,
      connectMs,
      // A peer that repeats recorded frames has no chain to check; it is looked at all the same, for equal cost.
      ...(after.order === undefined || !running.isStateful ? {} : { order: after.order }),
    };
  } finally {
    await children.endAll();
  }
}

/** Warms up, then measures deliveries and everybody's CPU over the same stretch of time. */
async function measureStretch(generator: LoadGenerator, running: RunningContender, times: RoundTimes) {
  await sleep(times.warmupSeconds * 1000);
  await generator.measure();
  const before = sampleAll(generator, running);
  await sleep(times.seconds * 1000);
  const report = await generator.measure();
  const after = sampleAll(generator, running);

  const cpu: Record<Role | 'generator', number> = {
    server: 0,
    'nats-server': 0,
    publisher: 0,
    neighbour: 0,
    generator: 0,
  };
  let server: CpuShare | undefined;
  for (const [at, { role }] of after.processes.entries()) {
    const share = cpuShare(before.processes[at]?.sample ?? NO_SAMPLE, after.processes[at]?.sample ?? NO_SAMPLE);
    cpu[role] += share.process;
    if (role === 'server') server = share;
  }
  const ours = Object.values(cpu).reduce((sum, share) => sum + share, 0);
  const machine = (after.machineSeconds - before.machineSeconds) / (report.elapsedMs / 1000);
  return {
    seconds: report.elapsedMs / 1000,
    ...rates(report),
    cpu,
    busiestServerThread: server?.busiestThread ?? Number.NaN,
    busiestServerThreadDemand: server?.busiestThreadDemand ?? Number.NaN,
    otherLoad: Math.max(0, machine - ours),
    generatorLoopUtilisation: report.eventLoopUtilisation,
    limit: limitOf(report, server?.busiestThreadDemand ?? Number.NaN),
  };
}

const NO_SAMPLE: CpuSample = { atMs: 0, seconds: Number.NaN, threads: new Map() };

function sampleAll(generator: LoadGenerator, running: RunningContender) {
  const all = [...running.processes, { role: 'generator' as const, child: generator.child }];
  const processes = all.map(({ role, child }) => ({ role, sample: sampleCpu(child.pid) }));
  return { processes, machineSeconds: machineBusySeconds() };
}

function rates(report: LoadReport) {
  const seconds = report.elapsedMs / 1000;
  return {
    deliveries: report.deliveries,
    deliveriesPerSecond: report.deliveries / seconds,
    megabytesPerSecond: report.payloadBytes / 1e6 / seconds,
    bytesPerDelivery: report.payloadBytes / report.deliveries,
  };
}

function limitOf(report: LoadReport, demand: number): Limit {
  if (report.eventLoopUtilisation > GENERATOR_BOUND_UTILISATION) return 'generator';
  return demand > THREAD_BOUND_SHARE ? 'server' : 'neither';
}

/** Waits until all that is owed has arrived, or nothing more comes. */
async function drain(generator: LoadGenerator, owedTotal: number): Promise<LoadReport> {
  let report = await generator.measure();
  let lastChange = performance.now();
  while (report.totalDeliveries < owedTotal && performance.now() - lastChange < DRAIN_PATIENCE_MS) {
    await sleep(DRAIN_POLL_MS);
    const next = await generator.measure();
    if (next.totalDeliveries > report.totalDeliveries) lastChange = performance.now();
    report = next;
  }
  return report;
}
