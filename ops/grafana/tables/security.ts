import type { Dashboard } from '../dashboard.js';

export const security: Dashboard = {
  name: 'security',
  title: 'security and refusals',
  about: 'Who is refused and why, and the state of keys, revocations, certificate and clock.',
  rows: [
    {
      title: 'Refusals',
      panels: [
        {
          title: 'Upgrades refused',
          about: 'A second, by code. The metric has the HTTP status as well.',
          unit: 'cps',
          width: 12,
          queries: [['sum by (code) (rate(millrace_connections_refused_total{@}[$__rate_interval]))', '{{code}}']],
        },
        {
          title: 'Tokens refused',
          about: 'A second, by reason. `signature`, `algorithm` and `malformed` are guesses, or a rotated key.',
          unit: 'cps',
          width: 12,
          queries: [['sum by (reason) (rate(millrace_tokens_refused_total{@}[$__rate_interval]))', '{{reason}}']],
        },
        {
          title: 'Limits reached',
          about: 'Upgrades refused a second, by limit.',
          unit: 'cps',
          queries: [['sum by (limit) (rate(millrace_connections_limited_total{@}[$__rate_interval]))', '{{limit}}']],
        },
        {
          title: 'Connections without a request',
          about: 'Waiting ones, of WS_MAX_PENDING: many of them are an attack, or a broken proxy.',
          unit: 'percentunit',
          queries: [
            ['millrace_connections_pending{@} / on(job, instance) millrace_limit{limit="pending"}', '{{instance}}'],
          ],
        },
        {
          title: 'Closed unread',
          about: 'Connections a second beyond the limits of waiting ones.',
          unit: 'cps',
          queries: [
            [
              'sum by (instance) (rate(millrace_connections_pending_refused_total{@}[$__rate_interval]))',
              '{{instance}}',
            ],
          ],
        },
        {
          title: 'Closes',
          about: 'A second, by side and code. 1006 is a connection that broke.',
          unit: 'cps',
          queries: [['sum by (side, code) (rate(millrace_closes_total{@}[$__rate_interval]))', '{{side}} {{code}}']],
        },
        {
          title: 'Errors told to clients',
          about: 'Error frames a second, by code.',
          unit: 'cps',
          queries: [['sum by (code) (rate(millrace_error_frames_total{@}[$__rate_interval]))', '{{code}}']],
        },
        {
          title: 'Messages and work refused',
          about: 'Beyond WS_MESSAGE_RATE, WS_COST_RATE and ROOM_BYTES_RATE, a second.',
          unit: 'cps',
          queries: [
            ['sum(rate(millrace_messages_refused_total{@}[$__rate_interval]))', 'messages'],
            ['sum(rate(millrace_work_refused_total{@}[$__rate_interval]))', 'work'],
            ['sum(rate(millrace_publish_rate_refused_total{@}[$__rate_interval]))', 'room messages'],
          ],
        },
        {
          title: 'Messages of clients',
          about: 'Commands and room messages a second.',
          unit: 'cps',
          queries: [['sum by (instance) (rate(millrace_client_messages_total{@}[$__rate_interval]))', '{{instance}}']],
        },
        {
          title: 'Work for clients',
          about: 'Charged units of about 1 µs, a second: 1,000,000 is a core.',
          unit: 'short',
          queries: [['sum by (instance) (rate(millrace_work_units_total{@}[$__rate_interval]))', '{{instance}}']],
        },
      ],
    },
    {
      title: 'Credentials',
      panels: [
        {
          title: 'Revocations in force',
          about: 'At most 1,000,000. All gateways should show the same.',
          unit: 'short',
          queries: [['sum by (instance) (millrace_revocations{@})', '{{instance}}']],
        },
        {
          title: 'Stores of revocations',
          about: 'Readable: 1 while every gateway knows all of the store. Unwritten: revocations not in it yet.',
          unit: 'short',
          queries: [
            ['min by (store) (millrace_revocations_readable{@})', 'readable: {{store}}'],
            ['sum by (store) (millrace_revocations_unwritten{@})', 'unwritten: {{store}}'],
          ],
        },
        {
          title: 'Key set',
          about: 'With AUTH_JWKS_URL: gateways by the state of their keys.',
          unit: 'short',
          stacked: true,
          queries: [['sum by (state) (millrace_key_set_state{@})', '{{state}}']],
        },
        {
          title: 'Age of the key set',
          about: 'With AUTH_JWKS_URL: normally below 300 s.',
          unit: 's',
          alertAt: 600,
          queries: [['max by (instance) (millrace_key_set_age_seconds{@})', '{{instance}}']],
        },
        {
          title: 'Failed fetches of the key set',
          about: 'Since the start, by kind.',
          unit: 'short',
          queries: [['sum by (kind) (millrace_key_set_failures_total{@})', '{{kind}}']],
        },
        {
          title: 'Days to the end of the certificate',
          about: 'With TLS_CERT. The alerts come at 14 and 3 days.',
          kind: 'bars',
          unit: 'short',
          alertBelow: 14,
          queries: [['(millrace_certificate_expiry_timestamp_seconds{@} - time()) / 86400', '{{instance}}']],
        },
      ],
    },
    {
      title: 'Clock',
      panels: [
        {
          title: 'Clock is known',
          about: '1 while chrony tells how far the clock of the host is off.',
          unit: 'short',
          width: 12,
          queries: [['min by (instance) (millrace_clock_known{@})', '{{instance}}']],
        },
        {
          title: 'Offset of the clock',
          about: 'Where it is known, and the bound of its error. The alert comes at 100 ms.',
          unit: 's',
          alertAt: 0.1,
          width: 12,
          queries: [
            ['abs(millrace_clock_offset_seconds{@})', '{{instance}} offset'],
            ['millrace_clock_error_seconds{@}', '{{instance}} error'],
          ],
        },
      ],
    },
  ],
};
