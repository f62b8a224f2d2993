import { FEED_ERROR_KINDS } from '../../feed-contract/feed-errors.js';
import { REJECT_REASONS, STALE_REASON_NAMES } from '../../protocol/codes.js';
import { SOURCE_KINDS } from '../../protocol/topics.js';
import type { FeedUpstreams, MainStats } from '../main-stats.js';
import { by, flag, type MetricGroup, type Series } from './metric.js';

/** A series for each of the two upstreams; none without a backup. */
function byUpstream(
  { feedUpstreams }: MainStats,
  value: (upstream: FeedUpstreams['upstreams'][number], all: FeedUpstreams) => number | undefined,
): Series[] {
  if (feedUpstreams === undefined) return [];
  return feedUpstreams.upstreams.flatMap(upstream => {
    const n = value(upstream, feedUpstreams);
    return n === undefined ? [] : [[{ upstream: upstream.name }, n] as const];
  });
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);

const UPSTREAM = '`primary`, `backup`';
const NO_BACKUP = 'without `NATS_BACKUP_URL`';

export const feedMetrics: MetricGroup = {
  title: 'Feed',
  metrics: [
    {
      name: 'millrace_feed_live',
      type: 'gauge',
      help: '1 while the feed delivers, 0 while its upstream is lost',
      more: 'Clients keep the last values.',
      read: ({ main }) => flag(main.feedLive),
    },
    {
      name: 'millrace_feed_silence_seconds',
      type: 'gauge',
      help: 'Time since the last message from the feed',
      absent: 'before the first message',
      read: ({ main }) => seconds(main.feedSilentMs),
    },
    {
      name: 'millrace_feed_messages_total',
      type: 'counter',
      help: 'Messages received from the feed',
      labels: { kind: SOURCE_KINDS },
      read: ({ main }) =>
        by(
          'kind',
          main.kinds.map(({ kind, messages }) => [kind, messages]),
        ),
    },
    {
      name: 'millrace_feed_bytes_total',
      type: 'counter',
      help: 'Payload bytes of those messages',
      labels: { kind: SOURCE_KINDS },
      read: ({ main }) =>
        by(
          'kind',
          main.kinds.map(({ kind, bytes }) => [kind, bytes]),
        ),
    },
    {
      name: 'millrace_feed_last_message_timestamp_seconds',
      type: 'gauge',
      help: 'When the last message of each kind arrived, as Unix time; 0 before the first',
      labels: { kind: SOURCE_KINDS },
      read: ({ main }) =>
        by(
          'kind',
          main.kinds.map(({ kind, lastSeconds }) => [kind, lastSeconds]),
        ),
    },
    {
      name: 'millrace_feed_behind_messages',
      type: 'gauge',
      help: 'JetStream: messages in the stream not read yet',
      read: ({ main }) => main.feedHealth?.behind ?? 0,
    },
    {
      name: 'millrace_feed_headers_ignored_total',
      type: 'counter',
      help: 'Unusable headers `Ts-Event`, `Seq` or `Epoch`',
      more: 'The log names each kind once.',
      read: ({ main }) => main.feedHealth?.headersIgnored ?? 0,
    },
    {
      name: 'millrace_feed_errors_total',
      type: 'counter',
      help: 'What NATS refused or reported as an error',
      more: 'The first three are permissions; `connection` is counted at the start. The log names each kind, with the words of the server. Alert on any increase.',
      labels: { kind: FEED_ERROR_KINDS },
      read: ({ main }) => by('kind', main.feedHealth?.errors ?? []),
    },
    {
      name: 'millrace_feed_reconnects_total',
      type: 'counter',
      help: 'Connections to NATS made again after a disconnect',
      read: ({ main }) => main.feedHealth?.reconnects ?? 0,
    },
    {
      name: 'millrace_feed_consumer_recreations_total',
      type: 'counter',
      help: 'JetStream: consumers created after the first, because it was lost or its messages stopped',
      read: ({ main }) => main.feedHealth?.consumerRecreations ?? 0,
    },
    {
      name: 'millrace_feed_round_trip_seconds',
      type: 'gauge',
      help: 'How long a ping to NATS waits for its answer, behind all messages queued for this gateway',
      more: 'A server cuts a client whose queue it cannot write for `write_deadline` (10 s by default): alert on 2 s.',
      absent: 'before the first answer, and without NATS',
      read: ({ main }) => seconds(main.feedHealth?.roundTripMs),
    },
    {
      name: 'millrace_feed_queued_bytes',
      type: 'gauge',
      help: 'Bytes that NATS had pending for this gateway at the last ping',
      more: 'A server cuts a client beyond `max_pending` (64 MiB by default).',
      read: ({ main }) => main.feedHealth?.queuedBytes ?? 0,
    },
    {
      name: 'millrace_feed_upstream_active',
      type: 'gauge',
      help: '1 for the upstream being read',
      labels: { upstream: UPSTREAM },
      absent: NO_BACKUP,
      read: ({ main }) => byUpstream(main, ({ name }, { active }) => flag(name === active)),
    },
    {
      name: 'millrace_feed_upstream_live',
      type: 'gauge',
      help: '1 while the upstream is connected',
      labels: { upstream: UPSTREAM },
      absent: NO_BACKUP,
      read: ({ main }) => byUpstream(main, ({ isLive }) => flag(isLive)),
    },
    {
      name: 'millrace_feed_upstream_silence_seconds',
      type: 'gauge',
      help: 'Time since the last message from the upstream',
      labels: { upstream: UPSTREAM },
      absent: `${NO_BACKUP}, and before the first message`,
      read: ({ main }) => byUpstream(main, ({ silentMs }) => seconds(silentMs)),
    },
    {
      name: 'millrace_feed_failovers_total',
      type: 'counter',
      help: 'Switches to the backup',
      read: ({ main }) => main.feedUpstreams?.failovers ?? 0,
    },
    {
      name: 'millrace_feed_upstream_duplicates_total',
      type: 'counter',
      help: 'Numbered messages dropped because the other upstream delivered them first',
      read: ({ main }) => main.feedUpstreams?.duplicates ?? 0,
    },
  ],
};

export const hubMetrics: MetricGroup = {
  title: 'Hub',
  metrics: [
    {
      name: 'millrace_topics_unavailable_total',
      type: 'counter',
      help: 'Requests for topics that NATS does not let this gateway follow',
      more: 'Clients get `unavailable`.',
      read: ({ main }) => main.topicsUnavailable,
    },
    {
      name: 'millrace_feed_ignored_total',
      type: 'counter',
      help: 'Messages that no client of this gateway needs',
      more: 'Orders of users who are not connected, and unknown subjects.',
      read: ({ main }) => main.ignored,
    },
    {
      name: 'millrace_feed_duplicates_total',
      type: 'counter',
      help: 'Messages dropped because their sequence number was not new',
      read: ({ main }) => main.duplicates,
    },
    {
      name: 'millrace_feed_gaps_total',
      type: 'counter',
      help: 'Holes in the sequences of publishers',
      read: ({ main }) => main.gaps,
    },
    {
      name: 'millrace_feed_rejected_total',
      type: 'counter',
      help: 'Invalid messages, put on `deadletter.<subject>`',
      labels: { reason: Object.keys(REJECT_REASONS) },
      read: ({ main }) => by('reason', main.rejected),
    },
    {
      name: 'millrace_topics_stale',
      type: 'gauge',
      help: 'State subjects held back until a whole message arrives',
      more: 'A message is missing; clients see `stale`.',
      labels: { reason: STALE_REASON_NAMES },
      read: ({ main }) => by('reason', main.held),
    },
    {
      name: 'millrace_topics_stale_total',
      type: 'counter',
      help: 'Times a state subject was held back',
      labels: { reason: STALE_REASON_NAMES },
      read: ({ main }) => by('reason', main.holdsTotal),
    },
    {
      name: 'millrace_subjects',
      type: 'gauge',
      help: 'Subjects followed',
      read: ({ main }) => main.subjects,
    },
    {
      name: 'millrace_subjects_refused_total',
      type: 'counter',
      help: 'Topics and publications refused for lack of room',
      more: 'Topics beyond `WS_MAX_CLIENT_TOPICS` or the share of a user get `too_many_subscriptions`; publications get `rate_limited`.',
      read: ({ main }) => main.subjectsRefused,
    },
    {
      name: 'millrace_topic_shares_refused_total',
      type: 'counter',
      help: 'Of those, topics and rooms beyond the share of one user',
      read: ({ main }) => main.topicSharesRefused,
    },
    {
      name: 'millrace_queue_bytes',
      type: 'gauge',
      help: 'Bytes queued for encoders',
      read: ({ main }) => main.queuedBytes,
    },
    {
      name: 'millrace_queue_events_dropped_total',
      type: 'counter',
      help: 'Events lost to a full queue, announced as gaps',
      more: 'The reason of the gap is `overload`.',
      read: ({ main }) => main.eventsDropped,
    },
    {
      name: 'millrace_queue_states_skipped_total',
      type: 'counter',
      help: 'State messages skipped for newer ones because a queue was full',
      read: ({ main }) => main.statesSkipped,
    },
    {
      name: 'millrace_delayed_topics',
      type: 'gauge',
      help: 'Topics whose data is held back for users without real-time access',
      read: ({ main }) => main.delayed.topics,
    },
    {
      name: 'millrace_delayed_bytes',
      type: 'gauge',
      help: 'Memory allocated for that data',
      more: 'At most `DELAYED_BYTES`.',
      read: ({ main }) => main.delayed.usedBytes,
    },
    {
      name: 'millrace_delayed_released_total',
      type: 'counter',
      help: 'Delayed documents and trades that were released',
      read: ({ main }) => main.delayed.released,
    },
    {
      name: 'millrace_delayed_dropped_total',
      type: 'counter',
      help: 'Delayed documents and trades that found no room in `DELAYED_BYTES`',
      more: 'A document is captured again later; trades are lost and announced as gaps with the reason `overload`.',
      read: ({ main }) => main.delayed.dropped,
    },
  ],
};
