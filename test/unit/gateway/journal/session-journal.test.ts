/** R70 what the journal is told of connections. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { compileEntitlements, NO_POLICY } from '../../../../src/auth/credential.js';
import { SessionJournal } from '../../../../src/gateway/journal/session-journal.js';
import type { Session } from '../../../../src/gateway/model/session.js';
import { KINDS } from '../../../../src/journal/kinds.js';
import { LISTED_MAX } from '../../../../src/protocol/record-limits.js';
import { RecordedJournal } from '../../../support/journal/recorded.js';
import { newSession } from '../../../support/new-session.js';

let recorded: RecordedJournal;
let journal: SessionJournal;
let session: Session;
let nowMicros = 1_793_613_600_000_000;
let nowMs = 5_000;

beforeEach(() => {
  recorded = new RecordedJournal(() => nowMicros);
  const delivery = recorded.newJournal({ current: 0 }, () => undefined);
  const times = { nowMicros: () => nowMicros, nowMs: () => nowMs };
  journal = new SessionJournal({ delivery, worker: 0, idOf: id => `c${id}`, ...times });
  session = newSession({ id: 7, sub: 'alice', format: 'json', tier: 'institutional', entitlements: ['quotes:*'] });
});

afterEach(() => {
  for (const { t: _, k, ...members } of recorded.records) {
    expect(KINDS[k as keyof typeof KINDS].schema.safeParse(members).error).toBeUndefined();
  }
  recorded.close();
});

it('R70 who connects, and with what rights', () => {
  journal.connected(session);
  journal.connected(newSession({ id: 8, sub: '', format: 'msgpack', tier: 'retail' }));
  const [connected, authenticated, anonymous, none] = recorded.records;
  expect(connected).toMatchObject({ k: 'connected', c: 'c7', user: 'alice', tier: 'institutional', format: 'json' });
  expect(authenticated).toMatchObject({ k: 'authenticated', c: 'c7', by: 'token', entitlements: ['quotes:*'] });
  expect(anonymous).not.toHaveProperty('user');
  expect(none).toMatchObject({ k: 'authenticated', c: 'c8', by: 'none' });
});

it('R70 R74 all that a client may see: by its credential or by default, and by its roles, each once', () => {
  const reserved = Array.from({ length: LISTED_MAX + 1 }, (_, i) => `depth:${i}`);
  const policy = {
    ...NO_POLICY,
    grants: (roles: readonly string[]) => roles.map(role => `analytics:${role}`),
    reserves: (roles: readonly string[]) => (roles.length === 0 ? reserved : []),
  };
  const granted = (roles: readonly string[], own: readonly string[] | undefined, defaults: readonly string[]) => {
    const credential = { ...session.credential, roles, entitlements: own, firm: 'ACME', professional: true };
    session.identity.replace(credential, compileEntitlements(credential, policy, defaults), 0);
    journal.authenticated(session);
    return recorded.records.at(-1);
  };
  expect(granted(['risk'], undefined, ['quotes:*', 'analytics:risk'])).toMatchObject({
    entitlements: ['quotes:*', 'analytics:risk'],
    firm: 'ACME',
    professional: true,
  });
  expect(granted(['risk'], ['depth:A'], ['quotes:*'])?.entitlements).toEqual(['depth:A', 'analytics:risk']);
  expect(recorded.records.at(-1)).not.toHaveProperty('reserved');
  expect(granted([], ['depth:A'], [])).toMatchObject({ reserved: reserved.slice(0, LISTED_MAX), reserved_more: 1 });
  const many = Array.from({ length: LISTED_MAX + 2 }, (_, i) => `quotes:${i}`);
  expect(granted(['risk'], many, [])).toMatchObject({ entitlements: many.slice(0, LISTED_MAX), more: 3 });
});

it('R70 who is refused, and why', () => {
  journal.refused(
    { id: 9, address: '192.0.2.1', user: '' },
    { status: 401, code: 'unauthorized', message: 'the token expired' },
  );
  expect(recorded.records).toMatchObject([
    {
      k: 'refused',
      c: 'c9',
      what: 'connection',
      status: 401,
      code: 'unauthorized',
      reason: 'the token expired',
      address: '192.0.2.1',
    },
  ]);
});

it('R70 what a client asks for, without the text of its messages, its token or a list without end', () => {
  const symbols = Array.from({ length: LISTED_MAX + 5 }, (_, i) => `S${i}`);
  journal.command(session, { action: 'subscribe', stream: 'quotes', symbols, class: '100ms', id: 1 });
  journal.command(session, { action: 'publish', stream: 'rooms', room: 'desk', data: 'a secret' });
  journal.command(session, { action: 'auth', token: 'a secret' });
  expect(recorded.records).toMatchObject([
    { action: 'subscribe', id: '1', stream: 'quotes', symbols: symbols.slice(0, LISTED_MAX), more: 5, class: '100ms' },
    { action: 'publish', stream: 'rooms', symbols: ['desk'] },
    { action: 'auth' },
  ]);
  expect(JSON.stringify(recorded.records)).not.toContain('a secret');
});

it('R70 writes the newest confirmation of a connection, one a second, and the last one before its end', () => {
  const at = [10, 20, 30, 40];
  journal.confirmed(session, at[0] as number);
  journal.confirmed(session, at[1] as number);
  journal.confirmed(session, at[2] as number);
  journal.flush();
  nowMs += 1_000;
  journal.flush();
  journal.flush();
  journal.confirmed(session, at[3] as number);
  journal.closed(session, 'client', 1001, 'x'.repeat(1_000), 12);
  expect(recorded.records.map(record => record.at ?? record.k)).toEqual([10, 30, 40, 'closed']);
  expect(recorded.records.at(-1)).toMatchObject({ c: 'c7', by: 'client', code: 1001, buffered: 12 });
});

it('R70 a ping proves nothing that was published after it, though the clock says the same', () => {
  const delivery = recorded.newJournal({ current: 1 }, () => undefined);
  const own = new SessionJournal({ delivery, worker: 0, idOf: String, nowMicros: () => nowMicros, nowMs: () => nowMs });
  delivery.beginPass(nowMicros);
  nowMicros += 0.5;
  const at = own.handOver();
  expect(at).toBeLessThan(Math.round(nowMicros));
  const number = recorded.outlet.emits.view({ topic: 'quotes:A', class: 'realtime', format: 'json' });
  recorded.outlet.emits.whole(number, 1, delivery.micros);
  expect(Math.round(recorded.records.at(-1)?.t as number)).toBeGreaterThan(at);
});
