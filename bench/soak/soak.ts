/** Hours in short: steady load, clients that come and go, things that break, and a look every second whether anything grows. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ownFreePort } from '../../src/cli/free-port.js';
import { Children } from '../harness/children.js';
import { startGateway } from '../harness/gateway.js';
import { valueIn } from '../harness/metrics.js';
import type { ChurnTotals } from './churner.js';
import { faultsOf, MortalNats } from './faults.js';
import type { Mark } from './plot.js';
import { type FigureResult, judge, type Sample, sampleOf } from './samples.js';
import { SteadyLoad } from './steady-load.js';

interface SoakOptions {
  readonly minutes: number;
  /** Connects and disconnects in a second. */
  readonly churnPerSecond: number;
  readonly updatesPerSecond: number;
  readonly clients: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface SoakResult {
  readonly minutes: number;
  readonly warmUpS: number;
  readonly samples: readonly Sample[];
  readonly faults: readonly Mark[];
  readonly figures: readonly FigureResult[];
  readonly churn: ChurnTotals;
  readonly received: number;
  readonly gaps: number;
  readonly reconnects: number;
  /** Why the run failed; empty when it did not. */
  readonly problems: readonly string[];
}

const SYMBOLS = Array.from({ length: 20 }, (_, i) => `SOAK-${i}`);
/** Of the run: code is compiled, caches and pools fill. Not less than this many seconds, not more. */
const WARM_UP = { share: 0.25, minS: 10, maxS: 300 };
/** Samples of one run, at most; one a second where it is short. */
const SAMPLES_MAX = 3_600;
const SAY_EVERY_S = 5;
/** Faults come this often, but at least `FAULTS_MIN` times in a run. */
const FAULT_EVERY_S = 60;
const FAULTS_MIN = 5;
const SETTLE_TIMEOUT_MS = 30_000;
const METRICS_TIMEOUT_MS = 10_000;
const WORKER_DEATH = new URL('../../test/support/worker-death.mjs', import.meta.url).href;

const NO_CHURN: ChurnTotals = { asked: 0, accepted: 0, refused: 0, failed: 0, skipped: 0 };

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const children = new Children(options.signal);
  const nats = new MortalNats(await ownFreePort('127.0.0.1'));
  let load: SteadyLoad | undefined;
  try {
    await nats.start();
    const natsUrl = `nats://127.0.0.1:${nats.port}`;
    const gateway = await startGateway(children, {
      NATS_URL: natsUrl,
      WORKERS: '2',
      ENCODERS: '1',
      SYMBOLS: 'SOAK-*',
      LOG_LEVEL: 'error',
      NODE_OPTIONS: `--import ${WORKER_DEATH}`,
    });
    const { perSecond, clients } = { perSecond: options.updatesPerSecond, clients: options.clients };
    load = await SteadyLoad.start({ gatewayPort: gateway.port, natsUrl, symbols: SYMBOLS, perSecond, clients });
    const churner = children.fork('churner', new URL('./churner.ts', import.meta.url));
    let churn = NO_CHURN;
    churner.process.on('message', (totals: ChurnTotals) => {
      churn = totals;
    });
    const paths = [
      '/ws',
      `/ws/trades?symbols=${SYMBOLS[0]}`,
      `/ws/markets/${SYMBOLS[1]}`,
      '/ws/trades?format=msgpack',
      '/ws/quotes',
    ];
    churner.process.send({ port: gateway.port, perSecond: options.churnPerSecond, paths });
    const faults = faultsOf(nats, gateway.child.pid, gateway.port);
    const adminUrl = `http://127.0.0.1:${gateway.adminPort}`;
    const course = await gateway.child.during(follow(options, adminUrl, load, () => churn, faults));
    await churner.end();
    const problems = await settled(adminUrl, load, options.clients);
    return conclude(options, course, load, churn, problems);
  } finally {
    await load?.end();
    await children.endAll();
    await nats.kill();
  }
}

interface Course {
  readonly samples: Sample[];
  readonly marks: Mark[];
}

async function follow(
  { minutes, signal, say }: SoakOptions,
  adminUrl: string,
  load: SteadyLoad,
  churn: () => ChurnTotals,
  faults: ReturnType<typeof faultsOf>,
): Promise<Course> {
  const samples: Sample[] = [];
  const marks: Mark[] = [];
  const endS = minutes * 60;
  const stepS = Math.max(1, endS / SAMPLES_MAX);
  const faultEveryS = Math.min(FAULT_EVERY_S, endS / (FAULTS_MIN + 1));
  const startMs = performance.now();
  const nowS = () => (performance.now() - startMs) / 1000;
  let striking: Promise<void> = Promise.resolve();
  let nextFaultS = faultEveryS;
  let nextSayS = 0;
  for (let due = stepS; nowS() < endS; due += stepS) {
    signal.throwIfAborted();
    await sleep(Math.max(0, (due - nowS()) * 1000), undefined, { signal });
    const metrics = await metricsOf(adminUrl);
    const sample = sampleOf(nowS(), metrics, load.takeLatencies());
    samples.push(sample);
    if (sample.atS >= nextFaultS) {
      const fault = faults[marks.length % faults.length] as (typeof faults)[number];
      marks.push({ atS: sample.atS, what: fault.name });
      say(`${sample.atS.toFixed(0)} s: ${fault.name}`);
      // One after another; a failure to strike ends the run.
      striking = striking.then(() => fault.strike());
      striking.catch(() => undefined);
      nextFaultS += faultEveryS;
    }
    if (sample.atS < nextSayS) continue;
    nextSayS += SAY_EVERY_S;
    const { accepted, refused, failed } = churn();
    say(
      `${sample.atS.toFixed(0)} of ${endS.toFixed(0)} s: ${accepted} came and went (${refused} refused, ${failed} failed), ${load.open} stay, ` +
        `${load.received} messages, p99 ${sample.p99.toFixed(1)} ms, ${sample.rss.toFixed(0)} MiB, ${sample.fds} descriptors`,
    );
  }
  await striking;
  return { samples, marks };
}

/** The text of `/metrics`; '' where it does not come: that sample is without values. */
async function metricsOf(adminUrl: string): Promise<string> {
  try {
    const answer = await fetch(`${adminUrl}/metrics`, { signal: AbortSignal.timeout(METRICS_TIMEOUT_MS) });
    return await answer.text();
  } catch {
    // A gateway that has ended is reported with its last words by whoever watches the process.
    return '';
  }
}

/** After the churn everything is as at the beginning: only the steady clients are there, and they are served. */
async function settled(adminUrl: string, load: SteadyLoad, clients: number): Promise<string[]> {
  const deadlineMs = performance.now() + SETTLE_TIMEOUT_MS;
  let open = Number.NaN;
  let views = Number.NaN;
  const received = load.received;
  while (performance.now() < deadlineMs) {
    const text = await metricsOf(adminUrl);
    open = valueIn(text, 'millrace_connections_open') ?? Number.NaN;
    views = valueIn(text, 'millrace_views') ?? Number.NaN;
    // Each of the two workers has a lane of each symbol at most.
    if (open === clients && views <= 2 * SYMBOLS.length && load.received > received) return [];
    await sleep(200);
  }
  return [
    `after the churn ${open} connections and ${views} views are left; ${clients} clients stay, ${load.received - received} messages came`,
  ];
}

function conclude(
  options: SoakOptions,
  { samples, marks }: Course,
  load: SteadyLoad,
  churn: ChurnTotals,
  problems: string[],
): SoakResult {
  const endS = options.minutes * 60;
  const warmUpS = Math.min(WARM_UP.maxS, Math.max(WARM_UP.minS, WARM_UP.share * endS));
  const figures = judge(samples, warmUpS);
  for (const { name, trend, isGrowing } of figures) {
    if (!isGrowing) continue;
    problems.push(
      `${name} grows: by ${trend.growth.toFixed(1)} from a mean of ${trend.mean.toFixed(1)}, surely by ${trend.growthAtLeast.toFixed(1)}`,
    );
  }
  problems.push(...load.violations.map(violation => `a chain is broken: ${violation}`));
  return {
    minutes: options.minutes,
    warmUpS,
    samples,
    faults: marks,
    figures,
    churn,
    received: load.received,
    gaps: load.gaps,
    reconnects: load.reconnects,
    problems,
  };
}
