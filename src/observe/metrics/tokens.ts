import { by, flag, type MetricGroup, summedBy } from './metric.js';

const STATES = ['current', 'stale', 'missing'];

export const tokenMetrics: MetricGroup = {
  title: 'Tokens',
  metrics: [
    {
      name: 'millrace_tokens_refused_total',
      type: 'counter',
      help: 'Tokens refused, at upgrades and by `auth`',
      more: 'A wrong setting shows here first.',
      labels: {
        reason:
          '`malformed`, `signature`, `algorithm` (guesses), `key` (no key has its `kid` and fits), `keys_unavailable`, `expired`, `audience`, `issuer`, `party` (`AUTH_AUTHORIZED_PARTIES`), `scope`, `claims`, `sub`, `lifetime` (`AUTH_TOKEN_MAX_AGE`)',
      },
      read: ({ workers }) => summedBy('reason', workers, w => w.tokensRefused),
    },
    {
      name: 'millrace_key_set_state',
      type: 'gauge',
      help: '1 for the state of the key set at `AUTH_JWKS_URL`',
      more: 'While it is `missing`, tokens get 503 and `/readyz` fails. A `stale` one verifies with its last keys for up to a day.',
      labels: { state: '`current`, `stale` (the last fetch failed), `missing` (no keys)' },
      read: ({ main: { keySet } }) =>
        keySet &&
        by(
          'state',
          STATES.map(state => [state, flag(keySet.state === state)]),
        ),
    },
    {
      name: 'millrace_key_set_age_seconds',
      type: 'gauge',
      help: 'Time since the key set was last fetched',
      more: 'Normally below 300. Absent before the first fetch.',
      read: ({ main: { keySet } }) => (keySet?.ageMs === undefined ? undefined : keySet.ageMs / 1000),
    },
    {
      name: 'millrace_key_set_fetches_total',
      type: 'counter',
      help: 'Fetches of the key set, failed ones included',
      read: ({ main: { keySet } }) => keySet?.fetches,
    },
    {
      name: 'millrace_key_set_failures_total',
      type: 'counter',
      help: 'Failed fetches of the key set',
      more: 'The log has a line for the first of each kind after a success.',
      labels: {
        kind: '`unreachable`, `timeout`, `status` (not HTTP 200), `invalid` (not a key set)',
      },
      read: ({ main: { keySet } }) => keySet && by('kind', Object.entries(keySet.failures)),
    },
  ],
};
