import type { Dashboard } from '../dashboard.js';

export const feed: Dashboard = {
  name: 'feed',
  title: 'feed and NATS',
  about:
    'Does data arrive, is it valid and complete, and how is the way to NATS? Some panels need NATS, JetStream or a backup.',
  rows: [
    {
      title: 'State',
      panels: [
        {
          title: 'Feed live',
          about: '1 while the feed delivers, for each gateway.',
          unit: 'short',
          queries: [['min by (instance) (millrace_feed_live{@})', '{{instance}}']],
        },
        {
          title: 'Silence',
          about: 'Time since the last message.',
          unit: 's',
          queries: [['max by (instance) (millrace_feed_silence_seconds{@})', '{{instance}}']],
        },
        {
          title: 'Silence by kind',
          about: 'Time since the last message of each kind that has come at all.',
          unit: 's',
          queries: [['time() - max by (kind) (millrace_feed_last_message_timestamp_seconds{@} > 0)', '{{kind}}']],
        },
      ],
    },
    {
      title: 'Messages',
      panels: [
        {
          title: 'Bytes by kind',
          about: 'Payload from the feed.',
          unit: 'Bps',
          stacked: true,
          queries: [['sum by (kind) (rate(millrace_feed_bytes_total{@}[$__rate_interval]))', '{{kind}}']],
        },
        {
          title: 'Invalid messages',
          about: 'Put on deadletter.<subject>, by reason.',
          unit: 'cps',
          queries: [['sum by (reason) (rate(millrace_feed_rejected_total{@}[$__rate_interval]))', '{{reason}}']],
        },
        {
          title: 'Gaps, duplicates and unneeded messages',
          about: 'Holes in the numbers of publishers; second copies; and what no client here wants.',
          unit: 'cps',
          queries: [
            ['sum(rate(millrace_feed_gaps_total{@}[$__rate_interval]))', 'gaps'],
            ['sum(rate(millrace_feed_duplicates_total{@}[$__rate_interval]))', 'duplicates'],
            ['sum(rate(millrace_feed_ignored_total{@}[$__rate_interval]))', 'unneeded'],
          ],
        },
        {
          title: 'Topics held back',
          about: 'Each waits for a whole message of its publisher.',
          unit: 'short',
          alertAt: 1,
          queries: [['sum by (reason) (millrace_topics_stale{@})', '{{reason}}']],
        },
        {
          title: 'Subjects',
          about: 'Followed, of SYMBOLS_MAX for symbols.',
          unit: 'short',
          queries: [['sum by (instance) (millrace_subjects{@})', '{{instance}}']],
        },
        {
          title: 'Queue to the encoders',
          about: 'Up to 32 MiB for each encoder; then states are skipped, and events are lost.',
          unit: 'bytes',
          queries: [['sum by (instance) (millrace_queue_bytes{@})', '{{instance}}']],
        },
        {
          title: 'Skipped and lost at full queues',
          about: 'Skipped states were replaced by newer ones. Lost events are told as gaps.',
          unit: 'cps',
          queries: [
            ['sum(rate(millrace_queue_states_skipped_total{@}[$__rate_interval]))', 'states skipped'],
            ['sum(rate(millrace_queue_events_dropped_total{@}[$__rate_interval]))', 'events lost'],
          ],
        },
        {
          title: 'Unusable headers',
          about: 'Ts-Event, Seq or Epoch of publishers.',
          unit: 'cps',
          queries: [
            ['sum by (instance) (rate(millrace_feed_headers_ignored_total{@}[$__rate_interval]))', '{{instance}}'],
          ],
        },
        {
          title: 'Topics refused',
          about: 'For lack of room, or because NATS does not let this gateway follow them.',
          unit: 'cps',
          queries: [
            ['sum(rate(millrace_subjects_refused_total{@}[$__rate_interval]))', 'no room'],
            ['sum(rate(millrace_topics_unavailable_total{@}[$__rate_interval]))', 'unavailable'],
          ],
        },
      ],
    },
    {
      title: 'NATS',
      panels: [
        {
          title: 'Round trip',
          about:
            'Of a ping, behind all that is queued for the gateway. The alert comes at 2 s; at 10 s the server cuts the gateway.',
          unit: 's',
          alertAt: 2,
          queries: [['max by (instance) (millrace_feed_round_trip_seconds{@})', '{{instance}}']],
        },
        {
          title: 'Queued by NATS',
          about: 'For this gateway, at the last ping. The server cuts a client beyond 64 MiB by default.',
          unit: 'bytes',
          queries: [['max by (instance) (millrace_feed_queued_bytes{@})', '{{instance}}']],
        },
        {
          title: 'Behind the stream',
          about: 'JetStream: messages not read yet. The alert comes at 10,000.',
          unit: 'short',
          alertAt: 10_000,
          queries: [['max by (instance) (millrace_feed_behind_messages{@})', '{{instance}}']],
        },
        {
          title: 'Refusals and errors',
          about: 'By kind; the log has the words of the server.',
          unit: 'cps',
          queries: [['sum by (kind) (rate(millrace_feed_errors_total{@}[$__rate_interval]))', '{{kind}}']],
        },
        {
          title: 'Reconnects and new consumers',
          about: 'Since the start of each gateway.',
          unit: 'short',
          queries: [
            ['sum(millrace_feed_reconnects_total{@})', 'reconnects'],
            ['sum(millrace_feed_consumer_recreations_total{@})', 'new consumers'],
          ],
        },
        {
          title: 'Upstream being read',
          about: 'With NATS_BACKUP_URL: gateways that read each upstream.',
          unit: 'short',
          stacked: true,
          queries: [['sum by (upstream) (millrace_feed_upstream_active{@})', '{{upstream}}']],
        },
        {
          title: 'Upstreams connected',
          about: 'With NATS_BACKUP_URL: 1 while every gateway is connected.',
          unit: 'short',
          queries: [['min by (upstream) (millrace_feed_upstream_live{@})', '{{upstream}}']],
        },
        {
          title: 'Silence of the upstreams',
          about: 'With NATS_BACKUP_URL: the backup should deliver as well.',
          unit: 's',
          queries: [['max by (upstream) (millrace_feed_upstream_silence_seconds{@})', '{{upstream}}']],
        },
        {
          title: 'Failovers',
          about: 'Since the start of each gateway.',
          unit: 'short',
          queries: [['sum by (instance) (millrace_feed_failovers_total{@})', '{{instance}}']],
        },
      ],
    },
  ],
};
