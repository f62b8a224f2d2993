import { by, flag, type MetricGroup } from './metric.js';

const THREAD = '`worker`, `encoder`';
const STORE = '`bucket`, `backup_bucket`, `file`';

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

export const processMetrics: MetricGroup = {
  title: 'Process and threads',
  metrics: [
    {
      name: 'millrace_threads_hung_total',
      type: 'counter',
      help: 'Threads terminated because they made no progress for `THREAD_HUNG_AFTER`',
      labels: { thread: THREAD },
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
      labels: { thread: THREAD },
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
      labels: { thread: THREAD },
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
      labels: { outcome: '`stopped`, `ended`' },
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
      name: 'millrace_process_open_fds',
      type: 'gauge',
      help: 'Open file descriptors',
      more: 'Linux only.',
      read: ({ openDescriptors }) => openDescriptors,
    },
    {
      name: 'millrace_log_lines_lost_total',
      type: 'counter',
      help: 'Log lines lost because the disk was full or the reader stalled',
      read: ({ main }) => main.logLinesLost,
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
      read: ({ main }) =>
        by(
          'store',
          main.revocations.stores.map(({ name, unwritten }) => [name, unwritten]),
        ),
    },
  ],
};
