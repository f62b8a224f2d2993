/** What a gateway thread tells operators of its connections, without sockets. */
import { expect, it } from 'vitest';
import type { Session, Socket } from '../../../src/gateway/model/session.js';
import { type ListParts, listConnections } from '../../../src/gateway/operators/connection-list.js';
import { Notices } from '../../../src/gateway/operators/notices.js';
import { SendRates } from '../../../src/gateway/operators/rates.js';
import type { ConnectionQuery, RowKey } from '../../../src/threads/admin-messages.js';
import { newSession } from '../../support/new-session.js';
import { until } from '../../support/until.js';

/** A session whose socket has so many bytes buffered. */
function session(id: number, buffered: number, sub = 'alice'): Session {
  const made = newSession({ id, sub, format: 'json', tier: 'retail' });
  made.open({ getBufferedAmount: () => buffered } as Socket);
  return made;
}

function partsOf(sessions: ReadonlySet<Session>, nowMs = () => 60_000): ListParts {
  const rates = new SendRates(sessions, nowMs);
  return { worker: 0, sessions, idOf: String, receipts: { ageMs: () => 0 }, rates, nowMs, originMs: 1e12 + 0.4 };
}

const all = { sort: 'buffered', isAscending: false, limit: 3 } as const satisfies ConnectionQuery;

it('R61 lists thousands of connections in turns: others are served in between', async () => {
  const sessions = new Set(Array.from({ length: 10_000 }, (_, id) => session(id, id % 100)));
  let turns = 0;
  const count = () => {
    turns++;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  const { rows, total, behind } = await listConnections(partsOf(sessions), all);
  clearImmediate(timer);
  expect(turns).toBeGreaterThanOrEqual(9);
  expect([total, behind, rows.map(({ key }) => key[0])]).toEqual([10_000, 10_000, [99, 99, 99]]);
});

it('R61 lists each connection on one page', async () => {
  const sessions = new Set(Array.from({ length: 50 }, (_, id) => session(id, id % 4)));
  const seen: RowKey[] = [];
  for (let after: RowKey | undefined; ; after = seen.at(-1)) {
    const { rows, behind } = await listConnections(partsOf(sessions), { ...all, limit: 7, after });
    expect(behind).toBe(50 - seen.length);
    seen.push(...rows.map(({ key }) => key));
    if (rows.length === behind) break;
  }
  expect(new Set(seen.map(([, , id]) => id)).size).toBe(50);
});

it('R61 gives a connection the same place by age on each page, though time passes', async () => {
  const sessions = new Set(Array.from({ length: 3_000 }, (_, id) => session(id, 0)));
  const nowMs = performance.now();
  for (const one of sessions) one.traffic.opened(nowMs - one.id * 0.37);
  const parts = partsOf(sessions, () => performance.now());
  const list = async () => {
    const { rows } = await listConnections(parts, { sort: 'age', isAscending: false, limit: 1_000 });
    return rows.map(({ key }) => key);
  };
  const before = await list();
  await until(() => performance.now() % 1 > 0.5);
  expect(await list()).toEqual(before);
  expect(before.map(([, , id]) => id)).toEqual(Array.from({ length: 1_000 }, (_, at) => 2_999 - at));
});

/** Gives a session so many subscriptions. */
function withTopics(one: Session, count: number): Session {
  const topics = new Map(Array.from({ length: count }, (_, at) => [`quotes:${at}`, { publishedBytes: 1 }]));
  return Object.defineProperty(one, 'subscriptions', { value: topics });
}

it('R61 works out rates of wide subscriptions in turns, a few sessions at once', async () => {
  const sessions = new Set(Array.from({ length: 400 }, (_, id) => withTopics(session(id, 0), 1_000)));
  let turns = 0;
  const count = () => {
    turns++;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  const { rows } = await listConnections(partsOf(sessions), { ...all, sort: 'rate', limit: 200 });
  clearImmediate(timer);
  expect(rows).toHaveLength(200);
  // 400 sessions for the order, and 200 for the rows.
  expect(turns).toBeGreaterThanOrEqual(25);
  const measured = new Set<Session>();
  const rates = new SendRates(sessions, () => 0);
  for (const one of sessions) {
    Object.defineProperty(one.traffic, 'sentBytes', { get: () => Number(measured.add(one)) });
  }
  rates.measure();
  expect(measured.size).toBe(20);
});

it('R61 measures how fast a connection is sent bytes', () => {
  const one = session(1, 0);
  let nowMs = 10_000;
  one.traffic.opened(nowMs);
  const rates = new SendRates(new Set([one]), () => nowMs);
  one.traffic.sent(5_000);
  nowMs += 5_000;
  expect(rates.of(one)).toBe(1_000);
  rates.measure();
  one.traffic.sent(4_000);
  nowMs += 500;
  // Half a second says little: the rate before it counts.
  expect(rates.of(one)).toBe(1_000);
  nowMs += 1_500;
  expect(rates.of(one)).toBe(2_000);
});

it('R61 leaves a client out of a notice that does not keep up, and counts it', async () => {
  const [quick, slow, stuck, other] = [session(1, 10), session(2, 1_001), session(3, 0), session(4, 0, 'bob')];
  stuck?.flow.circuit.open(1);
  const sent: number[] = [];
  const outbox = { send: ({ id }: Session) => sent.push(id) > 0 };
  const notices = new Notices({
    sessions: new Set([quick, slow, stuck, other] as Session[]),
    outbox,
    bufferedBytesMax: 1_000,
  });
  const frame = { type: 'notice', severity: 'info', message: 'x', time: '' } as const;
  expect(await notices.send(frame, { user: 'alice' })).toEqual({ sent: 1, skipped: 2 });
  expect(await notices.send(frame, { all: true })).toEqual({ sent: 2, skipped: 2 });
  expect(sent).toEqual([1, 1, 4]);
});
