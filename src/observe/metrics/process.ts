import { LIMITS, type MainStats, NOT_READY_REASONS, type ThreadNumbers } from '../main-stats.js';
import { by, flag, type MetricGroup, type Series } from './metric.js';

const THREAD_KINDS = ['worker', 'encoder'];
const THREAD = '`main`, `gateway-0` and so on, `encoder-0` and so on';
const STORE = '`bucket`, `backup_bucket`, `file`';

function byThread({ threads }: MainStats, value: (thread: ThreadNumbers) => number | undefined): Series[] {
  return threads.flatMap(thread => {
    const n = value(thread);
    return n === undefined ? [] : [[{ thread: thread.name }, n] as const];
  });
}

export const encoderMetrics: MetricGroup = {
  title: 'Encoders',
  metrics: [
    {
      name: 'millrace_encoder_batches_total',
      type: 'counter',
      help: 'Batches encoded',
      more: 'Records per batch show how busy the encoders are.',
      read: ({ main }) => main.batches,
    },
    {
      name: 'millrace_encoder_batch_records_total',
      type: 'counter',
      help: 'Records (messages and requests) in those batches',
      read: ({ main }) => main.batchRecords,
    },
    {
      name: 'millrace_encoder_batch_bytes_total',
      type: 'counter',
      help: 'Bytes of those batches',
      read: ({ main }) => main.batchBytes,
    },
    {
      name: 'millrace_encoder_frames_total',
      type: 'counter',
      help: 'Frames encoded',
      more: 'One for each topic, class, format and variant that a client follows.',
      read: ({ main }) => main.frames,
    },
    {
      name: 'millrace_encoder_frame_bytes_total',
      type: 'counter',
      help: 'Bytes of those frames',
      read: ({ main }) => main.frameBytes,
    },
    {
      name: 'millrace_encoder_busy_seconds_total',
      type: 'counter',
      help: 'Time spent encoding, over all encoder threads',
      read: ({ main }) => main.encodeMicros / 1e6,
    },
    {
      name: 'millrace_encoder_without_base_total',
      type: 'counter',
      help: 'Partial messages without a whole one before them',
      read: ({ main }) => main.withoutBase,
    },
    {
      name: 'millrace_encoder_restarts_total',
      type: 'counter',
      help: 'Encoder threads replaced',
      read: ({ main }) => main.encoderRestarts,
    },
  ],
};

export const gatewayInfoMetrics: MetricGroup = {
  title: 'This gateway',
  metrics: [
    {
      name: 'millrace_build_info',
      type: 'gauge',
      help: 'Always 1; the labels tell what runs',
      labels: {
        node: '`NODE_NAME`',
        version: 'of Millrace',
        nodejs: 'version of Node.js',
        uws: 'the package of uWebSockets.js',
      },
      read: ({ main: { build } }) => [[{ ...build }, 1]],
    },
    {
      name: 'millrace_ready',
      type: 'gauge',
      help: '1 while `/readyz` answers 200',
      read: ({ main }) => flag(main.obstacles.every(([, isInTheWay]) => !isInTheWay)),
    },
    {
      name: 'millrace_not_ready',
      type: 'gauge',
      help: '1 for each reason why `/readyz` fails',
      labels: { reason: NOT_READY_REASONS },
      read: ({ main }) =>
        by(
          'reason',
          main.obstacles.map(([name, isInTheWay]) => [name, flag(isInTheWay)]),
        ),
    },
    {
      name: 'millrace_limit',
      type: 'gauge',
      help: 'Configured limits, to compare with what is used',
      more: 'Connections: `connections`, `anonymous`, `per_user`, `per_address`, `pending`, `pending_per_address`, `attempts_per_second` (an address). A connection: `subscriptions`, `messages_per_second`, `work_units_per_second`, `message_bytes`, `backpressure_bytes`. The process: `buffered_bytes`, `client_topics`, `symbols`, `log_bytes`, and `cpu_cores`, which it may use.',
      labels: { limit: LIMITS },
      read: ({ main }) => by('limit', Object.entries(main.limits)),
    },
    {
      name: 'millrace_certificate_expiry_timestamp_seconds',
      type: 'gauge',
      help: 'When the certificate of `TLS_CERT` expires, as Unix time',
      absent: 'without `TLS_CERT`',
      read: ({ main }) => main.certificateExpirySeconds,
    },
    {
      name: 'millrace_clock_known',
      type: 'gauge',
      help: '1 while chrony tells how far the clock of this machine is off',
      more: '`chronyc -c tracking` is asked each minute.',
      read: ({ main }) => flag(main.clock !== undefined),
    },
    {
      name: 'millrace_clock_offset_seconds',
      type: 'gauge',
      help: 'How far the clock of this machine is ahead of true time; negative: behind',
      absent: 'while it is not known',
      read: ({ main }) => main.clock?.offsetSeconds,
    },
    {
      name: 'millrace_clock_error_seconds',
      type: 'gauge',
      help: 'Upper bound of the error of the clock',
      more: 'The offset, half of the delay to the reference clock and its dispersion.',
      absent: 'while it is not known',
      read: ({ main }) => main.clock?.errorSeconds,
    },
    {
      name: 'millrace_clock_alarm',
      type: 'gauge',
      help: '1 while that error exceeds `CLOCK_DIVERGENCE_MAX`',
      more: 'With `CLOCK_UNKNOWN_ALARM=on`, also while it is unknown.',
      read: ({ main }) => flag(main.isClockAlarming),
    },
    {
      name: 'millrace_log_lines_lost_total',
      type: 'counter',
      help: 'Log lines lost because the disk was full or the reader stalled',
      read: ({ main }) => main.logLinesLost,
    },
  ],
};

export const processMetrics: MetricGroup = {
  title: 'Process and threads',
  metrics: [
    {
      name: 'millrace_thread_loop_delay_seconds',
      type: 'gauge',
      help: 'Delay of the event loop of a thread at its last check',
      more: 'Encoders have none: they do nothing but encode.',
      labels: { thread: '`main`, `gateway-0` and so on' },
      read: ({ main }) =>
        byThread(main, ({ loopDelayMs }) => (loopDelayMs === undefined ? undefined : loopDelayMs / 1000)),
    },
    {
      name: 'millrace_thread_busy_seconds_total',
      type: 'counter',
      help: 'Time in which a thread did something',
      more: 'Its rate is the load of the thread, from 0 to 1.',
      labels: { thread: THREAD },
      read: ({ main }) => byThread(main, ({ busyMs }) => busyMs / 1000),
    },
    {
      name: 'millrace_thread_heap_used_bytes',
      type: 'gauge',
      help: 'Heap of a thread in use',
      labels: { thread: THREAD },
      read: ({ main }) => byThread(main, ({ heapUsedBytes }) => heapUsedBytes),
    },
    {
      name: 'millrace_thread_heap_limit_bytes',
      type: 'gauge',
      help: 'Heap at which a thread ends for lack of memory',
      labels: { thread: THREAD },
      read: ({ main }) => byThread(main, ({ heapLimitBytes }) => heapLimitBytes),
    },
    {
      name: 'millrace_thread_silent',
      type: 'gauge',
      help: '1 for a gateway thread that did not answer this scrape within a second',
      more: 'Its last known numbers are in the sums, so connections do not seem to be missing.',
      labels: { thread: '`gateway-0` and so on' },
      read: ({ main }) => byThread(main, ({ isSilent }) => (isSilent === undefined ? undefined : flag(isSilent))),
    },
    {
      name: 'millrace_threads_hung_total',
      type: 'counter',
      help: 'Threads terminated because they made no progress for `THREAD_HUNG_AFTER`',
      labels: { thread: THREAD_KINDS },
      read: ({ main }) =>
        by('thread', [
          ['worker', main.workersHung],
          ['encoder', main.encodersHung],
        ]),
    },
    {
      name: 'millrace_threads_stuck',
      type: 'gauge',
      help: 'Threads hung in native code, where they cannot be terminated',
      more: 'The other threads keep serving, and `/readyz` fails. Restart the gateway when it suits you: SIGTERM first lets the clients reconnect elsewhere.',
      labels: { thread: THREAD_KINDS },
      read: ({ main }) =>
        by('thread', [
          ['worker', main.workersStuck],
          ['encoder', main.encodersStuck],
        ]),
    },
    {
      name: 'millrace_crash_loops',
      type: 'gauge',
      help: 'Threads that died five times in a row',
      more: 'A thread counts until it has run for `THREAD_STABLE_AFTER`; `/readyz` fails until then.',
      labels: { thread: THREAD_KINDS },
      read: ({ main }) =>
        by('thread', [
          ['worker', main.workerCrashLoops],
          ['encoder', main.encoderCrashLoops],
        ]),
    },
    {
      name: 'millrace_long_work_total',
      type: 'counter',
      help: 'Work for one connection that took longer than `THREAD_BUSY_AFTER`',
      more: '`stopped` by the gateway, or `ended` by itself. The connection is closed with 4029, and a log line names it.',
      labels: { outcome: ['stopped', 'ended'] },
      read: ({ main }) => by('outcome', Object.entries(main.longWork)),
    },
    {
      name: 'millrace_descriptors_short',
      type: 'gauge',
      help: '1 while connections are refused for lack of file descriptors',
      more: 'Fewer than 16 are free: the gateway does not listen, and `/readyz` fails. Raise the limit (`ulimit -n`).',
      read: ({ main }) => flag(main.descriptorsShort),
    },
    {
      name: 'process_open_fds',
      type: 'gauge',
      help: 'Open file descriptors',
      absent: 'on other systems than Linux',
      read: ({ openDescriptors }) => openDescriptors,
    },
  ],
};

export const revocationMetrics: MetricGroup = {
  title: 'Revocations',
  metrics: [
    {
      name: 'millrace_revocations',
      type: 'gauge',
      help: 'Revocations in force',
      more: 'At most 1,000,000.',
      read: ({ main }) => main.revocations.size,
    },
    {
      name: 'millrace_revocations_refused_total',
      type: 'counter',
      help: 'Revocations that this gateway ignores for lack of room',
      read: ({ main }) => main.revocations.refused,
    },
    {
      name: 'millrace_revocations_corrupt_total',
      type: 'counter',
      help: 'Unreadable entries among the stored revocations',
      more: 'Each is logged; the readable ones stay in force.',
      read: ({ main }) => main.revocations.corrupt,
    },
    {
      name: 'millrace_revocations_readable',
      type: 'gauge',
      help: '1 while this gateway knows everything in the store',
      more: 'While it is 0, this gateway may accept credentials that were revoked at other gateways.',
      labels: { store: STORE },
      absent: 'for a store that is not used',
      read: ({ main }) =>
        by(
          'store',
          main.revocations.stores.map(({ name, state }) => [name, flag(state === 'read')]),
        ),
    },
    {
      name: 'millrace_revocations_unwritten',
      type: 'gauge',
      help: 'Revocations not in the store yet',
      more: 'They are written as soon as the store is reachable.',
      labels: { store: STORE },
      absent: 'for a store that is not used',
      read: ({ main }) =>
        by(
          'store',
          main.revocations.stores.map(({ name, unwritten }) => [name, unwritten]),
        ),
    },
  ],
};
