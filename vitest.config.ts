import { defineConfig } from 'vitest/config';

/** The soak takes its three minutes, the others the product's own times (heartbeats, expiry, back-off): they can wait side by side. */
const WAITING = ['soak', 'credentials-live', 'heartbeats', 'limits'].map(name => `test/integration/${name}.test.ts`);

/** Unit tests run from source; integration tests start the built program, real nats-servers and real sockets. */
export default defineConfig({
  test: {
    globalSetup: ['test/support/setup.ts'],
    projects: [
      { extends: true, test: { name: 'side by side', include: WAITING, maxWorkers: 4, sequence: { groupOrder: 0 } } },
      {
        extends: true,
        test: {
          name: 'one by one',
          include: ['test/**/*.test.ts'],
          exclude: WAITING,
          // Two cores: the integration tests start several processes each.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
