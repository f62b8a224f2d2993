import { readdirSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Tests come in two tiers. The first proves behaviour on any machine, in minutes: `npm test`, mode `first`. The second, tagged
 * `slow`, takes long, measures the machine, or breaks what runs: `npm run test:slow`, mode `slow`. Any other mode runs both.
 *
 * A file belongs to the second tier by `@module-tag slow` in its head comment, a single test by `{ tags: ['slow'] }`. The mode
 * chooses the files; of files that hold tests of both tiers, `--tags-filter` on the command line chooses the tests. What
 * measures nothing and is merely long has the tag `bulk` too: it runs side by side.
 */
const MODULE_TAG = /^ \* @module-tag slow$|^\/\*\* @module-tag slow \*\/$/m;
const BULK_TAG = /^ \* @module-tag bulk$/m;
const TEST_TAG = /\btags: \['slow'\]/;
const BULK_TEST_TAG = /\btags: \['slow', 'bulk'\]/;

/** Long ones first, so that none is left to run alone at the end; the soak first of all. */
const LONG = [
  'integration/soak',
  'integration/topology',
  'chaos/jetstream-quorum',
  'integration/delayed-stream',
  'integration/lifecycle',
  'integration/revocations',
  'integration/limits',
  'integration/credentials-live',
  'unit/cli/commands',
  'integration/shares',
  'integration/heartbeats',
  'integration/foreign-clients',
  'integration/monitoring',
  'integration/admin-api',
  'integration/admin-access',
  'integration/tracing',
  'integration/fix',
  'integration/quickfix',
  'integration/journal-delivery',
  'integration/journal',
  'integration/surveillance',
  'integration/products',
  'integration/privacy',
  'property/journal',
  'property/reconstruct',
  'integration/sdk',
  'integration/sdk-recovery',
  'integration/exact-content',
  'unit/cli/api-key',
  'browser/dashboard',
  'browser/demo-page',
  'browser/sdk-page',
  'integration/work-budgets',
  'property/command-fuzz',
  'integration/rooms-resume',
  'property/chain',
  'integration/operators',
  'integration/tls-settings',
  'integration/two-gateways',
  'integration/scenarios-operation',
  'integration/drain',
  'integration/order',
  'integration/bench',
  'integration/nats-rights',
  'integration/nats-topologies',
  'integration/bench-regions',
  'chaos/threads',
  'chaos/busy-threads',
].map(name => `test/${name}.test.ts`);

/** Most tests wait more than they compute: this many files at a time keep two cores busy. */
const FILES_AT_ONCE = 6;

/** Paths of test files from the repository's root, with their text. */
const FILES = readdirSync(new URL('test', import.meta.url), { recursive: true, encoding: 'utf8' })
  .map(file => `test/${file.replaceAll('\\', '/')}`)
  .filter(file => file.endsWith('.test.ts'))
  .map(file => ({ file, text: readFileSync(new URL(file, import.meta.url), 'utf8') }));

const SLOW = FILES.filter(({ text }) => MODULE_TAG.test(text)).map(({ file }) => file);
const BULK = FILES.filter(({ text }) => BULK_TAG.test(text)).map(({ file }) => file);
const ALONE = SLOW.filter(file => !BULK.includes(file));
const SLOW_IN_PART = FILES.filter(({ text }) => TEST_TAG.test(text)).map(({ file }) => file);
const BULK_IN_PART = FILES.filter(({ text }) => BULK_TEST_TAG.test(text)).map(({ file }) => file);

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONG.findIndex(file => moduleId.endsWith(file));
      return at < 0 ? LONG.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

/** Integration tests start the built program, real nats-servers and real sockets. */
const whole = {
  extends: true as const,
  test: {
    name: 'whole',
    include: ['test/!(unit)/**/*.test.ts'],
    exclude: SLOW,
    maxWorkers: FILES_AT_ONCE,
    isolate: false,
    sequence: { groupOrder: 0 },
  },
};

/** Unit tests run from source, many files in one process. */
const units = {
  extends: true as const,
  test: {
    name: 'units',
    include: ['test/unit/**/*.test.ts'],
    exclude: SLOW,
    maxWorkers: FILES_AT_ONCE,
    isolate: false,
    sequence: { groupOrder: 0 },
  },
};

/** Long, but nothing that another file would disturb. */
const bulk = (include: string[]) => ({
  extends: true as const,
  test: { name: 'bulk', include, maxWorkers: 5, sequence: { groupOrder: 1 } },
});

/** One file at a time: what one of them measures, another would disturb. */
const slow = (include: string[]) => ({
  extends: true as const,
  test: { name: 'slow', include, maxWorkers: 1, sequence: { groupOrder: 2 } },
});

export default defineConfig(({ mode }) => ({
  test: {
    globalSetup: ['test/support/processes/start-guard.ts', 'test/support/setup.ts'],
    setupFiles: ['test/support/processes/register.ts'],
    tags: [
      { name: 'slow', description: 'Takes long or measures the machine: npm run test:slow.' },
      { name: 'bulk', description: 'Slow, but disturbed by nothing that runs beside it.' },
    ],
    sequence: { sequencer: LongFirst },
    projects:
      mode === 'first'
        ? [whole, units]
        : mode === 'slow'
          ? [bulk([...BULK, ...BULK_IN_PART]), slow([...ALONE, ...SLOW_IN_PART])]
          : [whole, units, bulk(BULK), slow(ALONE)],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
  },
}));
