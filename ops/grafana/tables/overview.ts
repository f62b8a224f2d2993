import type { Dashboard } from '../dashboard.js';

export const overview: Dashboard = {
  name: 'overview',
  title: 'overview',
  about: 'Are the gateways up, do clients get their data, and is there room? Begin here.',
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Gateways ready',
          about: 'Gateways whose /readyz answers 200.',
          kind: 'number',
          unit: 'short',
          alertBelow: 1,
          queries: [['sum(millrace_ready{@})', '']],
        },
        {
          title: 'Alerts that fire',
          about: 'The runbook has a section for each.',
          kind: 'number',
          unit: 'short',
          alertAt: 1,
          queries: [['count(ALERTS{alertname=~"Millrace.+",alertstate="firing",@}) or on() vector(0)', '']],
        },
        {
          title: 'Connections',
          about: 'Open connections of all gateways that are chosen.',
          kind: 'number',
          unit: 'short',
          queries: [['sum(millrace_connections_open{@})', '']],
        },
        {
          title: 'Of the limit',
          about: 'Connections of WS_MAX_CONNECTIONS, at the fullest gateway.',
          kind: 'number',
          unit: 'percentunit',
          alertAt: 0.9,
          queries: [
            [
              'max(sum by (job, instance) (millrace_connections_open{@}) / on(job, instance) millrace_limit{limit="connections",@})',
              '',
            ],
          ],
        },
        {
          title: 'Deliveries',
          about: 'Data messages written to sockets, a second.',
          kind: 'number',
          unit: 'cps',
          queries: [['sum(rate(millrace_sent_messages_total{@}[$__rate_interval]))', '']],
        },
        {
          title: 'Latency, p99',
          about: 'From the hub to the publication, realtime. The limit is 10 ms.',
          kind: 'number',
          unit: 's',
          alertAt: 0.01,
          queries: [
            [
              'histogram_quantile(0.99, sum by (le) (rate(millrace_hub_to_publish_seconds_bucket{class="realtime",@}[$__rate_interval])))',
              '',
            ],
          ],
        },
      ],
    },
    {
      title: 'Clients',
      panels: [
        {
          title: 'Connections by gateway',
          about: 'They should be spread evenly. The alert comes at nine tenths of the limit, 9,000 by default.',
          unit: 'short',
          alertAt: 9000,
          queries: [['sum by (instance) (millrace_connections_open{@})', '{{instance}}']],
        },
        {
          title: 'Connections by tier',
          about: 'Who is connected.',
          unit: 'short',
          stacked: true,
          queries: [['sum by (tier) (millrace_connections_open{@})', '{{tier}}']],
        },
        {
          title: 'Opened and closed',
          about: 'Connections a second. Both rise when clients reconnect.',
          unit: 'cps',
          queries: [
            ['sum(rate(millrace_connections_total{@}[$__rate_interval]))', 'opened'],
            ['sum(rate(millrace_closes_total{@}[$__rate_interval]))', 'closed'],
          ],
        },
        {
          title: 'Failed connections a minute',
          about: 'By how they failed, over all gateways. The alert comes at 100 a minute at one gateway.',
          unit: 'short',
          alertAt: 100,
          queries: [['sum by (how) (rate(millrace_connections_failed_total{@}[$__rate_interval])) * 60', '{{how}}']],
        },
        {
          title: 'Active and idle',
          about: 'Idle connections take a place and get nothing.',
          unit: 'short',
          stacked: true,
          queries: [
            ['sum(millrace_connections_active{@})', 'active'],
            ['sum(millrace_connections_idle{@})', 'idle'],
          ],
        },
        {
          title: 'Users and subscriptions',
          about: 'Subscriptions are topics, counted once for each connection that follows them.',
          unit: 'short',
          queries: [
            ['sum(millrace_users{@})', 'users'],
            ['sum by (stream) (millrace_subscriptions{@})', '{{stream}}'],
          ],
        },
      ],
    },
    {
      title: 'Traffic',
      panels: [
        {
          title: 'Messages in',
          about: 'From the feed, by kind.',
          unit: 'cps',
          stacked: true,
          queries: [['sum by (kind) (rate(millrace_feed_messages_total{@}[$__rate_interval]))', '{{kind}}']],
        },
        {
          title: 'Messages out',
          about: 'To clients, by stream.',
          unit: 'cps',
          stacked: true,
          queries: [['sum by (stream) (rate(millrace_sent_messages_total{@}[$__rate_interval]))', '{{stream}}']],
        },
        {
          title: 'Bytes out',
          about: 'Payload of data and control messages, before compression.',
          unit: 'Bps',
          stacked: true,
          queries: [
            ['sum by (format) (rate(millrace_sent_bytes_total{@}[$__rate_interval]))', '{{format}}'],
            ['sum(rate(millrace_control_bytes_total{@}[$__rate_interval]))', 'control'],
          ],
        },
      ],
    },
    {
      title: 'Health',
      panels: [
        {
          title: 'CPU of each gateway',
          about: 'Of the CPUs that it may use. The alert comes at 80 % for five minutes.',
          unit: 'percentunit',
          alertAt: 0.8,
          queries: [
            [
              'rate(process_cpu_seconds_total{job="millrace",@}[$__rate_interval]) / on(job, instance) millrace_limit{limit="cpu_cores"}',
              '{{instance}}',
            ],
          ],
        },
        {
          title: 'Why a gateway is not ready',
          about: '1 for each reason. All are 0 in normal operation.',
          unit: 'short',
          queries: [['max by (reason) (millrace_not_ready{@})', '{{reason}}']],
        },
        {
          title: 'Time since the start',
          about: 'A line that falls to zero is a restart.',
          unit: 's',
          queries: [['time() - process_start_time_seconds{job="millrace",@}', '{{instance}}']],
        },
      ],
    },
  ],
};
