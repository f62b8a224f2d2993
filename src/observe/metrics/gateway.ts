import type { WorkerStats } from '../../threads/worker-stats.js';
import { by, type MetricGroup, mergedBuckets, most, type Series, sum, summedBy } from './metric.js';

export const gatewayMetrics: MetricGroup = {
  title: 'Gateway threads',
  metrics: [
    {
      name: 'millrace_workers_listening',
      type: 'gauge',
      help: 'Gateway threads that accept connections',
      read: ({ main }) => main.workersListening,
    },
    {
      name: 'millrace_worker_restarts_total',
      type: 'counter',
      help: 'Gateway threads replaced',
      read: ({ main }) => main.workerRestarts,
    },
    {
      name: 'millrace_worker_turns_total',
      type: 'counter',
      help: 'Turns of the event loop in which frames were published',
      read: ({ workers }) => sum(workers, w => w.turns),
    },
    {
      name: 'millrace_worker_overruns_total',
      type: 'counter',
      help: 'Times a gateway thread was overrun by an encoder',
      more: 'Its state topics got snapshots, its events a gap (`overrun`).',
      read: ({ workers }) => sum(workers, w => w.overruns),
    },
    {
      name: 'millrace_load_level',
      type: 'gauge',
      help: 'Overload level: 0 normal, 1 to 3 retail stretched, 4 retail refused',
      more: 'At 1, 2 and 3 the `100ms` class of retail clients is sent every 200, 400 and 800 ms; at 4 new retail connections and subscribes are refused as well.',
      read: ({ main }) => main.loadLevel,
    },
    {
      name: 'millrace_load_changes_total',
      type: 'counter',
      help: 'Changes of the overload level',
      labels: { direction: '`up`, `down`' },
      read: ({ main }) => by('direction', Object.entries(main.loadChanges)),
    },
    {
      name: 'millrace_loop_delay_seconds',
      type: 'gauge',
      help: 'Event-loop delay of the slowest gateway thread at its last check',
      read: ({ workers }) => most(workers, w => w.loopDelayMs) / 1000,
    },
    {
      name: 'millrace_frame_age_seconds',
      type: 'gauge',
      help: 'Age of the newest realtime frame that the slowest gateway thread published in the last 100 ms',
      read: ({ workers }) => most(workers, w => w.frameAgeMs) / 1000,
    },
    {
      name: 'millrace_commands_shed_total',
      type: 'counter',
      help: 'Subscribe commands of retail clients refused under overload',
      read: ({ workers }) => sum(workers, w => w.commandsShed),
    },
    {
      name: 'millrace_hub_to_publish_seconds',
      type: 'histogram',
      help: 'Time from the hub receiving a message to a gateway thread publishing its frame',
      more: 'The bounds of the buckets are powers of two of a microsecond.',
      read: ({ workers }) =>
        mergedBuckets(workers.map(w => ({ buckets: w.latencyBuckets, sumMicros: w.latencySumMicros }))),
    },
  ],
};

export const connectionMetrics: MetricGroup = {
  title: 'Connections and commands',
  metrics: [
    {
      name: 'millrace_connections_open',
      type: 'gauge',
      help: 'Open connections',
      read: ({ workers }) => sum(workers, w => w.open),
    },
    {
      name: 'millrace_connections_pending',
      type: 'gauge',
      help: 'TCP connections that have not sent a whole request',
      read: ({ workers }) => sum(workers, w => w.pending),
    },
    {
      name: 'millrace_connections_pending_refused_total',
      type: 'counter',
      help: 'TCP connections closed unread, beyond `WS_MAX_PENDING` or `WS_MAX_PENDING_PER_IP`',
      read: ({ workers }) => sum(workers, w => w.pendingRefused),
    },
    {
      name: 'millrace_connections_total',
      type: 'counter',
      help: 'Connections opened',
      read: ({ workers }) => sum(workers, w => w.opened),
    },
    {
      name: 'millrace_connections_refused_total',
      type: 'counter',
      help: 'Upgrades refused',
      labels: { status: 'the HTTP status' },
      read: ({ workers }) => summedBy('status', workers, w => w.refused),
    },
    {
      name: 'millrace_connections_limited_total',
      type: 'counter',
      help: 'Of those, upgrades refused because of a limit',
      labels: {
        limit:
          '`connections`, `anonymous` (`WS_MAX_ANONYMOUS`), `reserved` (the remaining places are reserved for others), `address`, `user`, `rate` (attempts per second), `overload` (retail clients), `credentials` (too many refused ones, including `auth` on open connections)',
      },
      read: ({ workers }) => summedBy('limit', workers, w => w.limited),
    },
    {
      name: 'millrace_closes_total',
      type: 'counter',
      help: 'Connections closed by the gateway',
      labels: { code: 'the close code' },
      read: ({ workers }) => summedBy('code', workers, w => w.closes),
    },
    {
      name: 'millrace_pings_total',
      type: 'counter',
      help: 'Pings sent',
      read: ({ workers }) => sum(workers, w => w.pings),
    },
    {
      name: 'millrace_messages_refused_total',
      type: 'counter',
      help: 'Client messages refused unread because of `WS_MESSAGE_RATE` or `WS_COST_RATE`',
      more: 'The client gets `rate_limited`.',
      read: ({ workers }) => sum(workers, w => w.messagesRefused),
    },
    {
      name: 'millrace_work_units_total',
      type: 'counter',
      help: 'Work charged to clients, in units of about 1 µs of CPU',
      more: 'See [limits.md](limits.md).',
      read: ({ workers }) => sum(workers, w => w.work.units),
    },
    {
      name: 'millrace_work_refused_total',
      type: 'counter',
      help: 'Upgrades, messages and commands refused because a work budget was used up',
      more: 'The budget of a connection, a user or an address (`WS_COST_RATE`).',
      read: ({ workers }) => sum(workers, w => w.work.refused),
    },
    {
      name: 'millrace_publish_rate_refused_total',
      type: 'counter',
      help: 'Room messages refused because of `ROOM_BYTES_RATE`',
      more: 'The client gets `rate_limited`.',
      read: ({ workers }) => sum(workers, w => w.publishedOverRate),
    },
    {
      name: 'millrace_replays_total',
      type: 'counter',
      help: 'Replays of missed events, by outcome',
      more: 'Clients that missed the same events share one.',
      labels: {
        outcome:
          '`recovered`, `unrecovered` (the events were unavailable), `cancelled` (no client was waiting any more)',
      },
      read: ({ main }) =>
        by('outcome', [
          ['recovered', main.replaysRecovered],
          ['unrecovered', main.replaysUnrecovered],
          ['cancelled', main.replaysCancelled],
        ]),
    },
    {
      name: 'millrace_replays_shared_total',
      type: 'counter',
      help: 'Resumed topics that shared the replay of another client',
      read: ({ workers }) => sum(workers, w => w.missed.shared),
    },
    {
      name: 'millrace_replay_bytes',
      type: 'gauge',
      help: 'Bytes of missed messages being sent, or kept 5 s for other clients',
      more: 'At most 64 MiB per gateway thread.',
      read: ({ workers }) => sum(workers, w => w.missed.bytes),
    },
    {
      name: 'millrace_requests_waiting',
      type: 'gauge',
      help: 'Queued requests for snapshots and replays, over all gateway threads',
      read: ({ workers }) => sum(workers, w => w.requestsWaiting),
    },
    {
      name: 'millrace_client_messages_total',
      type: 'counter',
      help: 'Messages received from clients',
      read: ({ workers }) => sum(workers, w => w.received),
    },
    {
      name: 'millrace_client_bytes_total',
      type: 'counter',
      help: 'Bytes received from clients',
      read: ({ workers }) => sum(workers, w => w.receivedBytes),
    },
    {
      name: 'millrace_sent_messages_total',
      type: 'counter',
      help: 'Data messages written to sockets',
      labels: {
        stream: '',
        format: '',
        class: '`event` for trades, orders, analytics and rooms, `snapshot` for the snapshot frames of quotes',
      },
      read: ({ workers }) => sentBy(workers, cell => cell.messages),
    },
    {
      name: 'millrace_sent_bytes_total',
      type: 'counter',
      help: 'Payload bytes of those messages',
      labels: { stream: '', format: '', class: 'the same' },
      read: ({ workers }) => sentBy(workers, cell => cell.bytes),
    },
    {
      name: 'millrace_control_messages_total',
      type: 'counter',
      help: 'Replies, warnings, errors, gaps, heartbeats and status messages sent',
      read: ({ workers }) => sum(workers, w => w.control.messages),
    },
    {
      name: 'millrace_control_bytes_total',
      type: 'counter',
      help: 'Bytes of those messages',
      read: ({ workers }) => sum(workers, w => w.control.bytes),
    },
    {
      name: 'millrace_views',
      type: 'gauge',
      help: 'Views (a topic at a class in a format) with a subscriber, over all gateway threads',
      read: ({ workers }) => sum(workers, w => w.views),
    },
  ],
};

type SentCell = WorkerStats['sent'][number];

function sentBy(workers: readonly WorkerStats[], pick: (cell: SentCell) => number): Series[] {
  const totals = new Map<string, number>();
  for (const cell of workers.flatMap(w => w.sent)) totals.set(cell.key, (totals.get(cell.key) ?? 0) + pick(cell));
  return Array.from(totals, ([key, total]) => {
    const [stream = '', format = '', rateClass = ''] = key.split('|');
    return [{ stream, format, class: rateClass }, total] as const;
  });
}
