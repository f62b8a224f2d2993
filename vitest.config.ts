import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that can run side by side, in this order. The soak takes its three minutes. Those that only compute come beside its
 * beginning, so that what it measures cannot grow by them; then those that mostly wait for the product's own times
 * (heartbeats, expiry, back-off).
 */
const SIDE_BY_SIDE = [
  'integration/soak',
  'integration/native-probes',
  'integration/foreign-clients',
  'unit/cli/commands',
  'unit/cli/api-key',
  'property/command-fuzz',
  'integration/limits',
  'integration/credentials-live',
  'integration/heartbeats',
  'integration/revocations',
  'integration/room-ids',
  'integration/cli-simulate',
  'chaos/feed-calls',
].map(name => `test/${name}.test.ts`);

/** Those that compute, in one process each. */
const UNITS = ['test/unit/**/*.test.ts'];
/** Needs a process that nothing interrupts while it starts: Node reads its two clocks then, one after the other. */
const ALONE = ['test/unit/protocol/wall-clock.test.ts'];

class ListedFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = SIDE_BY_SIDE.findIndex(name => moduleId.endsWith(name));
      return at < 0 ? SIDE_BY_SIDE.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

/** Unit tests run from source; integration tests start the built program, real nats-servers and real sockets. */
export default defineConfig({
  test: {
    globalSetup: ['test/support/processes/start-guard.ts', 'test/support/setup.ts'],
    setupFiles: ['test/support/processes/register.ts'],
    sequence: { sequencer: ListedFirst },
    projects: [
      {
        extends: true,
        test: { name: 'side by side', include: SIDE_BY_SIDE, maxWorkers: 4, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: 'units',
          include: UNITS,
          exclude: [...SIDE_BY_SIDE, ...ALONE],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'one by one',
          include: ['test/!(unit)/**/*.test.ts', ...ALONE],
          exclude: SIDE_BY_SIDE,
          // Two cores: the integration tests start several processes each.
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
