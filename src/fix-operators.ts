/** Answers what the main thread asks the FIX thread on behalf of operators. */
import { performance } from 'node:perf_hooks';
import { threadId } from 'node:worker_threads';
import { durationText } from './config/duration.js';
import type { FixConnection } from './fix/connection.js';
import type { FixLatency } from './fix/latency.js';
import type { Subscription } from './fix/market/subscription.js';
import type { FixViews } from './fix/market/views.js';
import type { FixServer } from './fix/server.js';
import type { ConnectionIds } from './gateway/model/connection-ids.js';
import { credentialOf } from './gateway/operators/connection-detail.js';
import { rowOrder } from './gateway/operators/connection-list.js';
import { timeTextAgo } from './gateway/operators/time-text.js';
import type { ClientLog } from './gateway/supervision/client-log.js';
import type { ConnectionRow, SubscriptionRow } from './protocol/admin-rows.js';
import { CloseCode } from './protocol/close-code.js';
import { STREAMS } from './protocol/topics.js';
import { monotonicMicros } from './protocol/wall-clock.js';
import type {
  AdminQuestion,
  AdminTopics,
  ConnectionDetail,
  ConnectionQuery,
  LoadSample,
  NoticeFrame,
  NoticeTarget,
  RowKey,
} from './threads/admin-messages.js';
import { Best } from './threads/best.js';
import type { FixEnd } from './threads/fix-stats.js';
import { classNameOfLane, detailOfLane, levelsOfDetail } from './threads/lanes.js';

/** Of operators' lists: FIX is no WebSocket endpoint. */
const ENDPOINT = 'fix';
const TOPICS_MAX = 1_000;
const ENDED = 'ended by an operator; ask before you log on again';
/** What a client is told, by the code that a WebSocket would get. */
const ENDS: ReadonlyMap<CloseCode, FixEnd> = new Map([
  [CloseCode.revoked, 'revoked'],
  [CloseCode.forbidden, 'revoked'],
]);

interface FixOperatorsOptions {
  readonly worker: number;
  readonly server: FixServer;
  readonly views: FixViews;
  readonly latency: FixLatency;
  readonly ids: ConnectionIds;
  readonly log: Pick<ClientLog, 'shown'>;
  readonly nowMs: () => number;
}

export class FixOperators {
  readonly #options: FixOperatorsOptions;
  #utilised = performance.eventLoopUtilization();

  constructor(options: FixOperatorsOptions) {
    this.#options = options;
  }

  answer(question: AdminQuestion): unknown {
    switch (question.about) {
      case 'sample':
        return this.#sample();
      case 'connections':
        return this.#list(question.query);
      case 'connection':
        return this.#detail(question.connection);
      case 'end':
        return this.#end(question.connection, question.code);
      case 'subscribers':
        return this.#subscribers();
      case 'document':
        // Gateway threads have documents in JSON.
        return undefined;
      case 'notice':
        return this.#notice(question.frame, question.to);
    }
  }

  /** Those that are logged on. */
  get #sessions(): FixConnection[] {
    return [...this.#options.server.connections].filter(({ session }) => session.isActive);
  }

  #sample(): LoadSample {
    const { server, views, latency } = this.#options;
    const before = this.#utilised;
    this.#utilised = performance.eventLoopUtilization();
    const sessions = this.#sessions;
    const { ended } = server;
    const buckets = latency.counts.realtime.buckets;
    return {
      thread: threadId,
      open: sessions.length,
      deliveries: sessions.reduce((sum, { messagesOut }) => sum + messagesOut, ended.messagesOut),
      sentBytes: sessions.reduce((sum, { sentBytes }) => sum + sentBytes, ended.sentBytes),
      refused: ended.logonsRefused,
      bufferedBytes: sessions.reduce((sum, { buffered }) => sum + buffered, 0),
      circuitsOpen: sessions.filter(({ isPaused }) => isPaused).length,
      views: views.size,
      loopDelayMs: 0,
      frameAgeMs: 0,
      latencyBuckets: buckets,
      // What clients read is known of WebSockets only.
      ageBuckets: buckets.map(() => 0),
      utilisation: performance.eventLoopUtilization(this.#utilised, before).utilization,
    };
  }

  #list(query: ConnectionQuery): AdminTopics['connections']['answer'] {
    const compare = rowOrder(query.isAscending);
    const best = new Best<{ readonly key: RowKey; readonly connection: FixConnection }>(query.limit, (a, b) =>
      compare(a.key, b.key),
    );
    let [total, behind, subscriptions] = [0, 0, 0];
    for (const connection of this.#sessions) {
      if (!isWanted(connection, query)) continue;
      total++;
      subscriptions += connection.market?.topics ?? 0;
      const key: RowKey = [this.#sortValue(connection, query.sort), this.#options.worker, connection.id];
      if (query.after !== undefined && compare(key, query.after) <= 0) continue;
      behind++;
      best.add({ key, connection });
    }
    const rows = best.items.map(({ key, connection }) => ({ key, row: this.#rowOf(connection) }));
    return { rows, total, behind, subscriptions };
  }

  #sortValue(connection: FixConnection, sort: ConnectionQuery['sort']): number {
    if (sort === 'buffered') return connection.buffered;
    if (sort === 'rate') return this.#rateOf(connection);
    return Math.round(this.#options.nowMs() - connection.openedMs - monotonicMicros() / 1000);
  }

  /** Bytes a second since it opened. */
  #rateOf({ sentBytes, openedMs }: FixConnection): number {
    return (sentBytes * 1000) / Math.max(1000, this.#options.nowMs() - openedMs);
  }

  #rowOf(connection: FixConnection): ConnectionRow {
    const { ids, nowMs, worker } = this.#options;
    const { id, address, credential, market, buffered, openedMs, isPaused, level } = connection;
    const ageMs = nowMs() - openedMs;
    return {
      id: ids.text(id),
      user: credential?.sub ?? null,
      tier: credential?.tier ?? 'retail',
      address,
      endpoint: ENDPOINT,
      format: ENDPOINT,
      connected_at: timeTextAgo(ageMs),
      age_seconds: Math.floor(ageMs / 1000),
      subscriptions: market?.topics ?? 0,
      buffered_bytes: buffered,
      rate_bytes_per_second: Math.round(this.#rateOf(connection)),
      age_of_data_ms: 0,
      circuit: isPaused ? 'open' : 'closed',
      conflation_steps: level,
      worker,
    };
  }

  #detail(id: string): ConnectionDetail | undefined {
    const connection = this.#find(id);
    const { credential, market } = connection ?? {};
    if (connection === undefined || credential === undefined) return undefined;
    const { receivedBytes, sentBytes, lastReceivedMs, isPaused, stalls } = connection;
    return {
      ...this.#rowOf(connection),
      roles: credential.roles,
      entitlements: credential.entitlements ?? null,
      credential: credentialOf(credential),
      stamped: false,
      received_bytes: receivedBytes,
      sent_bytes: sentBytes,
      round_trip_ms: null,
      last_seen_at: timeTextAgo(this.#options.nowMs() - lastReceivedMs),
      in_flight_bytes: 0,
      paused_ms: null,
      lagging: isPaused,
      circuit_opens: stalls,
      closing: !connection.session.isActive,
      topics: [...(market?.subscriptions() ?? [])].flatMap(rowsOf).slice(0, TOPICS_MAX),
      events: [],
    };
  }

  #end(id: string, code: CloseCode): AdminTopics['end']['answer'] {
    const connection = this.#find(id);
    if (connection === undefined) return undefined;
    connection.end(ENDS.get(code) ?? 'regular', ENDED, true);
    return { user: this.#options.log.shown(connection.credential?.sub ?? '') };
  }

  #find(id: string): FixConnection | undefined {
    const number = this.#options.ids.numberOf(id);
    return this.#sessions.find(connection => connection.id === number);
  }

  #subscribers(): Float64Array {
    const counts = new Map<number, number>();
    for (const { source, stream, users } of this.#options.views.all()) {
      if (source < 0) continue;
      const key = source * STREAMS.length + STREAMS.indexOf(stream);
      counts.set(key, (counts.get(key) ?? 0) + users.size);
    }
    return Float64Array.from([...counts].flat());
  }

  #notice({ severity, message }: NoticeFrame, to: NoticeTarget): AdminTopics['notice']['answer'] {
    let [sent, skipped] = [0, 0];
    for (const { market, credential, isPaused } of this.#sessions) {
      const isMeant = 'user' in to ? credential?.sub === to.user : 'all' in to || hasTopic(market, to.topic);
      if (!isMeant || market === undefined) continue;
      if (isPaused) skipped++;
      else {
        market.news([], `NOTICE ${severity.toUpperCase()}`, message);
        sent++;
      }
    }
    this.#options.server.flush();
    return { sent, skipped };
  }
}

function isWanted(connection: FixConnection, query: ConnectionQuery): boolean {
  const { user, address, tier, format, topic, endpoint, condition } = query;
  const { credential, market, isPaused, level, buffered } = connection;
  const conditions = {
    slow: isPaused || buffered > 0,
    conflated: level > 0,
    lagging: isPaused,
    circuit_open: isPaused,
    idle: (market?.topics ?? 0) === 0,
  };
  return (
    (user === undefined || credential?.sub === user) &&
    (address === undefined || connection.address === address) &&
    (tier === undefined || credential?.tier === tier) &&
    (format === undefined || format === ENDPOINT) &&
    (endpoint === undefined || endpoint === ENDPOINT) &&
    (topic === undefined || hasTopic(market, topic)) &&
    (condition === undefined || conditions[condition])
  );
}

function hasTopic(market: FixConnection['market'], topic: string): boolean {
  return [...(market?.subscriptions() ?? [])].some(({ views }) => views.some(view => view.topic === topic));
}

function rowsOf({ views, isLive, request }: Subscription): SubscriptionRow[] {
  return views.map(({ topic, stream, lane, delayMs, epoch, seq }) => ({
    topic,
    class: classNameOfLane(lane),
    served_class: classNameOfLane(lane),
    levels:
      stream === 'depth' || stream === 'orderbook'
        ? Math.min(request.levels, levelsOfDetail(detailOfLane(lane)))
        : null,
    delay: delayMs === 0 ? null : durationText(delayMs),
    state: isLive || stream === 'trades' ? 'live' : 'waiting',
    epoch,
    seq,
  }));
}
