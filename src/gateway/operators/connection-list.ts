/** Lists a thread's connections for operators: filtered, in order, a page at a time. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CircuitState, ConnectionRow } from '../../protocol/admin-rows.js';
import type { AdminTopics, ConnectionQuery, RowKey } from '../../threads/admin-messages.js';
import { Best } from '../../threads/best.js';
import { hasPausedStates, type Session } from '../model/session.js';
import type { Receipts } from '../sending/receipts.js';
import { examinedFor, type SendRates } from './rates.js';
import { timeTextAgo } from './time-text.js';

/** Connections examined in one turn of the loop: about 1 ms, so that market data does not wait for a list. */
const EXAMINED_PER_TURN = 1_000;
/** Connections and their subscriptions, where rates are asked for: as long. */
const RATED_PER_TURN = 20_000;

export interface ListParts {
  readonly worker: number;
  /** Open sessions. */
  readonly sessions: ReadonlySet<Session>;
  /** The id of a connection by its number. */
  readonly idOf: (connection: number) => string;
  readonly receipts: Pick<Receipts, 'ageMs'>;
  readonly rates: SendRates;
  readonly nowMs: () => number;
  /** What `nowMs` is 0 at, on the clock that all threads share. */
  readonly originMs: number;
}

interface Candidate {
  readonly key: RowKey;
  readonly session: Session;
}

export async function listConnections(
  parts: ListParts,
  query: ConnectionQuery,
): Promise<AdminTopics['connections']['answer']> {
  const compare = rowOrder(query.isAscending);
  const best = new Best<Candidate>(query.limit, (a, b) => compare(a.key, b.key));
  const { after } = query;
  const turn = new ListTurn();
  let [total, behind, subscriptions] = [0, 0, 0];
  for (const session of parts.sessions) {
    if (turn.isOver) await turn.next();
    turn.examine(query.sort === 'rate' ? session : undefined);
    if (session.socket === undefined || !isWanted(session, query)) continue;
    total++;
    subscriptions += session.subscriptions.size;
    const key: RowKey = [sortValue(parts, session, query.sort), parts.worker, session.id];
    if (after !== undefined && compare(key, after) <= 0) continue;
    behind++;
    best.add({ key, session });
  }
  const rows: { key: RowKey; row: ConnectionRow }[] = [];
  for (const { key, session } of best.items) {
    if (turn.isOver) await turn.next();
    turn.examine(session);
    rows.push({ key, row: rowOf(parts, session) });
  }
  return { rows, total, behind, subscriptions };
}

/** What one turn of the loop may still do for a list. */
class ListTurn {
  #sessions = EXAMINED_PER_TURN;
  #rated = RATED_PER_TURN;

  get isOver(): boolean {
    return this.#sessions <= 0 || this.#rated <= 0;
  }

  /** @param rated a session whose rate is worked out; undefined: it is only looked at */
  examine(rated: Session | undefined): void {
    this.#sessions--;
    if (rated !== undefined) this.#rated -= examinedFor(rated);
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#sessions = EXAMINED_PER_TURN;
    this.#rated = RATED_PER_TURN;
  }
}

/** Orders rows of all threads: below 0 when `a` comes first. */
export function rowOrder(isAscending: boolean): (a: RowKey, b: RowKey) => number {
  return (a, b) => (isAscending ? a[0] - b[0] : b[0] - a[0]) || a[1] - b[1] || a[2] - b[2];
}

export function rowOf({ worker, idOf, receipts, rates, nowMs }: ListParts, session: Session): ConnectionRow {
  const { credential, traffic, subscriptions } = session;
  const ageMs = nowMs() - traffic.openedMs;
  return {
    id: idOf(session.id),
    user: credential.sub === '' ? null : credential.sub,
    tier: session.tier,
    address: session.address,
    endpoint: session.endpoint,
    format: session.format,
    connected_at: timeTextAgo(ageMs),
    age_seconds: Math.floor(ageMs / 1000),
    subscriptions: subscriptions.size,
    buffered_bytes: bufferedBytesOf(session),
    rate_bytes_per_second: Math.round(rates.of(session)),
    age_of_data_ms: Math.round(receipts.ageMs(session)),
    circuit: circuitOf(session),
    conflation_steps: session.conflation.level,
    worker,
  };
}

export const bufferedBytesOf = ({ socket }: Session): number => socket?.getBufferedAmount() ?? 0;

function circuitOf({ flow: { circuit } }: Session): CircuitState {
  if (circuit.isOpen) return 'open';
  return circuit.opens > 0 ? 'half_open' : 'closed';
}

function sortValue({ rates, originMs }: ListParts, session: Session, sort: ConnectionQuery['sort']): number {
  if (sort === 'buffered') return bufferedBytesOf(session);
  if (sort === 'rate') return rates.of(session);
  // Not the age, which grows between two pages: a connection has the same value on each, to the last bit.
  return -(originMs + session.traffic.openedMs);
}

function isWanted(session: Session, query: ConnectionQuery): boolean {
  const { user, address, tier, format, topic, endpoint, condition } = query;
  return (
    (user === undefined || session.credential.sub === user) &&
    (address === undefined || session.address === address) &&
    (tier === undefined || session.tier === tier) &&
    (format === undefined || session.format === format) &&
    (endpoint === undefined || session.endpoint === endpoint) &&
    (topic === undefined || session.subscriptions.has(topic)) &&
    (condition === undefined || isInCondition(session, condition))
  );
}

function isInCondition(session: Session, condition: NonNullable<ConnectionQuery['condition']>): boolean {
  switch (condition) {
    case 'slow':
      return bufferedBytesOf(session) > 0 || hasPausedStates(session) || circuitOf(session) !== 'closed';
    case 'conflated':
      return session.conflation.level > 0;
    case 'lagging':
      return session.flow.laggingToldMs > 0;
    case 'circuit_open':
      return session.isSuspended;
    case 'idle':
      return session.subscriptions.size === 0;
  }
}
