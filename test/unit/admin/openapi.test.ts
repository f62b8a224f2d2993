/** The OpenAPI document is valid by the linter that people use. What it says of real answers: test/integration. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { OPENAPI_FILE } from '../../support/admin-client.js';

const run = promisify(execFile);
const PACKAGE = createRequire(import.meta.url).resolve('@redocly/cli/package.json');

it('R61 is valid OpenAPI 3.1: redocly finds neither errors nor warnings', async () => {
  const args = [join(dirname(PACKAGE), 'bin/cli.js'), 'lint', fileURLToPath(OPENAPI_FILE), '--format=json'];
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const { stdout } = await run(process.execPath, args, { env });
  const { totals, problems } = JSON.parse(stdout) as { totals: object; problems: readonly object[] };
  expect(problems).toEqual([]);
  expect(totals).toMatchObject({ errors: 0, warnings: 0 });
});
