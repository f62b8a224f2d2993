/** Everything that a thread knows of one connection, for operators. */
import type { Credential } from '../../auth/credential.js';
import { durationText } from '../../config/duration.js';
import type { SubscriptionRow } from '../../protocol/admin-rows.js';
import type { ConnectionDetail } from '../../threads/admin-messages.js';
import { classNameOfLane, detailOfLane, levelsOfDetail } from '../../threads/lanes.js';
import { sharedNowMs } from '../limits/shared-clock.js';
import type { Session, Subscription } from '../model/session.js';
import { type ListParts, rowOf } from './connection-list.js';
import { sentBytesOf } from './rates.js';
import { timeTextAgo } from './time-text.js';

/** Most topics listed; a connection may have more. */
const TOPICS_MAX = 1_000;

export function detailOf(parts: ListParts, session: Session): ConnectionDetail {
  const { credential, flow, receipt, keepalive, traffic } = session;
  const nowMs = parts.nowMs();
  return {
    ...rowOf(parts, session),
    roles: credential.roles,
    entitlements: credential.entitlements ?? null,
    credential: credential.sub === '' ? null : credentialOf(credential),
    stamped: session.isStamped,
    received_bytes: traffic.receivedBytes,
    sent_bytes: sentBytesOf(session),
    round_trip_ms: Number.isFinite(receipt.roundTripMs) ? receipt.roundTripMs : null,
    last_seen_at: timeTextAgo(nowMs - keepalive.lastSeenMs),
    in_flight_bytes: receipt.flightBytes,
    paused_ms: flow.pausedSinceMs > 0 ? Math.round(nowMs - flow.pausedSinceMs) : null,
    lagging: flow.laggingToldMs > 0,
    circuit_opens: flow.circuit.opens,
    closing: keepalive.closingAtMs > 0,
    topics: [...session.subscriptions.values()].slice(0, TOPICS_MAX).map(subscriptionRow),
    events: session.events.all().map(({ atMs, what, detail }) => ({
      time: timeTextAgo(sharedNowMs() - atMs),
      what,
      detail,
    })),
  };
}

/** A credential as operators see it. */
export function credentialOf(credential: Credential) {
  const { jti, apiKeyId, authority, issuedAtMs, expiresAtMs, firm, professional, use } = credential;
  const kind = apiKeyId !== undefined ? 'api_key' : authority !== undefined ? 'certificate' : 'token';
  return {
    kind,
    id: apiKeyId ?? jti ?? null,
    issued_at: issuedAtMs === undefined ? null : new Date(issuedAtMs).toISOString(),
    expires_at: Number.isFinite(expiresAtMs) ? new Date(expiresAtMs).toISOString() : null,
    firm: firm ?? null,
    professional: professional ?? null,
    use: use ?? null,
  } as const;
}

function subscriptionRow({ topic, stream, asked, state, view }: Subscription): SubscriptionRow {
  const isBook = stream === 'depth' || stream === 'orderbook';
  return {
    topic,
    class: classNameOfLane(asked),
    served_class: classNameOfLane(view.lane),
    levels: isBook ? levelsOfDetail(detailOfLane(asked)) : null,
    delay: view.delayMs === 0 ? null : durationText(view.delayMs),
    state,
    epoch: view.epoch,
    seq: view.lastSeq,
  };
}
