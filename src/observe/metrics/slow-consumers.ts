import { TIERS } from '../../protocol/view-options.js';
import { by, type MetricGroup, mergedCounts, most, sum, summedBy } from './metric.js';

export const slowConsumerMetrics: MetricGroup = {
  title: 'Slow consumers',
  metrics: [
    {
      name: 'millrace_buffered_closes_total',
      type: 'counter',
      help: 'Connections cut because more than `WS_MAX_BUFFERED_TOTAL` was buffered for all sockets',
      labels: { rank: ['anonymous', 'retail', 'institutional'] },
      read: ({ workers }) => summedBy(['rank'], workers, w => w.closedForTotal),
    },
    {
      name: 'millrace_sockets_buffered',
      type: 'gauge',
      help: 'Sockets with bytes buffered in user space',
      read: ({ workers }) => sum(workers, w => w.buffered),
    },
    {
      name: 'millrace_buffered_bytes',
      type: 'gauge',
      help: 'Bytes buffered for sockets in user space',
      read: ({ workers }) => sum(workers, w => w.waitingBytes.all),
    },
    {
      name: 'millrace_buffered_bytes_max',
      type: 'gauge',
      help: 'Bytes buffered for the socket with the most',
      more: 'At most `WS_MAX_BACKPRESSURE`, one message and up to 4 MiB for a burst.',
      read: ({ workers }) => most(workers, w => w.waitingBytes.most),
    },
    {
      name: 'millrace_clients_conflated',
      type: 'gauge',
      help: 'Clients whose state topics are sent in a slower class than requested',
      read: ({ workers }) => sum(workers, w => w.conflated),
    },
    {
      name: 'millrace_conflations_total',
      type: 'counter',
      help: 'Steps of a client down to a slower class',
      more: '`high_water`: half of `WS_MAX_BACKPRESSURE` was buffered and not shrinking. `late`: the client read late what it was sent. `suspended`: the client was suspended and resumed one class slower.',
      labels: { cause: ['high_water', 'late', 'suspended'] },
      read: ({ workers }) =>
        by('cause', [
          ['high_water', sum(workers, w => w.conflationSteps.overHighWater)],
          ['late', sum(workers, w => w.conflationSteps.late)],
          ['suspended', sum(workers, w => w.conflationSteps.suspended)],
        ]),
    },
    {
      name: 'millrace_clients_lagging',
      type: 'gauge',
      help: 'Clients that hold state topics older than the interval of their class and `WS_MAX_AGE`',
      more: 'They are told so by `lagging`.',
      read: ({ workers }) => sum(workers, w => w.clientsLagging),
    },
    {
      name: 'millrace_client_age_seconds',
      type: 'histogram',
      help: 'Age of what clients read, or hold while they lag, as the gateway’s pings find out',
      more: 'Network round trips are deducted.',
      labels: { tier: TIERS },
      read: ({ workers }) => TIERS.map(tier => [{ tier }, mergedCounts(workers.map(w => w.ages[tier]))] as const),
    },
    {
      name: 'millrace_conflation_restores_total',
      type: 'counter',
      help: 'Steps of a client back to a faster class',
      read: ({ workers }) => sum(workers, w => w.conflationSteps.restores),
    },
    {
      name: 'millrace_stalls_total',
      type: 'counter',
      help: 'Times a slow client was suspended',
      read: ({ workers }) => sum(workers, w => w.stalls),
    },
    {
      name: 'millrace_circuits',
      type: 'gauge',
      help: 'Slow clients by the state of their circuit',
      more: '`open`: suspended. `half_open`: drained, and on probation.',
      labels: { state: ['open', 'half_open'] },
      read: ({ workers }) =>
        by('state', [
          ['open', sum(workers, w => w.circuits.open)],
          ['half_open', sum(workers, w => w.circuits.halfOpen)],
        ]),
    },
    {
      name: 'millrace_resumes_total',
      type: 'counter',
      help: 'Suspended clients that drained and were resumed with snapshots and gaps',
      read: ({ workers }) => sum(workers, w => w.resumes),
    },
    {
      name: 'millrace_backpressure_drops_total',
      type: 'counter',
      help: 'Times uWebSockets reported a drop',
      more: 'It reports once per batch.',
      read: ({ workers }) => sum(workers, w => w.dropped),
    },
  ],
};
