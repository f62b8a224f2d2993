/** The wall clock may be set, forward and back: intervals are measured by one that is not. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { LogSampler } from '../../src/observe/log.js';
import { until } from '../support/until.js';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));
const HOUR_MS = 3_600_000;

/** Where the time of day is what is meant, and why. */
const WALL_CLOCK: Readonly<Record<string, string>> = {
  'auth/api-keys.ts': 'keys end at a time of day',
  'auth/live-token.ts': 'tokens end at a time of day',
  'auth/revocations.ts': 'revocations last until a time of day',
  'auth/token.ts': 'tokens end at a time of day',
  'cli/api-key.ts': 'keys are given one',
  'cli/revoke.ts': 'a revocation says when it was ordered',
  'cli/start-checks.ts': 'certificates end at a time of day',
  'gateway/sessions/credentials.ts': 'certificates end at a time of day',
  'gateway/supervision/certificate-files.ts': 'certificates end at a time of day',
  'gateway/worker-clients.ts': 'handed to what ends tokens',
  'protocol/wall-clock.ts': 'the time of day, for all others',
  'revocation/control-orders.ts': 'a revocation counts for tokens issued before it',
  'revocation/file.ts': 'the file system says when a file was written by it',
};

afterEach(() => {
  vi.useRealTimers();
});

/** Sets the wall clock, and leaves all others alone. */
function setWallClock(byMs: number): void {
  const now = Date.now() + byMs;
  vi.useFakeTimers({ toFake: ['Date'], now });
}

describe('R43 a clock that jumps', () => {
  it('R43 is read only where the time of day is meant', () => {
    const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'));
    const users = files.filter(file => {
      const code = readFileSync(join(SRC, file), 'utf8').replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, '');
      return /\bDate\.now\b/.test(code);
    });
    expect(files.length).toBeGreaterThan(100);
    expect(users.map(file => file.replaceAll('\\', '/')).sort()).toEqual(Object.keys(WALL_CLOCK));
  });

  it('D10: the time of day at the start of a process is known to one module, which follows the clock', () => {
    const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'));
    const users = files.filter(file => /\btimeOrigin\b/.test(readFileSync(join(SRC, file), 'utf8')));
    expect(users.map(file => file.replaceAll('\\', '/'))).toEqual(['protocol/wall-clock.ts']);
  });

  it.each([-HOUR_MS, HOUR_MS])('R43 by %i ms does not silence the log', async byMs => {
    const sampler = new LogSampler(300);
    expect(sampler.pass('trouble')).toBe(0);
    setWallClock(byMs);
    expect(sampler.pass('trouble')).toBeUndefined();
    expect(await until(() => (sampler.pass('trouble') ?? 0) > 0)).toBe(true);
  });
});
