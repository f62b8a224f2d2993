import { beforeEach, describe, expect, it } from 'vitest';
import { compileEntitlements } from '../../../../src/auth/credential.js';
import { createSharedCounts } from '../../../../src/gateway/limits/shared-counts.js';
import { USE_REPLACED, UseCounts } from '../../../../src/gateway/limits/use-counts.js';
import { type Session, Subscription } from '../../../../src/gateway/model/session.js';
import { SimultaneousUse } from '../../../../src/gateway/sessions/simultaneous-use.js';
import { Views } from '../../../../src/gateway/views/views.js';
import { CloseCode } from '../../../../src/protocol/close-code.js';
import { REALTIME } from '../../../../src/protocol/view-options.js';
import { laneOf } from '../../../../src/threads/lanes.js';
import type { FromWorker } from '../../../../src/threads/thread-messages.js';
import { newCredential, newSession } from '../../../support/new-session.js';

const MAX = 2;
const REFUSAL = 'at most 2 connections of one user may receive market data at once';

let tables: SharedArrayBuffer;
let posted: FromWorker[];
let ended: [id: number, code: CloseCode, reason: string][];
let refused: { use: number };
let nowMs: number;

function useOf(keeps: 'newest' | 'oldest', worker = 0, max: number | undefined = MAX): SimultaneousUse {
  const config = { file: undefined, delayedBytesMax: 0, useMax: max, useMaxKeeps: keeps };
  return new SimultaneousUse({
    counts: new UseCounts(config, { uses: tables, worker }, refused),
    post: message => posted.push(message),
    end: ({ id }, code, reason) => ended.push([id, code, reason]),
    nowMs: () => nowMs++,
  });
}

const session = (id: number, sub = 'alice'): Session => newSession({ id, sub, format: 'json', tier: 'retail' });

beforeEach(() => {
  tables = createSharedCounts(2, 1024, [1, 2]);
  posted = [];
  ended = [];
  refused = { use: 0 };
  nowMs = 1;
});

describe('R74 simultaneous use', () => {
  it('R74 is unlimited without a limit, and for clients without a credential', () => {
    const unlimited = new UseCounts(
      { file: undefined, delayedBytesMax: 0, useMax: undefined, useMaxKeeps: 'oldest' },
      { uses: tables, worker: 0 },
      refused,
    );
    expect(unlimited.counts('alice')).toBe(false);
    const use = useOf('oldest');
    for (let id = 0; id < 5; id++) expect(use.begin(session(id, ''))).toBeUndefined();
  });

  it('R74 counts each session once, over all threads, and no longer once it has ended', () => {
    const [one, other] = [useOf('oldest', 0), useOf('oldest', 1)];
    const first = session(1);
    for (let n = 0; n < 3; n++) expect(one.begin(first)).toBeUndefined();
    expect(other.begin(session(2))).toBeUndefined();
    const third = session(3);
    expect(other.begin(third)).toBe(REFUSAL);
    expect(refused.use).toBe(1);
    one.ended(first);
    one.ended(first);
    expect(other.begin(third)).toBeUndefined();
    expect(other.begin(session(4))).toBe(REFUSAL);
    expect(other.begin(session(5, 'bob'))).toBeUndefined();
  });

  it('R74 goes to the newest: the main thread is asked to end the oldest, which must not come back', () => {
    const use = useOf('newest');
    const sessions = [session(1), session(2), session(3)];
    for (const each of sessions) expect(use.begin(each)).toBeUndefined();
    expect(posted).toEqual([{ type: 'over_user_limit', user: 'alice', isUse: true }]);
    use.tellOldest(9, 'alice');
    use.tellOldest(10, 'bob');
    expect(posted.slice(1)).toEqual([
      { type: 'oldest', id: 9, sinceMs: 1 },
      { type: 'oldest', id: 10, sinceMs: undefined },
    ]);
    use.replaceOldest('alice');
    expect(ended).toEqual([[1, CloseCode.forbidden, USE_REPLACED]]);
    use.ended(sessions[0] as Session);
    use.replaceOldest('alice');
    expect(ended).toHaveLength(1);
  });

  it('R74 of a user who opens far more at once is refused even so', () => {
    const use = useOf('newest');
    const answers = Array.from({ length: 6 }, (_, id) => use.begin(session(id)));
    expect(answers).toEqual([undefined, undefined, undefined, undefined, REFUSAL, REFUSAL]);
  });

  it('R74 counts for the user whose the session is now', () => {
    const use = useOf('oldest');
    const moved = session(1, 'bob');
    use.begin(moved);
    use.begin(session(2));
    use.begin(session(3));
    const alice = newCredential({ sub: 'alice', tier: 'retail' });
    moved.identity.replace(alice, compileEntitlements(alice), 2);
    use.renewed(moved);
    expect(ended).toEqual([[1, CloseCode.rateLimited, REFUSAL]]);
    for (const id of [4, 5]) expect(use.begin(session(id, 'bob'))).toBeUndefined();
  });

  it('R74 counts from the credential on for a session that had market data without one', () => {
    const use = useOf('oldest');
    for (const id of [1, 2]) use.begin(session(id));
    const [idle, reading] = [session(3, ''), session(4, '')];
    const views = new Views(
      1,
      () => {},
      () => ({ messages: 0, bytes: 0 }),
    );
    const lane = laneOf(REALTIME, 0, 'json', false);
    reading.subscriptions.add(new Subscription(reading, lane, views.acquire('trades', 'A', lane, reading)));
    const alice = newCredential({ sub: 'alice', tier: 'retail' });
    for (const each of [idle, reading]) {
      use.begin(each);
      each.identity.replace(alice, compileEntitlements(alice), 2);
      use.renewed(each);
    }
    expect(ended).toEqual([[4, CloseCode.rateLimited, REFUSAL]]);
  });
});
