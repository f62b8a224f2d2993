/** The table of metrics and the exposition that is made of it. */
import { expect, it } from 'vitest';
import { LIMITS, type LimitName, type MainStats } from '../../../src/observe/main-stats.js';
import { Metrics } from '../../../src/observe/metrics/exposition.js';
import { METRICS } from '../../../src/observe/metrics/table.js';
import { SOURCE_KINDS } from '../../../src/protocol/topics.js';
import { CLASSES, type RateClass } from '../../../src/protocol/view-options.js';
import { Latencies, type LatencyCounts } from '../../../src/threads/latencies.js';
import type { WorkerStats } from '../../../src/threads/worker-stats.js';

const UPSTREAM = { name: 'primary', isLive: true, silentMs: 1500 };
const HEAP = { heapUsedBytes: 10, heapLimitBytes: 100 };

const MAIN: MainStats = {
  build: { node: 'gateway-1', version: '1.2.3', nodejs: '22.0.0', uws: 'uWebSockets.js' },
  obstacles: [
    ['draining', true],
    ['feed', false],
  ],
  limits: Object.fromEntries(LIMITS.map(name => [name, 100])) as Record<LimitName, number>,
  certificateExpirySeconds: 1_900_000_000,
  clock: { offsetSeconds: -0.001, errorSeconds: 0.002 },
  isClockAlarming: true,
  journal: {
    folder: '/journal',
    isTakeover: false,
    state: 'writing',
    failure: undefined,
    maintenanceFailure: undefined,
    isRefusing: false,
    records: 10,
    bytes: 1000,
    blocks: 5,
    sealed: 1,
    segments: 2,
    segmentBytes: 900,
    faults: 0,
    dropped: 3,
    lagSeconds: 0.2,
    fsyncs: 4,
    fsyncSeconds: 0.01,
    subjects: 2,
    keyless: 0,
    restarts: 0,
    checkpoint: { ageSeconds: 12, kept: 3, failed: 1, waiting: 0, lost: 0 },
  },
  threads: [
    { name: 'main', loopDelayMs: 5, busyMs: 1000, ...HEAP, isSilent: undefined },
    { name: 'gateway-0', loopDelayMs: 40, busyMs: 2000, ...HEAP, isSilent: true },
    { name: 'encoder-0', loopDelayMs: undefined, busyMs: 3000, ...HEAP, isSilent: undefined },
  ],
  users: 2,
  kinds: SOURCE_KINDS.map(kind => ({ kind, messages: 2, bytes: 4, lastSeconds: 0 })),
  messages: 12,
  bytes: 24,
  ignored: 0,
  subjectsRefused: 0,
  topicSharesRefused: 0,
  topicsUnavailable: 0,
  duplicates: 0,
  gaps: 0,
  batches: 1,
  batchRecords: 2,
  batchBytes: 3,
  frames: 4,
  frameBytes: 5,
  encodeMicros: 2_500_000,
  withoutBase: 0,
  rejected: new Map([['invalid_json', 3]]),
  held: new Map([['refused', 1]]),
  holdsTotal: new Map([['refused', 2]]),
  subjects: 7,
  queuedBytes: 0,
  eventsDropped: 0,
  statesSkipped: 0,
  encoderRestarts: 0,
  workerRestarts: 0,
  workersListening: 2,
  descriptorsShort: true,
  revocations: { size: 1, refused: 0, corrupt: 0, stores: [{ name: 'file', state: 'read', unwritten: 0 }] },
  keySet: { state: 'current', ageMs: 1000, fetches: 2, failures: { unreachable: 1 } },
  surveillance: {
    state: 'watching',
    detail: '',
    counters: { events: 10, unreadable: 1, dropped: 2, unpublished: 0, lagMs: 3, alerts: { layering: 1 } },
    dropped: 1,
    restarts: 0,
    alerts: [],
  },
  tracing: undefined,
  logLinesLost: 0,
  workersHung: 1,
  workersStuck: 0,
  encodersStuck: 0,
  longWork: { ended: 1, stopped: 2 },
  encodersHung: 0,
  workerCrashLoops: 0,
  encoderCrashLoops: 0,
  feedLive: true,
  feedSilentMs: 250,
  feedHealth: {
    behind: 0,
    reconnects: 3,
    consumerRecreations: 1,
    headersIgnored: 0,
    errors: new Map([['publish_refused', 2]]),
    roundTripMs: 4,
    queuedBytes: 100,
  },
  feedUpstreams: { active: 'primary', failovers: 1, duplicates: 2, upstreams: [UPSTREAM] },
  loadLevel: 0,
  loadChanges: { up: 1, down: 1 },
  replaysRecovered: 1,
  replaysUnrecovered: 0,
  replaysCancelled: 1,
  delayed: { topics: 4, usedBytes: 1024, released: 9, dropped: 2 },
};

/** A gateway that has just started, with the fewest parts that it can have. */
const STARTED: MainStats = {
  ...MAIN,
  certificateExpirySeconds: undefined,
  clock: undefined,
  journal: undefined,
  feedSilentMs: undefined,
  feedHealth: undefined,
  feedUpstreams: undefined,
  keySet: undefined,
  rejected: new Map(),
  held: new Map(),
  holdsTotal: new Map(),
  revocations: { ...MAIN.revocations, stores: [] },
};

function latencies(...micros: number[]): LatencyCounts {
  const counted = new Latencies();
  for (const one of micros) counted.observe(one);
  return counted.counts;
}

function realtime(...micros: number[]): Record<RateClass, LatencyCounts> {
  const none = Object.fromEntries(CLASSES.map(name => [name, latencies()])) as Record<RateClass, LatencyCounts>;
  return { ...none, realtime: latencies(...micros) };
}

const WORKER: WorkerStats = {
  open: 3,
  openBy: [
    ['retail|json', 2],
    ['anonymous|msgpack', 1],
  ],
  idle: 1,
  pending: 2,
  subscriptions: [['quotes', 7]],
  pendingRefused: 1,
  opened: 5,
  closed: 2,
  received: 1,
  receivedBytes: 1,
  refused: [
    ['401|unauthorized', 2],
    ['429|rate_limited', 1],
  ],
  limited: [['user', 1]],
  tokensRefused: [['audience', 1]],
  messagesRefused: 0,
  closes: [
    [4008, 1],
    [1001, 5],
    [4501, 2],
  ],
  explained: 2,
  clientCloses: [
    ['1006', 4],
    ['other', 1],
  ],
  pings: 1,
  sent: [{ key: 'quotes|json|realtime', messages: 4, bytes: 400 }],
  control: { messages: 1, bytes: 1 },
  errorFrames: [['forbidden', 2]],
  gapFrames: [['overrun', 3]],
  staleFrames: [['refused', 1]],
  resyncs: 6,
  views: 1,
  buffered: 0,
  dropped: 0,
  stalls: 0,
  circuits: { open: 1, halfOpen: 0 },
  resumes: 0,
  conflated: 0,
  conflationSteps: { overHighWater: 1, late: 0, suspended: 0, restores: 0 },
  clientsLagging: 0,
  ages: { institutional: latencies(2_000_000), retail: latencies() },
  waitingBytes: { all: 10, most: 10 },
  turns: 1,
  overruns: 0,
  hubToPublish: realtime(40, 9_000, 10_000, 10_001),
  publisherToSend: realtime(90_000),
  implausibleTimes: 1,
  busyMs: 1,
  loopDelayMs: 40,
  frameAgeMs: 5,
  ...HEAP,
  commandsShed: 0,
  publishedOverRate: 0,
  closedForTotal: [['retail', 1]],
  work: { units: 1, refused: 0, overflow: 0 },
  requestsWaiting: 0,
  replayBytes: 0,
  replaysShared: 0,
};

const metricsOf = (main: MainStats, workers: readonly WorkerStats[]) =>
  new Metrics({ main: () => main, workers: async () => workers });

/** Samples by their text before the value. */
function samplesIn(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

/** The metric that a sample is of. */
const nameIn = (sample: string): string => sample.replace(/\{.*|_(bucket|sum|count)(\{.*)?$/, '');

it('R60 every metric of the table is exposed, with its help, its type and the labels that it declares', async () => {
  const text = await metricsOf(MAIN, [WORKER]).scrape();
  const samples = [...samplesIn(text).keys()];
  for (const { name, type, help, labels = {} } of METRICS) {
    expect(text).toContain(`\n# HELP ${name} ${help.replaceAll('`', '')}\n# TYPE ${name} ${type}\n`);
    const own = samples.filter(sample => nameIn(sample) === name);
    if (name === 'process_open_fds' && own.length === 0) continue;
    expect(own.length, name).toBeGreaterThan(0);
    for (const sample of own) {
      const found = [...sample.matchAll(/[{,](\w+)="/g)].map(([, label]) => label).filter(label => label !== 'le');
      expect(found, name).toEqual(Object.keys(labels));
    }
  }
});

it('R60 the gateway threads are merged: sums, the worst where one counts', async () => {
  const samples = samplesIn(await metricsOf(MAIN, [WORKER, { ...WORKER, frameAgeMs: 1 }]).scrape());
  expect(samples.get('millrace_connections_open{tier="retail",format="json"}')).toBe(4);
  expect(samples.get('millrace_connections_active')).toBe(4);
  expect(samples.get('millrace_connections_idle')).toBe(2);
  expect(samples.get('millrace_frame_age_seconds')).toBe(0.005);
  expect(samples.get('millrace_buffered_bytes_max')).toBe(10);
  expect(samples.get('millrace_connections_refused_total{status="401",code="unauthorized"}')).toBe(4);
  expect(samples.get('millrace_sent_bytes_total{stream="quotes",format="json",class="realtime"}')).toBe(800);
  expect(samples.get('millrace_subscriptions{stream="quotes"}')).toBe(14);
  expect(samples.get('millrace_gap_frames_total{reason="overrun"}')).toBe(6);
  expect(samples.get('millrace_encoder_busy_seconds_total')).toBe(2.5);
  expect(samples.get('millrace_descriptors_short')).toBe(1);
});

it('R60 connections that failed are counted by how: refused, unread, broken, or ended for a reason', async () => {
  const samples = samplesIn(await metricsOf(MAIN, [WORKER]).scrape());
  const failed = ['refused', 'unread', 'broken', 'ended'].map(how =>
    samples.get(`millrace_connections_failed_total{how="${how}"}`),
  );
  expect(failed).toEqual([3, 1, 4, 1]);
  expect(samples.get('millrace_closes_total{side="gateway",code="1001"}')).toBe(5);
  expect(samples.get('millrace_closes_total{side="client",code="other"}')).toBe(1);
});

it('R60 a histogram counts by value, so that what took 10 or 100 ms at most can be told', async () => {
  const samples = samplesIn(await metricsOf(MAIN, [WORKER, WORKER]).scrape());
  const upTo = (le: string) => samples.get(`millrace_hub_to_publish_seconds_bucket{class="realtime",le="${le}"}`);
  expect([upTo('0.00005'), upTo('0.005'), upTo('0.01'), upTo('0.016'), upTo('+Inf')]).toEqual([2, 2, 6, 8, 8]);
  expect(samples.get('millrace_hub_to_publish_seconds_count{class="realtime"}')).toBe(8);
  expect(samples.get('millrace_hub_to_publish_seconds_sum{class="realtime"}')).toBeCloseTo(2 * 0.029041);
  expect(samples.get('millrace_publisher_to_send_seconds_bucket{class="realtime",le="0.1"}')).toBe(2);
  expect(samples.get('millrace_client_age_seconds_bucket{tier="institutional",le="2.5"}')).toBe(2);
});

it('R60 the threads are told apart: their load, their heap, and which one is silent', async () => {
  const samples = samplesIn(await metricsOf(MAIN, [WORKER]).scrape());
  expect(samples.get('millrace_thread_loop_delay_seconds{thread="gateway-0"}')).toBe(0.04);
  expect(samples.has('millrace_thread_loop_delay_seconds{thread="encoder-0"}')).toBe(false);
  expect(samples.get('millrace_thread_busy_seconds_total{thread="encoder-0"}')).toBe(3);
  expect(samples.get('millrace_thread_heap_used_bytes{thread="main"}')).toBe(10);
  expect(samples.get('millrace_thread_silent{thread="gateway-0"}')).toBe(1);
});

it('R60 every series exists from the start with 0, before a thread has reported anything', async () => {
  const samples = samplesIn(await metricsOf(STARTED, []).scrape());
  for (const metric of METRICS) {
    if (metric.absent !== undefined) continue;
    const own = [...samples.keys()].filter(key => nameIn(key) === metric.name);
    expect(own.length, metric.name).toBeGreaterThan(0);
    const lists = Object.values(metric.labels ?? {}).filter(values => typeof values !== 'string');
    if (metric.combined !== undefined || metric.type === 'histogram' || lists.length === 0) continue;
    const combinations = lists.reduce((product, values) => product * values.length, 1);
    expect(own.length, metric.name).toBe(combinations);
  }
  expect(samples.get('millrace_closes_total{side="gateway",code="4008"}')).toBe(0);
  expect(samples.get('millrace_closes_total{side="client",code="4008"}')).toBeUndefined();
  expect(samples.get('millrace_connections_refused_total{status="503",code="unavailable"}')).toBe(0);
  expect(samples.get('millrace_connections_refused_total{status="503",code="forbidden"}')).toBeUndefined();
  expect(samples.get('millrace_sent_messages_total{stream="trades",format="msgpack",class="event"}')).toBe(0);
  expect(samples.get('millrace_sent_messages_total{stream="trades",format="msgpack",class="100ms"}')).toBeUndefined();
  expect(samples.get('millrace_hub_to_publish_seconds_bucket{class="1000ms",le="+Inf"}')).toBe(0);
  expect(samples.get('millrace_key_set_state{state="missing"}')).toBe(0);
});

it('R60 labels are bounded: what is counted adds no series to those that exist from the start', async () => {
  const isList = (values: unknown) => typeof values !== 'string';
  const bounded = METRICS.filter(({ labels = {} }) => Object.values(labels).every(isList)).map(({ name }) => name);
  const series = async (workers: readonly WorkerStats[]) => {
    const keys = [...samplesIn(await metricsOf(MAIN, workers).scrape()).keys()];
    return keys.filter(key => bounded.some(name => name === nameIn(key)));
  };
  expect((await series([])).length).toBeGreaterThan(200);
  expect(await series([WORKER])).toEqual(await series([]));
});

it('R60 a second scrape says what is true then, and adds nothing to the first', async () => {
  let main = MAIN;
  const metrics = new Metrics({ main: () => main, workers: async () => [] });
  await metrics.scrape();
  main = { ...MAIN, subjects: 11, feedSilentMs: undefined, rejected: new Map() };
  const samples = samplesIn(await metrics.scrape());
  expect(samples.get('millrace_subjects')).toBe(11);
  expect(samples.has('millrace_feed_silence_seconds')).toBe(false);
  expect(samples.get('millrace_feed_rejected_total{reason="invalid_json"}')).toBe(0);
});

it('R60 what prom-client adds has the names that all programs share, and no sum that poses as a counter', async () => {
  const keys = [...samplesIn(await metricsOf(MAIN, []).scrape()).keys()];
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_seconds']) {
    expect(keys).toContain(name);
  }
  expect(keys.filter(key => /^nodejs_active_\w+_total/.test(key))).toEqual([]);
});

it('R60 names say what Prometheus expects: once each, counters with _total, gauges without', () => {
  const names = METRICS.map(({ name }) => name);
  expect(names.length).toBeGreaterThan(100);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, type, help } of METRICS) {
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    expect(help, name).toMatch(/^[A-Z0-9].*[^.]$/);
  }
});
