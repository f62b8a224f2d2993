/** Lines about clients: which there are, what they say, and what happens to them in a storm. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConnectionIds } from '../../../../src/gateway/model/connection-ids.js';
import {
  ClientLog,
  LINES_PER_SECOND_MAX,
  type LoggedClient,
  pseudonymOf,
} from '../../../../src/gateway/supervision/client-log.js';
import type { ClientLine } from '../../../../src/threads/client-lines.js';
import type { FromWorker } from '../../../../src/threads/thread-messages.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const ALICE: LoggedClient = { id: 7, address: '192.0.2.1', user: 'alice', tier: 'retail' };
const TRAFFIC = { openedMs: 0, receivedBytes: 12, sentBytes: 3456 };

function clientLog(logClients: 'all' | 'problems' | 'off' = 'all', logUsers: 'pseudonym' | 'name' = 'pseudonym') {
  const posted: Extract<FromWorker, { type: 'clients' }>[] = [];
  const ids = new ConnectionIds();
  const log = new ClientLog({
    ids,
    settings: { logClients, logUsers },
    post: message => posted.push(message),
    nowMs: () => performance.now(),
  });
  const lines = (): ClientLine[] => posted.flatMap(message => message.lines);
  const leftOut = () => posted.reduce((sum, message) => sum + message.leftOut, 0);
  return { log, ids, posted, lines, leftOut };
}

/** Everything that can happen to a client. */
function live(log: ClientLog): void {
  log.connected(ALICE);
  log.refused(
    { ...ALICE, user: '', tier: undefined },
    {
      ...{ status: 401, code: 'unauthorized', reason: 'a token or an API key is required' },
    },
  );
  log.steppedDown(ALICE, 1);
  log.restored(ALICE, 0);
  log.ended(ALICE, 'client', { code: 1000, reason: 'bye' }, TRAFFIC);
  log.ended(ALICE, 'gateway', { code: 4008, reason: 'slow consumer' }, TRAFFIC);
  log.ended(ALICE, 'client', { code: 1006, reason: '' }, TRAFFIC);
}

describe('O2 the log of clients', () => {
  it('O2 R62 has a line for each event, with the id that the client has too', () => {
    const { log, ids, lines } = clientLog();
    vi.advanceTimersByTime(1_500);
    live(log);
    log.flush();
    const client = { connection: ids.text(7), user: pseudonymOf('alice'), tier: 'retail', address: '192.0.2.1' };
    const end = { ...client, durationMs: 1_500, receivedBytes: 12, sentBytes: 3456 };
    expect(lines()).toEqual([
      { ...client, event: 'connected' },
      {
        ...client,
        event: 'refused',
        user: undefined,
        tier: undefined,
        status: 401,
        code: 'unauthorized',
        reason: 'a token or an API key is required',
      },
      { ...client, event: 'stepped_down', steps: 1 },
      { ...client, event: 'restored', steps: 0 },
      { ...end, event: 'ended', by: 'client', code: 1000, reason: 'bye' },
      { ...end, event: 'broken', by: 'gateway', code: 4008, reason: 'slow consumer' },
      { ...end, event: 'broken', by: 'client', code: 1006, reason: '' },
    ]);
  });

  it('O2 leaves out connects and regular ends with LOG_CLIENTS=problems, and everything with off', () => {
    const problems = clientLog('problems');
    live(problems.log);
    problems.log.ended(ALICE, 'gateway', { code: 1001, reason: 'going away' }, TRAFFIC);
    problems.log.flush();
    expect(problems.lines().map(({ event }) => event)).toEqual([
      'refused',
      'stepped_down',
      'restored',
      'broken',
      'broken',
    ]);
    const off = clientLog('off');
    live(off.log);
    off.log.flush();
    expect(off.posted).toEqual([]);
  });

  it('O1 O2 follows a reload of these settings', () => {
    const { log, lines } = clientLog('off');
    log.connected(ALICE);
    log.settings = { logClients: 'all', logUsers: 'name' };
    log.connected(ALICE);
    log.flush();
    expect(lines().map(({ user }) => user)).toEqual(['alice']);
  });

  it('R62 never has the name of a user unless LOG_USERS=name', () => {
    const { log, posted } = clientLog();
    live(log);
    log.flush();
    expect(JSON.stringify(posted)).not.toContain('alice');
    // An operator who knows the user recognizes the line.
    expect(pseudonymOf('alice')).toBe('K9gGyX8OAK8aH8My');
  });

  it('O2 posts in batches, soon after the first line', () => {
    const { log, posted } = clientLog();
    for (let i = 0; i < 10; i++) log.connected(ALICE);
    expect(posted).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(posted).toHaveLength(1);
    expect(posted[0]?.lines).toHaveLength(10);
  });

  it('O2 keeps the first of each kind in a second of a storm, and says how many more there were', () => {
    const { log, lines, leftOut, posted } = clientLog();
    for (let i = 0; i < 1_000; i++) log.connected(ALICE);
    log.steppedDown(ALICE, 1);
    vi.advanceTimersByTime(100);
    expect(lines().filter(({ event }) => event === 'connected')).toHaveLength(LINES_PER_SECOND_MAX);
    expect(lines().filter(({ event }) => event === 'stepped_down')).toHaveLength(1);
    vi.advanceTimersByTime(1_100);
    expect(leftOut()).toBe(1_000 - LINES_PER_SECOND_MAX);
    expect(posted.filter(message => message.leftOut > 0)).toHaveLength(1);
    log.connected(ALICE);
    vi.advanceTimersByTime(100);
    expect(lines().filter(({ event }) => event === 'connected')).toHaveLength(LINES_PER_SECOND_MAX + 1);
  });
});

describe('O2 a long storm', () => {
  it('O2 is counted while it lasts, a second at a time', () => {
    const { log, leftOut, posted } = clientLog();
    for (let ms = 0; ms < 5_000; ms += 10) {
      for (let i = 0; i < 10; i++) log.connected(ALICE);
      vi.advanceTimersByTime(10);
    }
    expect(leftOut()).toBeGreaterThanOrEqual(3 * (1_000 - LINES_PER_SECOND_MAX));
    expect(posted.filter(message => message.leftOut > 0).length).toBeLessThanOrEqual(5);
    vi.advanceTimersByTime(2_000);
    expect(leftOut()).toBe(5 * (1_000 - LINES_PER_SECOND_MAX));
  });
});

describe('O2 ids of connections', () => {
  it('O2 are short, never repeat, and differ from thread to thread', () => {
    const threads = [new ConnectionIds(), new ConnectionIds()];
    const ids = threads.flatMap(thread => Array.from({ length: 1_000 }, () => thread.text(thread.next())));
    expect(new Set(ids).size).toBe(2_000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{12}-[0-9a-z]{1,7}$/);
  });
});
