/** The table of metrics and the exposition that is made of it. */
import { expect, it } from 'vitest';
import type { MainStats } from '../../../src/observe/main-stats.js';
import { METRICS } from '../../../src/observe/metrics/table.js';
import { Metrics } from '../../../src/observe/metrics.js';
import type { WorkerStats } from '../../../src/threads/worker-stats.js';

const UPSTREAM = { name: 'primary', isLive: true, silentMs: 1500 };

const MAIN: MainStats = {
  messages: 10,
  bytes: 20,
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
};

const WORKER: WorkerStats = {
  open: 3,
  pending: 2,
  pendingRefused: 1,
  opened: 5,
  closed: 2,
  received: 1,
  receivedBytes: 1,
  refused: [[401, 2]],
  limited: [['user', 1]],
  tokensRefused: [['audience', 1]],
  messagesRefused: 0,
  closes: [[4008, 1]],
  pings: 1,
  sent: [{ key: 'quotes|json|realtime', messages: 4, bytes: 400 }],
  control: { messages: 1, bytes: 1 },
  views: 1,
  buffered: 0,
  dropped: 0,
  stalls: 0,
  circuits: { open: 1, halfOpen: 0 },
  resumes: 0,
  conflated: 0,
  conflationSteps: { overHighWater: 1, late: 0, suspended: 0, restores: 0 },
  clientsLagging: 0,
  ages: { institutional: { buckets: [], sumMicros: 0 }, retail: { buckets: [], sumMicros: 0 } },
  waitingBytes: { all: 10, most: 10 },
  turns: 1,
  overruns: 0,
  latencyBuckets: [0, 1, 2],
  latencySumMicros: 9,
  loopDelayMs: 40,
  frameAgeMs: 5,
  commandsShed: 0,
  publishedOverRate: 0,
  closedForTotal: [['retail', 1]],
  work: { units: 1, refused: 0, overflow: 0 },
  requestsWaiting: 0,
  missed: { bytes: 0, shared: 0 },
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

it('R60 every metric of the table is exposed, with its help, its type and the labels that it declares', async () => {
  const text = await metricsOf(MAIN, [WORKER]).scrape();
  const samples = [...samplesIn(text).keys()];
  for (const { name, type, help, labels = {} } of METRICS) {
    expect(text).toContain(`\n# HELP ${name} ${help.replaceAll('`', '')}\n# TYPE ${name} ${type}\n`);
    const own = samples.filter(sample => sample.replace(/\{.*|_(bucket|sum|count)(\{.*)?$/, '') === name);
    if (name === 'millrace_process_open_fds' && own.length === 0) continue;
    expect(own.length, name).toBeGreaterThan(0);
    for (const sample of own) {
      const found = [...sample.matchAll(/[{,](\w+)="/g)].map(([, label]) => label).filter(label => label !== 'le');
      expect(found, name).toEqual(Object.keys(labels));
    }
  }
});

it('R60 the gateway threads are merged: sums, the worst where one counts, buckets that hold those below', async () => {
  const text = await metricsOf(MAIN, [WORKER, { ...WORKER, open: 4, loopDelayMs: 10, latencyBuckets: [1] }]).scrape();
  const samples = samplesIn(text);
  expect(samples.get('millrace_connections_open')).toBe(7);
  expect(samples.get('millrace_loop_delay_seconds')).toBe(0.04);
  expect(samples.get('millrace_buffered_bytes_max')).toBe(10);
  expect(samples.get('millrace_connections_refused_total{status="401"}')).toBe(4);
  expect(samples.get('millrace_sent_bytes_total{stream="quotes",format="json",class="realtime"}')).toBe(800);
  expect(samples.get('millrace_hub_to_publish_seconds_bucket{le="0.000002"}')).toBe(2);
  expect(samples.get('millrace_hub_to_publish_seconds_bucket{le="+Inf"}')).toBe(4);
  expect(samples.get('millrace_hub_to_publish_seconds_count')).toBe(4);
  expect(samples.get('millrace_encoder_busy_seconds_total')).toBe(2.5);
  expect(samples.get('millrace_descriptors_short')).toBe(1);
});

it('R60 a second scrape says what is true then, and adds nothing to the first', async () => {
  let main = MAIN;
  const metrics = new Metrics({ main: () => main, workers: async () => [] });
  await metrics.scrape();
  main = { ...MAIN, messages: 11, feedSilentMs: undefined, rejected: new Map() };
  const samples = samplesIn(await metrics.scrape());
  expect(samples.get('millrace_feed_messages_total')).toBe(11);
  expect(samples.has('millrace_feed_silence_seconds')).toBe(false);
  expect([...samples.keys()].filter(sample => sample.startsWith('millrace_feed_rejected_total'))).toEqual([]);
});

it('R60 names say what Prometheus expects: once each, counters with _total, gauges without', () => {
  const names = METRICS.map(({ name }) => name);
  expect(names.length).toBeGreaterThan(60);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, type, help } of METRICS) {
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    expect(help, name).toMatch(/^[A-Z0-9].*[^.]$/);
  }
});
