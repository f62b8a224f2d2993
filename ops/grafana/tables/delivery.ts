import type { Dashboard, Query } from '../dashboard.js';

/** p50, p95 and p99 of a histogram. @param matchers further ones, such as `class="realtime",` */
const quantiles = (name: string, matchers: string): readonly Query[] =>
  [0.5, 0.95, 0.99].map(q => [
    `histogram_quantile(${q}, sum by (le) (rate(${name}_bucket{${matchers}@}[$__rate_interval])))`,
    `p${q * 100}`,
  ]);

export const delivery: Dashboard = {
  name: 'delivery',
  title: 'delivery and latency',
  about: 'How long a message takes, what is sent to whom, and what clients asked for again.',
  rows: [
    {
      title: 'Latency',
      panels: [
        {
          title: 'Hub to publication, realtime',
          about: 'What the gateway adds. The limits are 10 ms for p99 and 100 ms for p95.',
          unit: 's',
          alertAt: 0.01,
          queries: quantiles('millrace_hub_to_publish_seconds', 'class="realtime",'),
        },
        {
          title: 'Hub to publication by class, p99',
          about: 'Slower classes wait by design, up to their interval.',
          unit: 's',
          queries: [
            [
              'histogram_quantile(0.99, sum by (class, le) (rate(millrace_hub_to_publish_seconds_bucket{@}[$__rate_interval])))',
              '{{class}}',
            ],
          ],
        },
        {
          title: 'Publisher to socket, realtime',
          about: 'From the event time of the publisher, so it is as good as the clocks.',
          unit: 's',
          queries: quantiles('millrace_publisher_to_send_seconds', 'class="realtime",'),
        },
        {
          title: 'Messages within 10 ms and 100 ms',
          about: 'Share of realtime messages that met the limits: 99 % and 95 % are asked for.',
          unit: 'percentunit',
          queries: ['0.01', '0.1'].map(bound => [
            `sum(rate(millrace_hub_to_publish_seconds_bucket{class="realtime",le="${bound}",@}[$__rate_interval])) / sum(rate(millrace_hub_to_publish_seconds_count{class="realtime",@}[$__rate_interval]))`,
            `within ${bound} s`,
          ]),
        },
        {
          title: 'Event times left out',
          about: 'In the future or more than an hour old: a clock is wrong.',
          unit: 'cps',
          queries: [
            [
              'sum by (instance) (rate(millrace_publisher_times_implausible_total{@}[$__rate_interval]))',
              '{{instance}}',
            ],
          ],
        },
        {
          title: 'Newest frame',
          about: 'Age of the newest realtime frame that the slowest gateway thread published.',
          unit: 's',
          queries: [['max by (instance) (millrace_frame_age_seconds{@})', '{{instance}}']],
        },
      ],
    },
    {
      title: 'What is sent',
      panels: [
        {
          title: 'Messages by class',
          about: 'Data messages to sockets. `snapshot` and `event` are classes of their own here.',
          unit: 'cps',
          stacked: true,
          queries: [['sum by (class) (rate(millrace_sent_messages_total{@}[$__rate_interval]))', '{{class}}']],
        },
        {
          title: 'Messages by format',
          about: 'MessagePack costs less than JSON.',
          unit: 'cps',
          stacked: true,
          queries: [['sum by (format) (rate(millrace_sent_messages_total{@}[$__rate_interval]))', '{{format}}']],
        },
        {
          title: 'Bytes by stream',
          about: 'Payload of data messages.',
          unit: 'Bps',
          stacked: true,
          queries: [['sum by (stream) (rate(millrace_sent_bytes_total{@}[$__rate_interval]))', '{{stream}}']],
        },
        {
          title: 'Deliveries of each message',
          about: 'Messages out for one in: the fan-out.',
          unit: 'short',
          queries: [
            [
              'sum by (instance) (rate(millrace_sent_messages_total{@}[$__rate_interval])) / sum by (instance) (rate(millrace_feed_messages_total{@}[$__rate_interval]))',
              '{{instance}}',
            ],
          ],
        },
        {
          title: 'Views',
          about: 'Topics at a class in a format with a subscriber: each is encoded once.',
          unit: 'short',
          queries: [['sum by (instance) (millrace_views{@})', '{{instance}}']],
        },
        {
          title: 'Encoded frames',
          about: 'A second, whatever the number of their subscribers.',
          unit: 'cps',
          queries: [['sum by (instance) (rate(millrace_encoder_frames_total{@}[$__rate_interval]))', '{{instance}}']],
        },
      ],
    },
    {
      title: 'Losses and repairs',
      panels: [
        {
          title: 'Gaps told to clients',
          about: 'Frames a second, by reason. Every loss of an event is in one.',
          unit: 'cps',
          queries: [['sum by (reason) (rate(millrace_gap_frames_total{@}[$__rate_interval]))', '{{reason}}']],
        },
        {
          title: 'Stale topics told to clients',
          about: 'Frames a second, by reason.',
          unit: 'cps',
          queries: [['sum by (reason) (rate(millrace_stale_frames_total{@}[$__rate_interval]))', '{{reason}}']],
        },
        {
          title: 'Snapshots and replays asked for',
          about: 'Resyncs mean that a checksum or a sequence did not fit; replays follow reconnects.',
          unit: 'cps',
          queries: [
            ['sum(rate(millrace_resyncs_total{@}[$__rate_interval]))', 'resyncs'],
            ['sum by (outcome) (rate(millrace_replays_total{@}[$__rate_interval]))', 'replays {{outcome}}'],
          ],
        },
        {
          title: 'Requests waiting',
          about: 'Snapshots and replays that are queued.',
          unit: 'short',
          queries: [['sum by (instance) (millrace_requests_waiting{@})', '{{instance}}']],
        },
        {
          title: 'Replayed bytes in memory',
          about: 'At most 64 MiB for each gateway thread.',
          unit: 'bytes',
          queries: [['sum by (instance) (millrace_replay_bytes{@})', '{{instance}}']],
        },
        {
          title: 'Threads overrun',
          about: 'A gateway thread was too slow for an encoder: snapshots and gaps follow.',
          unit: 'cps',
          queries: [['sum by (instance) (rate(millrace_worker_overruns_total{@}[$__rate_interval]))', '{{instance}}']],
        },
      ],
    },
  ],
};
