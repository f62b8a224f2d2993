import { defineConfig } from 'vitest/config';

/** Unit tests run from source; integration tests start the built program, real nats-servers and real sockets. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: the integration tests start several processes each, so files run one after another.
    fileParallelism: false,
    pool: 'forks',
  },
});
