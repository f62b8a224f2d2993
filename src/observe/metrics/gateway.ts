import { GAP_REASONS, STALE_REASON_NAMES } from '../../protocol/codes.js';
import { isStateStream, STREAMS, type Stream } from '../../protocol/topics.js';
import { CLASSES, FORMATS } from '../../protocol/view-options.js';
import type { WorkerStats } from '../../threads/worker-stats.js';
import { by, type LabelValues, type MetricGroup, mergedCounts, most, type Series, sum, summedBy } from './metric.js';

/** Classes of sent messages: rate classes for state streams, `event` for the others. */
const SENT_CLASSES = [...CLASSES, 'snapshot', 'event'];

/** Which classes a stream is sent in. */
function isSentIn({ stream, class: sentClass }: LabelValues): boolean {
  if (sentClass === 'snapshot') return stream === 'quotes';
  return isStateStream(stream as Stream) === (sentClass !== 'event');
}

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
      labels: { direction: ['up', 'down'] },
      read: ({ main }) => by('direction', Object.entries(main.loadChanges)),
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
  ],
};

export const deliveryMetrics: MetricGroup = {
  title: 'Delivery',
  metrics: [
    {
      name: 'millrace_hub_to_publish_seconds',
      type: 'histogram',
      help: 'Time from the hub receiving a message to a gateway thread publishing its frame',
      more: 'Slower classes wait by design: judge the gateway by `class="realtime"`, which has all events too.',
      labels: { class: CLASSES },
      read: ({ workers }) =>
        CLASSES.map(name => [{ class: name }, mergedCounts(workers.map(w => w.hubToPublish[name]))] as const),
    },
    {
      name: 'millrace_publisher_to_send_seconds',
      type: 'histogram',
      help: 'Time from the event time of the publisher to the publish of its frame',
      more: 'Counts frames whose message had a `Ts-Event` or `ts_event`. It is as good as the clocks: see `millrace_clock_offset_seconds`.',
      labels: { class: CLASSES },
      read: ({ workers }) =>
        CLASSES.map(name => [{ class: name }, mergedCounts(workers.map(w => w.publisherToSend[name]))] as const),
    },
    {
      name: 'millrace_publisher_times_implausible_total',
      type: 'counter',
      help: 'Frames left out of that, whose event time was in the future or more than an hour old',
      more: 'Up to 1 ms in the future counts as now.',
      read: ({ workers }) => sum(workers, w => w.implausibleTimes),
    },
    {
      name: 'millrace_sent_messages_total',
      type: 'counter',
      help: 'Data messages written to sockets',
      more: '`event` is the class of trades, orders, analytics and rooms; `snapshot`, of the snapshot frames of quotes.',
      labels: { stream: STREAMS, format: FORMATS, class: SENT_CLASSES },
      combined: isSentIn,
      read: ({ workers }) => sentBy(workers, cell => cell.messages),
    },
    {
      name: 'millrace_sent_bytes_total',
      type: 'counter',
      help: 'Payload bytes of those messages',
      labels: { stream: STREAMS, format: FORMATS, class: SENT_CLASSES },
      combined: isSentIn,
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
      name: 'millrace_gap_frames_total',
      type: 'counter',
      help: 'Gap frames sent to clients, by reason',
      labels: { reason: Object.keys(GAP_REASONS) },
      read: ({ workers }) => summedBy(['reason'], workers, w => w.gapFrames),
    },
    {
      name: 'millrace_stale_frames_total',
      type: 'counter',
      help: 'Stale frames sent to clients, by reason',
      labels: { reason: STALE_REASON_NAMES },
      read: ({ workers }) => summedBy(['reason'], workers, w => w.staleFrames),
    },
    {
      name: 'millrace_resyncs_total',
      type: 'counter',
      help: 'Topics for which a client requested a new snapshot (`resync`)',
      more: 'Clients do so when a checksum or a sequence does not fit.',
      read: ({ workers }) => sum(workers, w => w.resyncs),
    },
    {
      name: 'millrace_replays_total',
      type: 'counter',
      help: 'Replays of missed events, by outcome',
      more: 'Clients that missed the same events share one. `unrecovered`: the events were unavailable. `cancelled`: no client was waiting any more.',
      labels: { outcome: ['recovered', 'unrecovered', 'cancelled'] },
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
      read: ({ workers }) => sum(workers, w => w.replaysShared),
    },
    {
      name: 'millrace_replay_bytes',
      type: 'gauge',
      help: 'Bytes of missed messages being sent, or kept 5 s for other clients',
      more: 'At most 64 MiB per gateway thread.',
      read: ({ workers }) => sum(workers, w => w.replayBytes),
    },
    {
      name: 'millrace_requests_waiting',
      type: 'gauge',
      help: 'Queued requests for snapshots and replays, over all gateway threads',
      read: ({ workers }) => sum(workers, w => w.requestsWaiting),
    },
    {
      name: 'millrace_subscriptions',
      type: 'gauge',
      help: 'Topics that clients are subscribed to, each counted once per connection',
      labels: { stream: STREAMS },
      read: ({ workers }) => summedBy(['stream'], workers, w => w.subscriptions),
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
  return summedBy(['stream', 'format', 'class'], workers, w => w.sent.map(cell => [cell.key, pick(cell)]));
}
