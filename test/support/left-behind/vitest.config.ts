import { defineConfig } from 'vitest/config';

/** The fixture of test/integration/left-behind.test.ts, under the guard that all tests have. */
export default defineConfig({
  root: import.meta.dirname,
  test: {
    include: ['fixture.ts'],
    globalSetup: ['../processes/start-guard.ts'],
    setupFiles: ['../processes/register.ts'],
    pool: 'forks',
  },
});
