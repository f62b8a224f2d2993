/** What operators order of the gateway as a whole: revocations, drain, log level, notices. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { revocationOf } from '../auth/revocation-text.js';
import { hostNameOf } from '../config/hosts.js';
import { reachableHost } from '../config/reachable-host.js';
import { ANY_ADDRESS, LOG_LEVELS } from '../config/variables/process.js';
import { monotonicMicros, timeOfDayAt } from '../protocol/wall-clock.js';
import { revocationsPage } from '../revocation/listing.js';
import { type NoticeFrame, type NoticeTarget, SEVERITIES } from '../threads/admin-messages.js';
import { failure, json } from './answers.js';
import { type ApiParts, namesOf, shownTopic, shownUser } from './api.js';
import { changeLog, reason } from './change-log.js';
import { change, type Route, read } from './route.js';

const NOTICE_LENGTH_MAX = 1_000;
const TEXT_LENGTH_MAX = 1_024;
const CURSOR_LENGTH_MAX = 64;
const level = z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`);
const text = z.string().min(1).max(TEXT_LENGTH_MAX);

export function orderRoutes(parts: ApiParts): Route[] {
  return [
    ...revocationRoutes(parts),
    ...logLevelRoutes(parts),
    drainRoute(parts),
    broadcastRoute(parts),
    liveRoute(parts),
  ];
}

function revocationRoutes(parts: ApiParts): Route[] {
  const { revocations, config } = parts;
  const after = z.string().max(CURSOR_LENGTH_MAX).default('');
  const body = z.strictObject({ sub: text.optional(), jti: text.optional(), api_key: text.optional(), reason });
  return [
    read('/revocations', { query: z.strictObject({ after }) }, ({ query }) => {
      const page = revocationsPage(revocations, query.after);
      return page === undefined ? failure('invalid', 'after must be the next of a page') : json(page);
    }),
    change('/revocations', { body }, async ({ body: order, caller }) => {
      const atMs = timeOfDayAt(monotonicMicros()) / 1000;
      const revocation = revocationOf({ ...given(order), author: caller.name }, Math.floor(atMs));
      if (revocation === undefined) {
        return failure('invalid', 'name exactly one of sub, jti and api_key, with a valid value');
      }
      const { by, value } = revocation;
      const stored = await revocations.revoke(revocation);
      const target = by === 'sub' ? { user: shownUser(config(), value) } : { [by]: value };
      changeLog(
        parts,
        caller,
        'revoke',
        order.reason,
      )(stored === undefined ? 'no_room' : 'done', { ...target, stored }, by === 'sub' ? { user: value } : {});
      if (stored === undefined) return failure('unavailable', 'this gateway has no room for another revocation');
      const expiresAtMs = revocations.expiresAtMs(revocation);
      return json({
        by,
        value,
        at: new Date(revocation.atMs).toISOString(),
        expires: Number.isFinite(expiresAtMs) ? new Date(expiresAtMs).toISOString() : null,
        author: caller.name,
        stored,
      });
    }),
  ];
}

/** Without members that are undefined. */
const given = (order: object) => Object.fromEntries(Object.entries(order).filter(([, value]) => value !== undefined));

function logLevelRoutes(parts: ApiParts): Route[] {
  const { log, config } = parts;
  const answer = () => json({ level: log.level, configured: config().logLevel });
  return [
    read('/log-level', {}, answer),
    change('/log-level', { method: 'PUT', body: z.strictObject({ level, reason }) }, async ({ body, caller }) => {
      const before = log.level;
      const logged = changeLog(parts, caller, 'log_level', body.reason);
      // This line is written whatever the two levels hide.
      if (!log.isLevelEnabled('warn')) log.level = 'warn';
      logged('done', { from: before, to: body.level });
      log.level = body.level;
      return answer();
    }),
  ];
}

function drainRoute(parts: ApiParts): Route {
  return change('/drain', { body: z.strictObject({ reason }) }, async ({ body, caller }) => {
    const already = parts.isDraining();
    const connections = parts.history.loads.reduce((sum, load) => sum + (load?.open ?? 0), 0);
    changeLog(parts, caller, 'drain', body.reason)(already ? 'already_draining' : 'done', { connections });
    parts.drain();
    return json({ draining: true, already, connections });
  });
}

function broadcastRoute(parts: ApiParts): Route {
  const { questions, config } = parts;
  const to = z.union(
    [z.strictObject({ all: z.literal(true) }), z.strictObject({ user: text }), z.strictObject({ topic: text })],
    'must be {"all":true}, {"user":…} or {"topic":…}',
  );
  const body = z.strictObject({
    message: z.string().min(1).max(NOTICE_LENGTH_MAX),
    severity: z.enum(SEVERITIES, `must be one of ${SEVERITIES.join(', ')}`).default('info'),
    to,
    reason,
  });
  return change('/broadcast', { body }, async ({ body: { message, severity, to: target, reason: why }, caller }) => {
    const time = new Date(timeOfDayAt(monotonicMicros()) / 1000).toISOString();
    const frame: NoticeFrame = { type: 'notice', severity, message, time };
    const { answers, silent } = await questions.all('notice', { frame, to: target });
    const sent = answers.reduce((sum, { answer }) => sum + answer.sent, 0);
    const skipped = answers.reduce((sum, { answer }) => sum + answer.skipped, 0);
    const silentThreads = namesOf(silent);
    changeLog(
      parts,
      caller,
      'broadcast',
      why,
    )(
      silent.length === 0 ? 'done' : 'in_part',
      {
        severity,
        message,
        to: shownTarget(config(), target),
        sent,
        skipped,
        silentThreads,
      },
      'all' in target ? {} : target,
    );
    return json({ sent, skipped, silent_threads: silentThreads });
  });
}

function shownTarget(config: ReturnType<ApiParts['config']>, to: NoticeTarget): NoticeTarget {
  if ('user' in to) return { user: shownUser(config, to.user) };
  return 'topic' in to ? { topic: shownTopic(config, to.topic) } : to;
}

function liveRoute(parts: ApiParts): Route {
  const { live, config } = parts;
  return change('/live-token', { body: z.strictObject({ reason }), isForOperators: true }, async request => {
    const { token, expiresAtMs } = live.mint(request.origin);
    changeLog(parts, request.caller, 'live_token', request.body.reason)('done', { origin: request.origin });
    const { host, tls } = config();
    const name = host === ANY_ADDRESS || host === '::' ? hostNameOf(request.host) : reachableHost(host);
    const authority = `${isIP(name) === 6 ? `[${name}]` : name}:${parts.parts().workers.port}`;
    const url = `${tls === undefined ? 'ws' : 'wss'}://${authority}`;
    return json({ token, url, expires_at: new Date(expiresAtMs).toISOString() });
  });
}
