/** Connections and users. */
import { z } from 'zod';
import { rowOrder } from '../gateway/operators/connection-list.js';
import { CloseCode } from '../protocol/close-code.js';
import { isUser } from '../protocol/user-subject.js';
import { FORMATS, TIERS } from '../protocol/view-options.js';
import {
  type AdminTopics,
  CONNECTION_CONDITIONS,
  CONNECTION_SORTS,
  type ConnectionDetail,
  type ConnectionQuery,
} from '../threads/admin-messages.js';
import { Best } from '../threads/best.js';
import { type Answer, failure, json } from './answers.js';
import { type ApiParts, namesOf } from './api.js';
import { changeLog, reason } from './change-log.js';
import { cursor, cursorOf, limit } from './page.js';
import { change, type Route, read } from './route.js';

const TEXT_LENGTH_MAX = 1_024;
/** A user's connections in one answer. */
const OF_USER_MAX = 100;
const ENDPOINTS = ['general', 'quotes', 'trades', 'markets', 'orders', 'analytics', 'fix'] as const;

const text = z.string().max(TEXT_LENGTH_MAX);
const oneOf = <const V extends string>(values: readonly [V, ...V[]]) =>
  z.enum(values, `must be one of ${values.join(', ')}`);
const key = z.tuple([z.number(), z.int().min(0), z.int().min(0)]);

const query = z.strictObject({
  user: text.optional(),
  address: text.optional(),
  tier: oneOf(TIERS).optional(),
  format: oneOf([...FORMATS, 'fix']).optional(),
  topic: text.optional(),
  endpoint: oneOf(ENDPOINTS).optional(),
  condition: oneOf(CONNECTION_CONDITIONS).optional(),
  sort: oneOf(CONNECTION_SORTS).default('buffered'),
  order: oneOf(['desc', 'asc']).default('desc'),
  limit,
  after: cursor(key).optional(),
});

export function connectionRoutes(parts: ApiParts): Route[] {
  const { questions } = parts;
  return [
    read('/connections', { query }, async ({ query: { order, ...rest } }) => {
      const {
        page,
        silent,
        subscriptions: _,
        ...counts
      } = await list(parts, { ...rest, isAscending: order === 'asc' });
      const last = page.at(-1);
      return json({
        connections: page.map(({ row }) => row),
        total: counts.total,
        has_more: counts.hasMore,
        next: counts.hasMore && last !== undefined ? cursorOf(last.key) : null,
        silent_threads: silent,
      });
    }),
    read('/connections/*', {}, async ({ id }) => {
      const found = await questions.all('connection', { connection: id });
      return one(
        found.answers.map(({ answer }) => answer),
        found.silent,
        (detail: ConnectionDetail) => json(detail),
      );
    }),
    change('/connections/*', { method: 'DELETE', body: ENDED }, async ({ id, body, caller }) => {
      const logged = changeLog(parts, caller, 'end_connection', body.reason);
      const found = await questions.all('end', { connection: id, code: body.code });
      const answer = one(
        found.answers.map(one => one.answer),
        found.silent,
        ({ user }: NonNullable<AdminTopics['end']['answer']>) => {
          logged('done', { connection: id, code: body.code, user }, { c: id });
          return json({ id, code: body.code });
        },
      );
      if (answer.status !== 200)
        logged(answer.status === 404 ? 'not_found' : 'unavailable', { connection: id }, { c: id });
      return answer;
    }),
    read('/users/*', {}, ({ id }) => user(parts, id)),
  ];
}

const ENDED = z.strictObject({
  reason,
  code: z
    .literal([CloseCode.goingAway, CloseCode.forbidden], `must be ${CloseCode.goingAway} or ${CloseCode.forbidden}`)
    .default(CloseCode.goingAway),
});

/** The one thread that knows the connection answers for it. */
function one<Found>(
  answers: readonly (Found | undefined)[],
  silent: readonly number[],
  then: (found: Found) => Answer,
): Answer {
  const found = answers.find(answer => answer !== undefined);
  if (found !== undefined) return then(found);
  if (silent.length === 0) return failure('not_found', 'no such connection');
  return failure('unavailable', `no answer from ${namesOf(silent).join(', ')}`);
}

async function list({ questions }: ApiParts, asked: ConnectionQuery) {
  const { answers, silent } = await questions.all('connections', { query: asked });
  const compare = rowOrder(asked.isAscending);
  type Row = AdminTopics['connections']['answer']['rows'][number];
  const best = new Best<Row>(asked.limit, (a, b) => compare(a.key, b.key));
  let [total, behind, subscriptions] = [0, 0, 0];
  for (const { answer } of answers) {
    total += answer.total;
    behind += answer.behind;
    subscriptions += answer.subscriptions;
    for (const row of answer.rows) best.add(row);
  }
  return { page: best.items, total, subscriptions, hasMore: behind > best.items.length, silent: namesOf(silent) };
}

async function user(parts: ApiParts, name: string): Promise<Answer> {
  if (!isUser(name)) return failure('invalid', 'no user has this name');
  const { limits } = parts.config();
  const asked = { user: name, sort: 'age', isAscending: false, limit: OF_USER_MAX } as const;
  const { page, total, subscriptions, silent } = await list(parts, asked);
  return json({
    user: name,
    total,
    connections: page.map(({ row }) => row),
    subscriptions,
    limits: {
      connections: { used: total, max: limits.connectionsPerUserMax },
      client_topics_max: limits.clientTopicsPerUserMax,
    },
    revocation: revocationOf(parts, name),
    silent_threads: silent,
  });
}

function revocationOf({ revocations }: ApiParts, name: string): object | null {
  const found = revocations.inForce('sub', name);
  if (found === undefined) return null;
  const expiresAtMs = revocations.expiresAtMs(found);
  return {
    at: new Date(found.atMs).toISOString(),
    expires: Number.isFinite(expiresAtMs) ? new Date(expiresAtMs).toISOString() : null,
    author: found.author ?? null,
    reason: found.reason ?? null,
  };
}
