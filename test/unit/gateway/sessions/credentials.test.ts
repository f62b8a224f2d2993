/** Who is let in while the address that all of these come from guesses. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { newApiKey } from '../../../../src/auth/api-key-file.js';
import { openApiKeys } from '../../../../src/auth/api-keys.js';
import { createTokenVerifier, mintToken } from '../../../../src/auth/token.js';
import { readConfig } from '../../../../src/config/environment.js';
import { createSharedAttempts } from '../../../../src/gateway/limits/attempt-rates.js';
import { ConnectionLimits } from '../../../../src/gateway/limits/connection-limits.js';
import { createFailedCredentials } from '../../../../src/gateway/limits/failed-credentials.js';
import { RankCells } from '../../../../src/gateway/limits/rank.js';
import { createSharedCounts } from '../../../../src/gateway/limits/shared-counts.js';
import { Credentials } from '../../../../src/gateway/sessions/credentials.js';
import type { GatewayThreadData } from '../../../../src/threads/thread-messages.js';
import { revocationList } from '../../../support/revocations.js';

const SECRET = 'a secret of at least thirty-two bytes';
const SEED = [1, 2] as const;
const PROXY = '192.0.2.1';
/** Wrong ones that are told why. */
const FREE = 3;

let folder = '';
let limits: ConnectionLimits;
let credentials: Credentials;
const right = newApiKey();

beforeEach(async () => {
  // Waits end when a test says so, however slow the machine is.
  vi.useFakeTimers({ toFake: ['hrtime'] });
  folder = await mkdtemp(join(tmpdir(), 'millrace-credentials-'));
  const file = join(folder, 'keys.json');
  const { id, hash } = right;
  await writeFile(file, JSON.stringify({ keys: [{ id, hash, sub: 'desk-7', created_at: '2020-01-01T00:00:00Z' }] }));
  const config = readConfig({ AUTH_JWT_SECRET: SECRET, WS_AUTH_FAILURES_PER_IP: String(FREE) });
  limits = new ConnectionLimits(config.limits, {
    worker: 0,
    connections: RankCells.create(1),
    addresses: createSharedCounts(1, 1024, SEED),
    users: createSharedCounts(1, 1024, SEED),
    attempts: createSharedAttempts(1, SEED),
    failures: createFailedCredentials(1, SEED),
  } as unknown as GatewayThreadData);
  const tokens = await createTokenVerifier(config.auth);
  credentials = new Credentials(tokens, await openApiKeys(file), { allows: () => true }, limits, revocationList());
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true, force: true });
});

const minted = (sub: string, secret = SECRET) => mintToken({ secret, sub, ttlMs: 60_000 });
/** What becomes of a token, or of an API key. */
async function outcome(token: string | undefined, apiKey?: string, address = PROXY): Promise<string | number> {
  const result = await credentials.of(token, apiKey, address);
  return 'status' in result ? result.status : result.sub;
}
const guess = async (n: number) => outcome(await minted(`guess ${n}`, 'another secret of thirty-two bytes and more'));

/** Has the address guess until it is told to wait. */
async function guessing(): Promise<void> {
  for (let n = 0; n <= FREE; n++) expect(await guess(n)).toBe(401);
  expect(await guess(FREE + 1)).toBe(429);
}

describe('J8 R33 an address that guesses', () => {
  it('J8 R33 keeps out no token, whether it was verified before or never', async () => {
    const known = await minted('alice');
    expect(await outcome(known)).toBe('alice');
    await guessing();
    expect(await outcome(known)).toBe('alice');
    for (let n = 0; n < 50; n++) {
      expect(await outcome(await minted(`user ${n}`))).toBe(`user ${n}`);
      expect(await guess(100 + n)).toBe(429);
    }
  });

  it('J8 R33 keeps out no API key that is right; wrong ones of the same id wait', async () => {
    await guessing();
    const wrong = `${right.key.slice(0, -4)}AAAA`;
    expect(await outcome(undefined, wrong)).toBe(429);
    expect(await outcome(undefined, right.key)).toBe('desk-7');
    expect(await outcome(undefined, newApiKey().key)).toBe(429);
    expect(await outcome(undefined, wrong, '192.0.2.2')).toBe(401);
  });

  it('R33 learns when it may fail again, and is told to wait longer each time', async () => {
    await guessing();
    const refused = await credentials.of('a.b.c', undefined, PROXY);
    expect(refused).toMatchObject({ status: 429, code: 'rate_limited', retryAfterSeconds: 1 });
    expect(limits.refused.credentials).toBe(2);
    // What comes while it waits makes the wait no longer.
    for (let n = 0; n < 50; n++) expect(await guess(n)).toBe(429);
    expect(await credentials.of('a.b.c', undefined, PROXY)).toMatchObject({ retryAfterSeconds: 1 });
  });

  it('R33 is told the reason of an expired token all the same', async () => {
    await guessing();
    const expired = await mintToken({ secret: SECRET, sub: 'alice', ttlMs: 60_000 }, () => Date.now() - 3_600_000);
    expect(await credentials.of(expired, undefined, PROXY)).toMatchObject({
      status: 401,
      message: 'the token was refused: expired',
    });
  });
});
