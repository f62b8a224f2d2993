import { beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../../../src/config/environment.js';
import { createSharedAttempts } from '../../../../src/gateway/limits/attempt-rates.js';
import { ConnectionLimits } from '../../../../src/gateway/limits/connection-limits.js';
import { createFailedCredentials } from '../../../../src/gateway/limits/failed-credentials.js';
import { RankCells } from '../../../../src/gateway/limits/rank.js';
import { createSharedCounts } from '../../../../src/gateway/limits/shared-counts.js';
import type { GatewayThreadData } from '../../../../src/threads/thread-messages.js';
import { newCredential } from '../../../support/new-session.js';

const SEED = [1, 2] as const;
const ANONYMOUS = newCredential({ sub: '', tier: 'retail' });
const RETAIL = newCredential({ sub: 'r', tier: 'retail' });
const INSTITUTIONAL = newCredential({ sub: 'i', tier: 'institutional' });

let workers: ConnectionLimits[];

function open(env: Record<string, string>): void {
  const shared = {
    connections: RankCells.create(2),
    addresses: createSharedCounts(2, 1024, SEED),
    users: createSharedCounts(2, 1024, SEED),
    attempts: createSharedAttempts(2, SEED),
    failures: createFailedCredentials(2, SEED),
  };
  const { limits } = readConfig({ WS_MAX_CONNECTIONS_PER_USER: '1000', ...env });
  workers = [0, 1].map(worker => new ConnectionLimits(limits, { ...shared, worker } as unknown as GatewayThreadData));
}

/** How many of these are let in, one after another, by all workers in turn. */
function enter(credential: typeof RETAIL, count: number): number {
  let entered = 0;
  for (let n = 0; n < count; n++) if (workers[n % 2]?.enter('192.0.2.1', credential) === undefined) entered++;
  return entered;
}

beforeEach(() => open({ WS_MAX_CONNECTIONS: '100' }));

describe('J8 places', () => {
  it('J8 R41 a tenth is kept for credentials, half of that for institutional users, over all threads', () => {
    expect(enter(ANONYMOUS, 200)).toBe(90);
    expect(enter(RETAIL, 200)).toBe(5);
    expect(enter(INSTITUTIONAL, 200)).toBe(5);
  });

  it('J8 R41 places that are kept for others are in use by those at first, whoever came before', () => {
    expect(enter(INSTITUTIONAL, 5)).toBe(5);
    expect(enter(RETAIL, 5)).toBe(5);
    expect(enter(ANONYMOUS, 200)).toBe(90);
    expect(enter(INSTITUTIONAL, 1)).toBe(0);
  });

  it('J8 R41 all may be had by institutional users, all but theirs by retail', () => {
    expect(enter(INSTITUTIONAL, 200)).toBe(100);
    open({ WS_MAX_CONNECTIONS: '100' });
    expect(enter(RETAIL, 200)).toBe(95);
  });

  it('J8 R41 none is kept where so few are served that a tenth is less than one', () => {
    open({ WS_MAX_CONNECTIONS: '9' });
    expect(enter(ANONYMOUS, 20)).toBe(9);
  });

  it('J8 R41 are given back by rank, and go with the credential that `auth` brings', () => {
    open({ WS_MAX_CONNECTIONS: '100', WS_MAX_ANONYMOUS: '2' });
    expect(enter(ANONYMOUS, 5)).toBe(2);
    expect(workers[0]?.change(ANONYMOUS, RETAIL)).toBe(true);
    expect(enter(ANONYMOUS, 5)).toBe(1);
    workers[0]?.leave('192.0.2.1', RETAIL);
    expect(enter(ANONYMOUS, 5)).toBe(0);
    workers[1]?.leave('192.0.2.1', ANONYMOUS);
    expect(enter(ANONYMOUS, 5)).toBe(1);
    expect(enter(RETAIL, 200)).toBe(93);
  });
});

describe('P3 the time to retry', () => {
  it('P3 R41 is spread where many clients may be refused at the same time', () => {
    open({ WS_MAX_CONNECTIONS: '1' });
    expect(enter(RETAIL, 1)).toBe(1);
    const seconds = Array.from({ length: 200 }, () => workers[0]?.enter('192.0.2.1', RETAIL)?.retryAfterSeconds ?? 0);
    expect(Math.min(...seconds)).toBeGreaterThanOrEqual(5);
    expect(Math.max(...seconds)).toBeLessThan(10);
    expect(new Set(seconds).size).toBeGreaterThan(100);
  });
});

describe('I6 the limit of a user', () => {
  it('I6 R41 is one that nothing passes, unless the newest replaces the oldest', () => {
    open({ WS_MAX_CONNECTIONS_PER_USER: '4' });
    expect(enter(RETAIL, 10)).toBe(4);
    expect(workers.map(limits => limits.isOverUserLimit(RETAIL.sub))).toEqual([false, false]);
  });

  it('I6 is passed for a moment, by as many again and no more, over all threads', () => {
    open({ WS_MAX_CONNECTIONS_PER_USER: '4', WS_USER_LIMIT_POLICY: 'replace-oldest' });
    expect(enter(RETAIL, 4)).toBe(4);
    expect(workers[0]?.isOverUserLimit(RETAIL.sub)).toBe(false);
    expect(enter(RETAIL, 10)).toBe(4);
    expect(workers.map(limits => limits.isOverUserLimit(RETAIL.sub))).toEqual([true, true]);
    for (let n = 0; n < 4; n++) workers[n % 2]?.leave('192.0.2.1', RETAIL);
    expect(workers[1]?.isOverUserLimit(RETAIL.sub)).toBe(false);
  });

  it('I6 applies to no one without a credential', () => {
    open({ WS_MAX_CONNECTIONS_PER_USER: '1', WS_USER_LIMIT_POLICY: 'replace-oldest' });
    expect(enter(ANONYMOUS, 5)).toBe(5);
    expect(workers[0]?.isOverUserLimit('')).toBe(false);
  });
});
