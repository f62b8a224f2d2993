import { CLOSE_CODES, ERROR_CODES, REFUSALS } from '../../protocol/codes.js';
import { FORMATS } from '../../protocol/view-options.js';
import { by, type LabelValues, type MetricGroup, sum, summedBy } from './metric.js';

const RANKS = ['anonymous', 'retail', 'institutional'];
const CONNECTION_LIMITS = [
  ...['connections', 'anonymous', 'reserved', 'address', 'user', 'use', 'rate', 'credentials', 'overload'],
];
/** Codes of closes that clients begin; 1005: none, 1006: the connection broke. */
const CLIENT_CLOSES = ['1000', '1001', '1005', '1006', 'other'];
const GATEWAY_CLOSES = Object.keys(CLOSE_CODES);
const REFUSAL_CODES = [...new Set(Object.values(REFUSALS).flatMap(({ codes }) => codes))];

function isRefusal({ status, code }: LabelValues): boolean {
  const refusal = Object.entries(REFUSALS).find(([number]) => number === status);
  return refusal?.[1].codes.some(one => one === code) === true;
}

const isClose = ({ side, code = '' }: LabelValues): boolean =>
  (side === 'client' ? CLIENT_CLOSES : GATEWAY_CLOSES).includes(code);

export const connectionMetrics: MetricGroup = {
  title: 'Connections',
  metrics: [
    {
      name: 'millrace_connections_open',
      type: 'gauge',
      help: 'Open connections',
      more: 'A client without a credential is `anonymous`.',
      labels: { tier: RANKS, format: FORMATS },
      read: ({ workers }) => summedBy(['tier', 'format'], workers, w => w.openBy),
    },
    {
      name: 'millrace_connections_active',
      type: 'gauge',
      help: 'Open connections that are subscribed to something, or sent something in the last minute',
      read: ({ workers }) => sum(workers, w => w.open - w.idle),
    },
    {
      name: 'millrace_connections_idle',
      type: 'gauge',
      help: 'Open connections that are not active',
      more: 'They take a place and get nothing.',
      read: ({ workers }) => sum(workers, w => w.idle),
    },
    {
      name: 'millrace_connections_pending',
      type: 'gauge',
      help: 'TCP connections that have not sent a whole request',
      read: ({ workers }) => sum(workers, w => w.pending),
    },
    {
      name: 'millrace_users',
      type: 'gauge',
      help: 'Users with an open connection',
      read: ({ main }) => main.users,
    },
    {
      name: 'millrace_connections_total',
      type: 'counter',
      help: 'Connections opened',
      read: ({ workers }) => sum(workers, w => w.opened),
    },
    {
      name: 'millrace_connections_failed_total',
      type: 'counter',
      help: 'Connections that failed, by how',
      more: '`refused`: the upgrade was refused. `unread`: closed before its request, as one too many. `broken`: it broke without a close frame. `ended`: the gateway closed it because of what the client did or did not do. The details are in the next four.',
      labels: { how: ['refused', 'unread', 'broken', 'ended'] },
      read: ({ workers }) => {
        const count = (list: readonly (readonly [string | number, number])[], isOne: (key: string) => boolean) =>
          list.reduce((total, [key, n]) => total + (isOne(String(key)) ? n : 0), 0);
        return by('how', [
          ['refused', sum(workers, w => count(w.refused, () => true))],
          ['unread', sum(workers, w => w.pendingRefused)],
          ['broken', sum(workers, w => count(w.clientCloses, code => code === '1006'))],
          // A refusal that was explained by a close code has been counted as one.
          ['ended', sum(workers, w => count(w.closes, code => code !== '1001') - w.explained)],
        ]);
      },
    },
    {
      name: 'millrace_connections_refused_total',
      type: 'counter',
      help: 'Upgrades refused, by HTTP status and code',
      labels: { status: Object.keys(REFUSALS), code: REFUSAL_CODES },
      combined: isRefusal,
      read: ({ workers }) => summedBy(['status', 'code'], workers, w => w.refused),
    },
    {
      name: 'millrace_connections_limited_total',
      type: 'counter',
      help: 'Of those, upgrades refused because of a limit',
      more: '`anonymous`: `WS_MAX_ANONYMOUS`. `reserved`: the remaining places are reserved for others. `use`: `USE_MAX`, including `subscribe` on open connections. `rate`: attempts per second. `credentials`: too many refused ones, including `auth` on open connections. `overload`: retail clients.',
      labels: { limit: CONNECTION_LIMITS },
      read: ({ workers }) => summedBy(['limit'], workers, w => w.limited),
    },
    {
      name: 'millrace_connections_pending_refused_total',
      type: 'counter',
      help: 'TCP connections closed unread, beyond `WS_MAX_PENDING` or `WS_MAX_PENDING_PER_IP`',
      read: ({ workers }) => sum(workers, w => w.pendingRefused),
    },
    {
      name: 'millrace_closes_total',
      type: 'counter',
      help: 'Connections closed, by the side that began it and the close code',
      more: 'Those of the gateway include explained refusals (`explain=1`). Those of clients: 1005 without a code, 1006 where the connection broke, `other` for any other code.',
      labels: { side: ['gateway', 'client'], code: [...new Set([...GATEWAY_CLOSES, ...CLIENT_CLOSES])] },
      combined: isClose,
      read: ({ workers }) => [
        ...summedBy(['code'], workers, w => w.closes).map(
          ([{ code = '' }, n]) => [{ side: 'gateway', code }, n] as const,
        ),
        ...summedBy(['code'], workers, w => w.clientCloses).map(
          ([{ code = '' }, n]) => [{ side: 'client', code }, n] as const,
        ),
      ],
    },
    {
      name: 'millrace_pings_total',
      type: 'counter',
      help: 'Pings sent',
      read: ({ workers }) => sum(workers, w => w.pings),
    },
  ],
};

export const commandMetrics: MetricGroup = {
  title: 'Messages of clients',
  metrics: [
    {
      name: 'millrace_client_messages_total',
      type: 'counter',
      help: 'Messages received from clients',
      read: ({ workers }) => sum(workers, w => w.received),
    },
    {
      name: 'millrace_client_bytes_total',
      type: 'counter',
      help: 'Bytes received from clients',
      read: ({ workers }) => sum(workers, w => w.receivedBytes),
    },
    {
      name: 'millrace_error_frames_total',
      type: 'counter',
      help: 'Error frames sent to clients, by code',
      labels: { code: Object.keys(ERROR_CODES) },
      read: ({ workers }) => summedBy(['code'], workers, w => w.errorFrames),
    },
    {
      name: 'millrace_messages_refused_total',
      type: 'counter',
      help: 'Client messages refused unread because of `WS_MESSAGE_RATE` or `WS_COST_RATE`',
      more: 'The client gets `rate_limited`.',
      read: ({ workers }) => sum(workers, w => w.messagesRefused),
    },
    {
      name: 'millrace_work_units_total',
      type: 'counter',
      help: 'Work charged to clients, in units of about 1 µs of CPU',
      more: 'See [limits.md](limits.md).',
      read: ({ workers }) => sum(workers, w => w.work.units),
    },
    {
      name: 'millrace_work_refused_total',
      type: 'counter',
      help: 'Upgrades, messages and commands refused because a work budget was used up',
      more: 'The budget of a connection, a user or an address (`WS_COST_RATE`).',
      read: ({ workers }) => sum(workers, w => w.work.refused),
    },
    {
      name: 'millrace_publish_rate_refused_total',
      type: 'counter',
      help: 'Room messages refused because of `ROOM_BYTES_RATE`',
      more: 'The client gets `rate_limited`.',
      read: ({ workers }) => sum(workers, w => w.publishedOverRate),
    },
  ],
};
