/** A crowd that is connected, left alone, and then served bursts: what it costs, and how late the last of it is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fanoutOf } from '../fanout/layout.js';
import { Children } from '../harness/children.js';
import { type CpuSample, cpuShare, sampleCpu } from '../harness/cpu.js';
import { kernelMemory, processMemory } from '../harness/memory.js';
import type { LatencyReport } from '../load/latency-histogram.js';
import { Crowd, type CrowdPlan, layoutOf } from './crowd.js';

export interface ScaleTimes {
  /** Bursts of one update of every symbol, so far apart. */
  readonly intervalSeconds: number;
  readonly bursts: number;
}

export interface ScaleRound {
  readonly round: number;
  readonly connections: number;
  readonly connectSeconds: number;
  /** Of the gateway whose clients waited longest. */
  readonly upgrade: LatencyReport;
  /** By gateway: resident memory without a client, and with all of them after the bursts. */
  readonly residentBefore: readonly number[];
  readonly residentAfter: readonly number[];
  /** Of that, what no other process shares: without the program's own pages. */
  readonly privateAfter: readonly number[];
  readonly userBytesPerConnection: number;
  /** Both ends of all connections, and whatever else moved the kernel's slabs. */
  readonly kernelBytesPerConnection: number;
  readonly socketBufferBytes: number;
  /** Of the gateway whose clients waited longest, from the intended time of a burst. */
  readonly latency: LatencyReport;
  /** Cores, by gateway. */
  readonly cpu: readonly number[];
  readonly deliveries: number;
  readonly missing: number;
  readonly lostConnections: number;
  readonly faults: readonly string[];
  readonly generatorLoopUtilisation: number;
}

const DRAIN_POLL_MS = 100;
const DRAIN_PATIENCE_MS = 5000;
const NO_SAMPLE: CpuSample = { atMs: 0, seconds: Number.NaN, threads: new Map() };

export async function runScaleRound(
  round: number,
  plan: CrowdPlan,
  times: ScaleTimes,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<ScaleRound> {
  const children = new Children(signal);
  try {
    const crowd = await Crowd.start(children, plan);
    const connections = plan.gateways * plan.clientsPerGateway;
    const resident = (): number[] => crowd.gateways.map(({ child }) => processMemory(child.pid).residentBytes);
    const [residentBefore, kernelBefore] = [resident(), kernelMemory()];
    progress(`round ${round}: connecting ${connections} clients`);
    const { elapsedMs, upgrades } = await crowd.connect();
    progress(`round ${round}: ${times.bursts} bursts of ${plan.symbols} symbols`);
    const { cpu, reports, missing, deliveries, lateness } = await bursts(crowd, plan, times);
    const residentAfter = resident();
    const privateAfter = crowd.gateways.map(({ child }) => processMemory(child.pid).privateBytes);
    const kernelAfter = kernelMemory();
    const grown = residentAfter.reduce((sum, bytes, at) => sum + bytes - (residentBefore[at] ?? 0), 0);
    const kernelGrown =
      kernelAfter.slabBytes + kernelAfter.socketBufferBytes - kernelBefore.slabBytes - kernelBefore.socketBufferBytes;
    return {
      round,
      connections,
      connectSeconds: elapsedMs / 1000,
      upgrade: worst(upgrades),
      residentBefore,
      residentAfter,
      privateAfter,
      userBytesPerConnection: grown / connections,
      kernelBytesPerConnection: kernelGrown / connections,
      socketBufferBytes: kernelAfter.socketBufferBytes,
      latency: lateness,
      cpu,
      deliveries,
      missing,
      lostConnections: reports.reduce((sum, report) => sum + report.lost, 0),
      faults: reports.flatMap(report => report.faults),
      generatorLoopUtilisation: Math.max(...reports.map(report => report.eventLoopUtilisation)),
    };
  } finally {
    await children.endAll();
  }
}

async function bursts(crowd: Crowd, plan: CrowdPlan, { intervalSeconds, bursts: count }: ScaleTimes) {
  await crowd.measure();
  const samples = (): CpuSample[] => crowd.gateways.map(({ child }) => sampleCpu(child.pid));
  const before = samples();
  const rate = { updatesPerSecond: plan.symbols / intervalSeconds, burst: plan.symbols };
  await crowd.publisher.ask({ type: 'run', rate }, 'running');
  // The first burst is due at once; half an interval after the last one it is over.
  await sleep((count - 0.5) * intervalSeconds * 1000);
  const { updates } = await crowd.publisher.ask({ type: 'stop' }, 'stopped');
  const after = samples();
  const perCycle = fanoutOf(layoutOf(plan)).reduce((sum, clients) => sum + clients, 0);
  const owed = (updates / plan.symbols) * perCycle;
  const { reports, deliveries, lateness } = await drained(crowd, owed);
  const cpu = after.map((sample, at) => cpuShare(before[at] ?? NO_SAMPLE, sample).process);
  return { cpu, reports, deliveries, missing: owed - deliveries, lateness };
}

/** Waits for what is owed. The latencies are those of the first report: all that came in time. */
async function drained(crowd: Crowd, owed: number) {
  let reports = await crowd.measure();
  const latencies = reports.flatMap(({ latency }) => (latency === undefined ? [] : [latency.total]));
  let deliveries = reports.reduce((sum, report) => sum + report.deliveries, 0);
  let lastChange = performance.now();
  while (deliveries < owed && performance.now() - lastChange < DRAIN_PATIENCE_MS) {
    await sleep(DRAIN_POLL_MS);
    reports = await crowd.measure();
    const more = reports.reduce((sum, report) => sum + report.deliveries, 0);
    if (more > 0) lastChange = performance.now();
    deliveries += more;
  }
  return { reports, deliveries, lateness: worst(latencies) };
}

/** The report with the longest p99. */
function worst(reports: readonly LatencyReport[]): LatencyReport {
  const [first, ...others] = reports;
  if (first === undefined) throw new Error('no generator measured a latency');
  return others.reduce((a, b) => (b.p99 > a.p99 ? b : a), first);
}
