/**
 * Every Prometheus metric of Millrace, by name. The threads count in plain numbers; a scrape reads them and merges, so
 * counting costs the hot path an addition.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { WorkerStats } from '../threads/thread-messages.js';
import { openDescriptors } from './descriptors.js';
import { type LatencyBuckets, latencyMetric } from './latency-metric.js';
import type { FeedSources, MainStats, RevocationStats } from './main-stats.js';

export interface StatsSource {
  main(): MainStats;
  workers(): Promise<readonly WorkerStats[]>;
}

const OPEN_DESCRIPTORS = 'millrace_process_open_fds';

type LabelValues = Record<string, string>;

export class Metrics {
  readonly #registry = new Registry();
  readonly #source: StatsSource;
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  #latency: LatencyBuckets = { buckets: [], sumMicros: 0 };

  constructor(source: StatsSource) {
    this.#source = source;
    collectDefaultMetrics({ register: this.#registry, prefix: 'millrace_' });
    // It lists one file name for each socket while the hub waits.
    this.#registry.removeSingleMetric(OPEN_DESCRIPTORS);
    this.#registry.registerMetric(latencyMetric(() => this.#latency));
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The exposition text, with the threads' numbers of now. */
  async scrape(): Promise<string> {
    const workers = await this.#source.workers();
    const descriptors = await openDescriptors();
    if (descriptors !== undefined) this.#set(OPEN_DESCRIPTORS, 'Number of open file descriptors.', descriptors);
    this.#setMain(this.#source.main());
    this.#setWorkers(workers);
    return this.#registry.metrics();
  }

  #setMain(main: MainStats): void {
    this.#count('millrace_feed_messages_total', 'Messages taken from the feed', main.messages);
    this.#count('millrace_feed_bytes_total', 'Payload bytes taken from the feed', main.bytes);
    this.#count('millrace_feed_ignored_total', 'Messages on subjects that are not market data', main.ignored);
    this.#count('millrace_feed_duplicates_total', 'Messages whose sequence was not new', main.duplicates);
    this.#count('millrace_feed_gaps_total', "Holes in publishers' own sequences", main.gaps);
    this.#count('millrace_encoder_batches_total', 'Batches encoded', main.batches);
    this.#count('millrace_encoder_batch_records_total', 'Records in those batches', main.batchRecords);
    this.#count('millrace_encoder_batch_bytes_total', 'Bytes of those batches', main.batchBytes);
    this.#count('millrace_encoder_frames_total', 'Frames encoded', main.frames);
    this.#count('millrace_encoder_frame_bytes_total', 'Bytes of the frames encoded', main.frameBytes);
    this.#count('millrace_encoder_busy_seconds_total', 'Time spent encoding', main.encodeMicros / 1e6);
    this.#count('millrace_encoder_without_base_total', 'Partial messages that no whole one precedes', main.withoutBase);
    this.#count('millrace_encoder_restarts_total', 'Encoder threads replaced', main.encoderRestarts);
    this.#count(
      'millrace_queue_events_dropped_total',
      'Events lost to a full queue, announced as gaps',
      main.eventsDropped,
    );
    this.#count('millrace_queue_states_skipped_total', 'State messages skipped for newer ones', main.statesSkipped);
    this.#count('millrace_worker_restarts_total', 'Gateway workers replaced', main.workerRestarts);
    this.#count('millrace_log_lines_lost_total', 'Log lines that found no reader or no room', main.logLinesLost);
    this.#set('millrace_descriptors_short', '1 while nobody is let in for want of them', main.descriptorsShort ? 1 : 0);
    this.#setRevocations(main.revocations);
    const hung = { worker: main.workersHung, encoder: main.encodersHung };
    for (const [thread, count] of Object.entries(hung)) {
      this.#count('millrace_threads_hung_total', 'Threads ended for making no progress', count, { thread });
    }
    const stuck = { worker: main.workersStuck, encoder: main.encodersStuck };
    for (const [thread, n] of Object.entries(stuck)) {
      this.#set('millrace_threads_stuck', 'Threads that hang where they cannot be ended', n, { thread });
    }
    for (const [outcome, count] of Object.entries(main.longWork)) {
      this.#count('millrace_long_work_total', 'Work for one connection that took too long', count, { outcome });
    }
    const crashLoops = { worker: main.workerCrashLoops, encoder: main.encoderCrashLoops };
    for (const [thread, n] of Object.entries(crashLoops)) {
      this.#set('millrace_crash_loops', 'Threads that keep dying', n, { thread });
    }
    const replays = { recovered: main.replaysRecovered, unrecovered: main.replaysUnrecovered };
    for (const [outcome, count] of Object.entries(replays)) {
      this.#count('millrace_replays_total', 'Replays of what clients missed of a topic', count, { outcome });
    }
    for (const [reason, count] of main.rejected) {
      this.#count('millrace_feed_rejected_total', 'Invalid messages, put on deadletter', count, { reason });
    }
    for (const [reason, n] of main.held) {
      this.#set('millrace_topics_stale', 'State subjects held back: they wait for a whole message', n, { reason });
    }
    for (const [reason, n] of main.holdsTotal) {
      this.#count('millrace_topics_stale_total', 'Times that a state subject was held back', n, { reason });
    }
    this.#set('millrace_sources', 'Subjects followed', main.sources);
    this.#count('millrace_sources_refused_total', 'Topics refused to clients', main.sourcesRefused);
    const sharesRefused = main.topicSharesRefused;
    this.#count('millrace_topic_shares_refused_total', "Of those, beyond one user's share", sharesRefused);
    this.#set('millrace_queue_bytes', 'Bytes that wait for an encoder', main.queuedBytes);
    this.#set('millrace_workers_listening', 'Gateway workers that accept connections', main.workersListening);
    this.#set('millrace_load_level', '0 normal, 1 to 3 retail stretched, 4 retail refused', main.loadLevel);
    for (const [direction, n] of Object.entries(main.loadChanges)) {
      this.#count('millrace_load_changes_total', 'Changes of the load level', n, { direction });
    }
    this.#set('millrace_feed_live', '1 while the feed delivers, 0 while it has lost its source', main.feedLive ? 1 : 0);
    this.#count(
      'millrace_feed_headers_ignored_total',
      'Headers Ts-Event, Seq or Epoch that could not be used',
      main.feedHeadersIgnored,
    );
    this.#set('millrace_feed_behind_messages', 'Messages of the stream that are not read yet', main.feedBehind);
    if (main.feedSilentMs !== undefined) {
      this.#set('millrace_feed_silence_seconds', 'Since the last message', main.feedSilentMs / 1000);
    }
    if (main.feedSources !== undefined) this.#setSources(main.feedSources);
  }

  #setRevocations({ size, refused, corrupt, stores }: RevocationStats): void {
    this.#set('millrace_revocations', 'Revocations kept', size);
    this.#count('millrace_revocations_refused_total', 'Revocations for which there was no room', refused);
    this.#count('millrace_revocations_corrupt_total', 'Entries of stores that cannot be read', corrupt);
    for (const { name: store, state, unwritten } of stores) {
      this.#set('millrace_revocations_readable', '1 while the store is read', state === 'read' ? 1 : 0, { store });
      this.#set('millrace_revocations_unwritten', 'Revocations that the store lacks', unwritten, { store });
    }
  }

  #setSources({ active, failovers, duplicates, sources }: FeedSources): void {
    this.#count('millrace_feed_failovers_total', 'Times that the backup was switched to', failovers);
    this.#count('millrace_feed_source_duplicates_total', 'Second copies of numbered messages', duplicates);
    for (const { name, isLive, silentMs } of sources) {
      const labels = { source: name };
      this.#set('millrace_feed_source_active', '1 for the source that is read', name === active ? 1 : 0, labels);
      this.#set('millrace_feed_source_live', '1 while the source is connected', isLive ? 1 : 0, labels);
      if (silentMs === undefined) continue;
      this.#set('millrace_feed_source_silence_seconds', 'Since its last message', silentMs / 1000, labels);
    }
  }

  #setWorkers(workers: readonly WorkerStats[]): void {
    const sum = (pick: (w: WorkerStats) => number) => workers.reduce((total, w) => total + pick(w), 0);
    const open = sum(w => w.open);
    this.#set('millrace_connections_open', 'Connections open now', open);
    this.#set(
      'millrace_connections_pending',
      'Connections without a request',
      sum(w => w.pending),
    );
    this.#count(
      'millrace_connections_pending_refused_total',
      'Connections closed because too many had no request',
      sum(w => w.pendingRefused),
    );
    this.#count(
      'millrace_connections_total',
      'Connections opened',
      sum(w => w.opened),
    );
    this.#count(
      'millrace_client_messages_total',
      'Messages received from clients',
      sum(w => w.received),
    );
    this.#count(
      'millrace_client_bytes_total',
      'Bytes received from clients',
      sum(w => w.receivedBytes),
    );
    this.#count(
      'millrace_control_messages_total',
      'Answers, warnings, errors and gaps sent',
      sum(w => w.control.messages),
    );
    this.#count(
      'millrace_control_bytes_total',
      'Bytes of those',
      sum(w => w.control.bytes),
    );
    this.#set(
      'millrace_lanes',
      'Lanes (topic, class, format) that somebody is subscribed to',
      sum(w => w.lanes),
    );
    this.#set(
      'millrace_sockets_buffered',
      'Sockets with bytes waiting in user space',
      sum(w => w.buffered),
    );
    this.#count(
      'millrace_backpressure_drops_total',
      'Times uWS reported a drop',
      sum(w => w.dropped),
    );
    this.#count(
      'millrace_stalls_total',
      'Sockets suspended for not keeping up',
      sum(w => w.stalls),
    );
    const most = (pick: (w: WorkerStats) => number) => Math.max(0, ...workers.map(pick)) / 1000;
    this.#set(
      'millrace_loop_delay_seconds',
      'Event-loop delay of the latest worker',
      most(w => w.loopDelayMs),
    );
    this.#set(
      'millrace_frame_age_seconds',
      'Age of the youngest realtime frame',
      most(w => w.frameAgeMs),
    );
    const shed = sum(w => w.commandsShed);
    this.#count('millrace_commands_shed_total', 'Retail subscribes refused under overload', shed);
    const overRate = sum(w => w.publishedOverRate);
    this.#count('millrace_publish_rate_refused_total', 'Room messages beyond ROOM_BYTES_RATE', overRate);
    this.#setPaces(workers, sum);
    const waiting = sum(w => w.requestsWaiting);
    this.#set('millrace_requests_waiting', 'Requests for snapshots and replays that wait for their turn', waiting);
    const { shared, bytes } = { shared: sum(w => w.missed.shared), bytes: sum(w => w.missed.bytes) };
    this.#count('millrace_replays_shared_total', 'Resumed topics that shared the replay of another client', shared);
    this.#set('millrace_replay_bytes', 'Missed messages that wait to be sent, or are kept for others', bytes);
    const circuits = { open: sum(w => w.circuits.open), half_open: sum(w => w.circuits.halfOpen) };
    for (const [state, n] of Object.entries(circuits)) {
      this.#set('millrace_circuits', 'Clients that do not, or did not, keep up', n, { state });
    }
    this.#count(
      'millrace_resumes_total',
      'Sockets resumed after they drained',
      sum(w => w.resumes),
    );
    this.#count(
      'millrace_worker_turns_total',
      'Turns in which frames were published',
      sum(w => w.turns),
    );
    this.#count(
      'millrace_worker_overruns_total',
      'Times a worker was overrun by an encoder',
      sum(w => w.overruns),
    );
    this.#count(
      'millrace_messages_refused_total',
      'Client messages over the rate or the budget of work',
      sum(w => w.messagesRefused),
    );
    this.#count(
      'millrace_work_units_total',
      'Work charged to clients, in units of about 1 µs of CPU',
      sum(w => w.work.units),
    );
    this.#count(
      'millrace_work_refused_total',
      'Upgrades, messages and commands refused because a budget of work was used up',
      sum(w => w.work.refused),
    );
    this.#count(
      'millrace_pings_total',
      'Pings sent',
      sum(w => w.pings),
    );
    this.#setRefused(workers);
    this.#setSent(workers);
    const buckets = workers.map(w => w.latencyBuckets);
    const width = Math.max(0, ...buckets.map(b => b.length));
    this.#latency = {
      buckets: Array.from({ length: width }, (_, i) => buckets.reduce((total, b) => total + (b[i] ?? 0), 0)),
      sumMicros: sum(w => w.latencySumMicros),
    };
  }

  #setPaces(workers: readonly WorkerStats[], sum: (pick: (w: WorkerStats) => number) => number): void {
    const conflated = sum(w => w.conflated);
    this.#set('millrace_clients_conflated', 'Clients sent state topics slower than they asked for', conflated);
    const causes = { high_water: sum(w => w.paces.overHighWater), suspended: sum(w => w.paces.suspended) };
    for (const [cause, n] of Object.entries(causes)) {
      this.#count('millrace_conflations_total', 'Steps of a client to a slower class', n, { cause });
    }
    const restores = sum(w => w.paces.restores);
    this.#count('millrace_conflation_restores_total', 'Steps of a client back to a faster class', restores);
    const waiting = { all: sum(w => w.waitingBytes.all), most: Math.max(0, ...workers.map(w => w.waitingBytes.most)) };
    this.#set('millrace_buffered_bytes', 'Bytes that wait for sockets in user space', waiting.all);
    this.#set('millrace_buffered_bytes_max', 'Of those, bytes that wait for the one with most', waiting.most);
  }

  #setRefused(workers: readonly WorkerStats[]): void {
    const totals = (pick: (w: WorkerStats) => readonly (readonly [label: string | number, count: number])[]) => {
      const byLabel = new Map<string, number>();
      for (const [label, n] of workers.flatMap(pick)) byLabel.set(String(label), (byLabel.get(String(label)) ?? 0) + n);
      return byLabel;
    };
    for (const [status, n] of totals(w => w.refused)) {
      this.#count('millrace_connections_refused_total', 'Upgrades refused', n, { status });
    }
    for (const [limit, n] of totals(w => w.limited)) {
      this.#count('millrace_connections_limited_total', 'Upgrades refused for a limit', n, { limit });
    }
    for (const [rank, n] of totals(w => w.closedForTotal)) {
      this.#count('millrace_buffered_closes_total', 'Connections closed for WS_MAX_BUFFERED_TOTAL', n, { rank });
    }
    for (const [code, n] of totals(w => w.closes)) {
      this.#count('millrace_closes_total', 'Connections that the gateway closed', n, { code });
    }
  }

  #setSent(workers: readonly WorkerStats[]): void {
    const cells = new Map<string, { messages: number; bytes: number }>();
    for (const { key, messages, bytes } of workers.flatMap(w => w.sent)) {
      const cell = cells.get(key) ?? { messages: 0, bytes: 0 };
      cells.set(key, { messages: cell.messages + messages, bytes: cell.bytes + bytes });
    }
    for (const [key, { messages, bytes }] of cells) {
      const [stream = '', format = '', rateClass = ''] = key.split('|');
      const labels = { stream, format, class: rateClass };
      this.#count('millrace_sent_messages_total', 'Messages handed to sockets', messages, labels);
      this.#count('millrace_sent_bytes_total', 'Bytes of those', bytes, labels);
    }
  }

  #count(name: string, help: string, value: number, labels: LabelValues = {}): void {
    let counter = this.#counters.get(name);
    if (counter === undefined) {
      counter = new Counter({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] });
      this.#counters.set(name, counter);
    }
    // The threads hold the running totals; prom-client only knows how to add.
    counter.remove(labels);
    counter.inc(labels, value);
  }

  #set(name: string, help: string, value: number, labels: LabelValues = {}): void {
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      gauge = new Gauge({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] });
      this.#gauges.set(name, gauge);
    }
    gauge.set(labels, value);
  }
}
