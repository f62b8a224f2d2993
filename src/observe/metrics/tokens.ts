import { KEY_SET_FAILURES, KEY_SET_STATES } from '../../auth/remote-key-set.js';
import { TOKEN_REFUSALS } from '../../auth/token-refusal.js';
import { by, type MetricGroup, summedBy } from './metric.js';

export const tokenMetrics: MetricGroup = {
  title: 'Tokens',
  metrics: [
    {
      name: 'millrace_tokens_refused_total',
      type: 'counter',
      help: 'Tokens refused, at upgrades and by `auth`',
      more: 'A wrong setting shows here first. `malformed`, `signature` and `algorithm` are guesses; `key`: no key has its `kid` and fits; `party`: `AUTH_AUTHORIZED_PARTIES`; `lifetime`: `AUTH_TOKEN_MAX_AGE`.',
      labels: { reason: TOKEN_REFUSALS },
      read: ({ workers }) => summedBy(['reason'], workers, w => w.tokensRefused),
    },
    {
      name: 'millrace_key_set_state',
      type: 'gauge',
      help: '1 for the state of the key set at `AUTH_JWKS_URL`',
      more: 'While it is `missing`, tokens get 503 and `/readyz` fails. A `stale` one, whose last fetch failed, verifies with its last keys for up to a day. All are 0 without `AUTH_JWKS_URL`.',
      labels: { state: KEY_SET_STATES },
      read: ({ main: { keySet } }) => (keySet === undefined ? [] : by('state', [[keySet.state, 1]])),
    },
    {
      name: 'millrace_key_set_age_seconds',
      type: 'gauge',
      help: 'Time since the key set was last fetched',
      more: 'Normally below 300.',
      absent: 'before the first fetch, and without `AUTH_JWKS_URL`',
      read: ({ main: { keySet } }) => (keySet?.ageMs === undefined ? undefined : keySet.ageMs / 1000),
    },
    {
      name: 'millrace_key_set_fetches_total',
      type: 'counter',
      help: 'Fetches of the key set, failed ones included',
      read: ({ main: { keySet } }) => keySet?.fetches ?? 0,
    },
    {
      name: 'millrace_key_set_failures_total',
      type: 'counter',
      help: 'Failed fetches of the key set',
      more: 'The log has a line for the first of each kind after a success. `status`: not HTTP 200. `invalid`: not a key set.',
      labels: { kind: KEY_SET_FAILURES },
      read: ({ main: { keySet } }) => by('kind', Object.entries(keySet?.failures ?? {})),
    },
  ],
};
