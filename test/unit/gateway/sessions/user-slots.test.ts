import { beforeEach, describe, expect, it } from 'vitest';
import { compileEntitlements } from '../../../../src/auth/credential.js';
import type { Session } from '../../../../src/gateway/model/session.js';
import { UserSlots } from '../../../../src/gateway/sessions/user-slots.js';
import { CloseCode } from '../../../../src/protocol/close-code.js';
import type { FromWorker } from '../../../../src/threads/thread-messages.js';
import { newCredential, newSession } from '../../../support/new-session.js';

let sessions: Set<Session>;
let posted: FromWorker[];
let ended: [id: number, code: CloseCode][];
let over: Set<string>;

function slots(policy: 'refuse' | 'replace-oldest'): UserSlots {
  return new UserSlots({
    policy,
    limits: { isOverUserLimit: user => over.has(user) },
    sessions,
    post: message => posted.push(message),
    end: ({ id }, code) => ended.push([id, code]),
  });
}

function open(id: number, sub: string): Session {
  const session = newSession({ id, sub, format: 'json', tier: 'retail' });
  sessions.add(session);
  return session;
}

beforeEach(() => {
  sessions = new Set();
  posted = [];
  ended = [];
  over = new Set();
});

describe('I6 the slots of a user', () => {
  it('I6 are made free only by that policy, and only beyond the limit', () => {
    const session = open(1, 'alice');
    slots('replace-oldest').taken(session);
    over.add('alice');
    slots('refuse').taken(session);
    expect(posted).toEqual([]);
    slots('replace-oldest').taken(session);
    expect(posted).toEqual([{ type: 'over_user_limit', user: 'alice' }]);
  });

  it('I6 the oldest goes, by a code after which its client does not come back', () => {
    for (const [id, sub] of [
      [1, 'bob'],
      [2, 'alice'],
      [3, 'alice'],
    ] as const)
      open(id, sub);
    over.add('alice');
    slots('replace-oldest').replaceOldest('alice');
    expect(ended).toEqual([[2, CloseCode.forbidden]]);
  });

  it('I6 none goes where the user is back within the limit', () => {
    open(1, 'alice');
    slots('replace-oldest').replaceOldest('alice');
    expect(ended).toEqual([]);
  });

  it('I6 one that is closing counts no more, and one that became the user’s by `auth` counts from then on', async () => {
    const [closing, renewed] = [open(1, 'alice'), open(2, 'bob')];
    closing.keepalive.closingAtMs = 1;
    open(3, 'alice');
    const alice = newCredential({ sub: 'alice', tier: 'retail' });
    renewed.identity.replace(alice, compileEntitlements(alice), Number.MAX_SAFE_INTEGER);
    over.add('alice');
    slots('replace-oldest').replaceOldest('alice');
    expect(ended.map(([id]) => id)).toEqual([3]);
  });

  it('I6 the main thread is told since when the oldest is the user’s', () => {
    const oldest = open(1, 'alice');
    open(2, 'alice');
    slots('replace-oldest').tellOldest(7, 'alice');
    slots('replace-oldest').tellOldest(8, 'eve');
    expect(posted).toEqual([
      { type: 'oldest', id: 7, sinceMs: oldest.identity.userSinceMs },
      { type: 'oldest', id: 8, sinceMs: undefined },
    ]);
  });
});
