import { event, type LogEventGroup } from './event.js';

const CLIENT_FIELDS = ['connection', 'address', 'user', 'tier'] as const;

export const clientEvents = {
  title: 'Clients',
  events: {
    client_connected: event('info', 'client connected', 'the upgrade is complete', ...CLIENT_FIELDS),
    client_refused: event(
      'info',
      'client refused',
      'a request was not upgraded; with 403, `roles` are those that the gateway read',
      ...CLIENT_FIELDS,
      'status',
      'code',
      'reason',
      'roles',
    ),
    client_stepped_down: event(
      'info',
      'client stepped down: its state topics are sent less often',
      'the client is slow',
      ...CLIENT_FIELDS,
      'steps',
    ),
    client_restored: event(
      'info',
      'client restored: its state topics are sent more often again',
      'it keeps up again',
      ...CLIENT_FIELDS,
      'steps',
    ),
    client_ended: event(
      'info',
      'client ended',
      'the connection is closed',
      ...CLIENT_FIELDS,
      'by',
      'code',
      'reason',
      'durationMs',
      'receivedBytes',
      'sentBytes',
    ),
    client_lines_left_out: event(
      'info',
      'too many events of clients; not all are logged',
      'more than 50 of a kind in a second on one thread',
      'leftOut',
    ),
    long_work: event(
      'warn',
      'work for one connection took too long; closing the connection',
      'longer than `THREAD_BUSY_AFTER`',
      'worker',
      'connection',
      'address',
      'user',
      'action',
      'ms',
      'isStopped',
    ),
    clients_shed: event(
      'warn',
      'slow clients closed: WS_MAX_BUFFERED_TOTAL exceeded',
      'too many bytes waited for slow clients together',
      'worker',
      'sockets',
      'bytes',
      'suppressed',
    ),
  },
} satisfies LogEventGroup;
