import type { Dashboard } from '../dashboard.js';

export const slowClients: Dashboard = {
  name: 'slow-clients',
  title: 'slow clients',
  about: 'How old is what clients hold, and what happens to those that do not keep up?',
  rows: [
    {
      title: 'Age',
      panels: [
        {
          title: 'Age at clients, p99',
          about: 'Of what clients read, by tier. The alert comes at 3 s.',
          unit: 's',
          alertAt: 3,
          queries: [
            [
              'histogram_quantile(0.99, sum by (tier, le) (rate(millrace_client_age_seconds_bucket{@}[$__rate_interval])))',
              '{{tier}}',
            ],
          ],
        },
        {
          title: 'Age at clients, median',
          about: 'Of what clients read, by tier.',
          unit: 's',
          queries: [
            [
              'histogram_quantile(0.5, sum by (tier, le) (rate(millrace_client_age_seconds_bucket{@}[$__rate_interval])))',
              '{{tier}}',
            ],
          ],
        },
        {
          title: 'Lagging and conflated clients',
          about: 'Lagging: told that what they hold is old. Conflated: sent a slower class than they asked for.',
          unit: 'short',
          queries: [
            ['sum(millrace_clients_lagging{@})', 'lagging'],
            ['sum(millrace_clients_conflated{@})', 'conflated'],
          ],
        },
      ],
    },
    {
      title: 'Buffers',
      panels: [
        {
          title: 'Buffered for all sockets',
          about: 'Of WS_MAX_BUFFERED_TOTAL, beyond which the worst are cut.',
          unit: 'percentunit',
          alertAt: 0.8,
          queries: [
            ['millrace_buffered_bytes{@} / on(job, instance) millrace_limit{limit="buffered_bytes"}', '{{instance}}'],
          ],
        },
        {
          title: 'Buffered for the worst socket',
          about: 'Compare it with WS_MAX_BACKPRESSURE, the other line.',
          unit: 'bytes',
          queries: [
            ['max by (instance) (millrace_buffered_bytes_max{@})', '{{instance}}'],
            ['max(millrace_limit{limit="backpressure_bytes",@})', 'limit'],
          ],
        },
        {
          title: 'Sockets with a buffer',
          about: 'Sockets for which anything is buffered in the gateway.',
          unit: 'short',
          queries: [['sum by (instance) (millrace_sockets_buffered{@})', '{{instance}}']],
        },
      ],
    },
    {
      title: 'What the gateway does about it',
      panels: [
        {
          title: 'Circuits',
          about:
            'Open: suspended. Half open: drained, and on probation. The alert comes at 10, if they are 1 % of all.',
          unit: 'short',
          alertAt: 10,
          queries: [['sum by (state) (millrace_circuits{@})', '{{state}}']],
        },
        {
          title: 'Steps down and up',
          about: 'Of clients between classes, a second.',
          unit: 'cps',
          queries: [
            ['sum by (cause) (rate(millrace_conflations_total{@}[$__rate_interval]))', 'down: {{cause}}'],
            ['sum(rate(millrace_conflation_restores_total{@}[$__rate_interval]))', 'up'],
          ],
        },
        {
          title: 'Suspended and resumed',
          about: 'Clients a second.',
          unit: 'cps',
          queries: [
            ['sum(rate(millrace_stalls_total{@}[$__rate_interval]))', 'suspended'],
            ['sum(rate(millrace_resumes_total{@}[$__rate_interval]))', 'resumed'],
          ],
        },
        {
          title: 'Cut for lack of memory',
          about: 'Connections a second, by rank: anonymous ones go first.',
          unit: 'cps',
          queries: [['sum by (rank) (rate(millrace_buffered_closes_total{@}[$__rate_interval]))', '{{rank}}']],
        },
        {
          title: 'Closed as slow consumers',
          about: 'Closes with 4008, a second.',
          unit: 'cps',
          queries: [
            ['sum by (instance) (rate(millrace_closes_total{code="4008",@}[$__rate_interval]))', '{{instance}}'],
          ],
        },
        {
          title: 'Drops of uWebSockets',
          about: 'The last defence: above zero only where a burst outran the steps above.',
          unit: 'cps',
          queries: [
            ['sum by (instance) (rate(millrace_backpressure_drops_total{@}[$__rate_interval]))', '{{instance}}'],
          ],
        },
      ],
    },
    {
      title: 'Overload',
      panels: [
        {
          title: 'Overload level',
          about: '0 normal, 1 to 3 retail stretched, 4 retail refused.',
          unit: 'short',
          alertAt: 1,
          queries: [['max by (instance) (millrace_load_level{@})', '{{instance}}']],
        },
        {
          title: 'Changes of the level',
          about: 'A second. Many of them: the gateway is at its limit.',
          unit: 'cps',
          queries: [['sum by (direction) (rate(millrace_load_changes_total{@}[$__rate_interval]))', '{{direction}}']],
        },
        {
          title: 'Refused for the overload',
          about: 'Connections and subscriptions of retail clients, a second.',
          unit: 'cps',
          queries: [
            ['sum(rate(millrace_connections_limited_total{limit="overload",@}[$__rate_interval]))', 'connections'],
            ['sum(rate(millrace_commands_shed_total{@}[$__rate_interval]))', 'subscriptions'],
          ],
        },
      ],
    },
  ],
};
