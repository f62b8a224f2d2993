/** SIGHUP: what is reloaded, what is not, and the one line that says so. */
import { describe, expect, it, vi } from 'vitest';
import { Reload, type Reread } from '../../../src/admin/reload.js';
import { ConfigError } from '../../../src/config/config-error.js';
import { readConfig } from '../../../src/config/environment.js';
import type { Logger } from '../../../src/observe/log.js';
import type { Reloaded, ToWorker } from '../../../src/threads/thread-messages.js';

const SECRET = 'a secret of at least thirty-two bytes';
type Order = Extract<ToWorker, { type: 'reload' }>;

/** @param answers what each worker reloads; undefined: it does not answer */
function reloading(reread: () => Reread, answers: readonly (readonly Reloaded[] | undefined)[]) {
  const lines: { level: string; fields: Record<string, unknown>; text: string }[] = [];
  const write = (level: string) => (fields: Record<string, unknown>, text: string) =>
    lines.push({ level, fields, text });
  const orders: Order[] = [];
  const recorded: string[] = [];
  const logger = {
    level: 'info',
    isLevelEnabled: () => logger.level === 'info' || logger.level === 'debug',
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
  const reload: Reload = new Reload({
    log: logger as unknown as Logger,
    record: order => recorded.push(order.result),
    reread,
    take: config => config,
    certificate: undefined,
    keySet: { reload: async () => undefined },
    workers: {
      listening: answers.length,
      postAll(message) {
        if (message.type !== 'reload') return;
        orders.push(message);
        for (const answer of answers) if (answer !== undefined) reload.answered(message.id, answer);
      },
    },
  });
  return { reload, lines, orders, recorded };
}

const fresh = (env: Record<string, string>, changed: readonly string[]): Reread => ({
  config: readConfig(env),
  changed,
});
const KEYS: Reloaded = { name: 'AUTH_API_KEYS_FILE', problem: undefined };
const BROKEN: Reloaded = { name: 'POLICY_FILE', problem: 'is not JSON' };

describe('O1 a reload', () => {
  it('O1 gives the workers the secrets and the settings that may change, and says in one line what was reloaded', async () => {
    const env = { AUTH_JWT_SECRET: SECRET, LOG_LEVEL: 'debug', LOG_CLIENTS: 'off' };
    const { reload, lines, orders } = reloading(() => fresh(env, ['LOG_LEVEL', 'LOG_CLIENTS']), [[KEYS], [KEYS]]);
    await reload.run('SIGHUP');
    expect(orders[0]?.settings).toMatchObject({ secret: SECRET, logClients: 'off', logUsers: 'pseudonym' });
    expect(lines).toEqual([
      {
        level: 'info',
        fields: {
          reason: 'SIGHUP',
          reloaded: ['LOG_LEVEL', 'LOG_CLIENTS', 'AUTH_API_KEYS_FILE'],
          unusable: [],
          needsRestart: [],
        },
        text: 'reloaded',
      },
    ]);
  });

  it('O1 names what is unusable in any worker, and what needs a restart', async () => {
    const { reload, lines, recorded } = reloading(() => fresh({}, ['LOG_LEVEL', 'PORT']), [[KEYS], [KEYS, BROKEN]]);
    await reload.run('SIGHUP');
    expect(recorded).toEqual(['in_part']);
    expect(lines).toMatchObject([
      {
        level: 'warn',
        fields: {
          reloaded: ['LOG_LEVEL', 'AUTH_API_KEYS_FILE'],
          unusable: ['POLICY_FILE: is not JSON'],
          needsRestart: ['PORT'],
        },
        text: 'reloaded in part',
      },
    ]);
  });

  it('O1 does nothing at all where the settings are invalid, and says why', async () => {
    const { reload, lines, orders } = reloading(() => {
      throw new ConfigError('PORT="x": must be a port\nLOG_LEVEL="y": must be a level');
    }, [[KEYS]]);
    await reload.run('SIGHUP');
    expect(orders).toEqual([]);
    expect(lines).toEqual([
      {
        level: 'error',
        fields: { reason: 'SIGHUP', problems: ['PORT="x": must be a port', 'LOG_LEVEL="y": must be a level'] },
        text: 'reload refused: keeping all settings',
      },
    ]);
  });

  it('O1 says when a worker does not answer, and runs again afterwards', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const answers: (readonly Reloaded[] | undefined)[] = [[KEYS], undefined];
      const { reload, lines } = reloading(() => fresh({}, []), answers);
      const [first, second] = [reload.run('SIGHUP'), reload.run('SIGHUP')];
      await vi.advanceTimersByTimeAsync(5_000);
      await first;
      expect(lines).toMatchObject([{ fields: { unusable: ['WORKERS: 1 gateway threads have not reloaded yet'] } }]);
      answers[1] = [KEYS];
      await vi.advanceTimersByTimeAsync(5_000);
      await second;
      expect(lines).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });
});
