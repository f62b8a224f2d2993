import { FIX_ENDS } from '../../threads/fix-stats.js';
import { by, type MetricGroup, sum, summedBy } from './metric.js';

export const fixMetrics: MetricGroup = {
  title: 'FIX',
  metrics: [
    {
      name: 'millrace_fix_sessions',
      type: 'gauge',
      help: 'FIX clients that are logged on',
      read: ({ workers }) => sum(workers, w => w.fix?.sessions ?? 0),
    },
    {
      name: 'millrace_fix_subscriptions',
      type: 'gauge',
      help: 'Topics that FIX clients are subscribed to, each counted once per session',
      read: ({ workers }) => sum(workers, w => w.fix?.subscriptions ?? 0),
    },
    {
      name: 'millrace_fix_sessions_slowed',
      type: 'gauge',
      help: 'FIX clients whose market data is conflated further because they read too slowly',
      read: ({ workers }) => sum(workers, w => w.fix?.slowed ?? 0),
    },
    {
      name: 'millrace_fix_logons_total',
      type: 'counter',
      help: 'Logons that were accepted',
      read: ({ workers }) => sum(workers, w => w.fix?.logons ?? 0),
    },
    {
      name: 'millrace_fix_ends_total',
      type: 'counter',
      help: 'FIX connections that ended, by what ended them',
      more: '`refused`: the logon was refused, or never came; `protocol`: the client broke the session protocol; `regular`: the gateway logged it out, to drain or for the daily reset; `left`: it logged out itself.',
      labels: { end: FIX_ENDS },
      read: ({ workers }) => summedBy(['end'], workers, w => w.fix?.ends ?? []),
    },
    {
      name: 'millrace_fix_messages_total',
      type: 'counter',
      help: 'FIX messages, by direction',
      labels: { direction: ['in', 'out'] },
      read: ({ workers }) =>
        by('direction', [
          ['in', sum(workers, w => w.fix?.messagesIn ?? 0)],
          ['out', sum(workers, w => w.fix?.messagesOut ?? 0)],
        ]),
    },
    {
      name: 'millrace_fix_sent_bytes_total',
      type: 'counter',
      help: 'Bytes of FIX messages to clients',
      read: ({ workers }) => sum(workers, w => w.fix?.bytesOut ?? 0),
    },
    {
      name: 'millrace_fix_garbled_total',
      type: 'counter',
      help: 'Garbled messages of FIX clients, which are ignored',
      read: ({ workers }) => sum(workers, w => w.fix?.garbled ?? 0),
    },
    {
      name: 'millrace_fix_rejects_total',
      type: 'counter',
      help: 'Messages of FIX clients that were answered with a Reject (3)',
      read: ({ workers }) => sum(workers, w => w.fix?.rejects ?? 0),
    },
    {
      name: 'millrace_fix_resends_total',
      type: 'counter',
      help: 'ResendRequests, by who asked',
      labels: { by: ['gateway', 'client'] },
      read: ({ workers }) =>
        by('by', [
          ['gateway', sum(workers, w => w.fix?.resendsAsked ?? 0)],
          ['client', sum(workers, w => w.fix?.resendsAnswered ?? 0)],
        ]),
    },
    {
      name: 'millrace_fix_stalls_total',
      type: 'counter',
      help: 'Times that market data for a FIX client was suspended because it read too slowly',
      read: ({ workers }) => sum(workers, w => w.fix?.stalls ?? 0),
    },
  ],
};
