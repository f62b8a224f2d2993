import { event, type LogEventGroup } from './event.js';

export const feedEvents: LogEventGroup = {
  title: 'Feed and topics',
  events: {
    feed_status: event(
      ['info', 'warn'],
      'feed status',
      'the feed is `live`, `stale` (clients keep the last values) or on its backup (`failover`)',
      'feed',
      'status',
      'detail',
    ),
    feed_notice: event(
      'warn',
      'feed notice',
      'NATS refuses or reports something, or the gateway adapts to it; `what` says what, `detail` has the words of the server',
      'what',
      'detail',
    ),
    recording_line_skipped: event(
      'warn',
      'line of the recording skipped',
      'it is not what `millrace record` writes',
      'line',
      'reason',
    ),
    topic_held_back: event(
      'warn',
      'topic held back: waiting for a whole message',
      'a message is missing or was refused; clients see `stale`',
      'subject',
      'reason',
      'suppressed',
    ),
    topic_whole: event('info', 'topic is whole again', 'clients get a snapshot', 'subject', 'suppressed'),
    message_rejected: event(
      'warn',
      'invalid message dead-lettered',
      'a message of a publisher is invalid; `deadletter.<subject>` has it',
      'subject',
      'reason',
      'suppressed',
    ),
    order_ignored: event('warn', 'order ignored: not a JSON object', 'a message on `control.…` is no order', 'subject'),
  },
};
