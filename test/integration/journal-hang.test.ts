/** R70 a journal whose disk does not answer: no call fails, none returns. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { refusedUpgrade } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { JournalFolder } from '../support/journal/folder.js';
import { until } from '../support/until.js';

const folder = new JournalFolder();
/** The journal thread reads it once it is there; of a pipe that nobody writes to, it waits for the first byte. */
const orders = () => join(folder.path, 'keys', 'orders.jsonl');
let gateway: TestGateway;

const isFailing = async () => (await gateway.metric('millrace_journal_failing')) === 1;
const hang = async () => {
  execFileSync('mkfifo', [orders()]);
  await until(isFailing, undefined, 'it notices');
};

beforeAll(async () => {
  gateway = await startGateway({
    ...folder.env,
    JOURNAL_FAIL: 'closed',
    FEED: 'simulator',
    WORKERS: '1',
    ENCODERS: '1',
  });
});

afterAll(async () => {
  await gateway?.stop();
  folder.remove();
});

it('R70 counts as failing while its thread does not answer, and no longer once it does', async () => {
  await hang();
  const refused = await refusedUpgrade(`${gateway.url}/ws?token=${await testToken()}`);
  expect([refused.status, JSON.stringify(refused)]).toEqual([503, expect.stringContaining('journal_unavailable')]);
  await until(() => gateway.log().includes('its thread does not answer'));
  // It has been renamed before it is read.
  writeFileSync(join(folder.path, 'keys', 'orders.taken.jsonl'), '\n');
  await until(async () => !(await isFailing()), undefined, 'it writes again');
  await until(() => gateway.log().includes('the journal can be written again'));
});

it('R70 does not keep the process from ending', async () => {
  await hang();
  process.kill(gateway.pid, 'SIGTERM');
  // Without the timeout of the test's own `stop`, which kills it.
  await gateway.exited;
  await until(() => gateway.log().includes('journal: did not close in time'));
});
