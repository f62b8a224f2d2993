import { expect, test } from 'vitest';
import { readConfig } from '../../../../src/config/environment.js';
import { WorkerSupervisor } from '../../../../src/gateway/supervision/supervisor.js';
import { until } from '../../../support/until.js';

const THREAD_FILE = new URL('../../../support/failing-worker.mjs', import.meta.url);

test('R45 a gateway worker that dies is reported and replaced within 2 s, and the process lives on', async () => {
  const down: string[] = [];
  let up = 0;
  const supervisor = new WorkerSupervisor({
    config: readConfig({ WORKERS: '1' }),
    threadFile: THREAD_FILE,
    rings: [new SharedArrayBuffer(4)],
    doorbells: new SharedArrayBuffer(4),
    revocations: () => [],
    onMessage: () => {},
    onUp: () => up++,
    onDown: (_worker, reason) => down.push(reason),
    onFault: () => {},
    onLongWork: () => {},
    onStuck: () => {},
  });
  await supervisor.start();
  expect(up).toBe(1);
  for (let deaths = 1; deaths <= 2; deaths++) {
    await supervisor.stats();
    await until(() => down.length === deaths && supervisor.listening === 1, 2000, 'a new worker');
  }
  expect(down[0]).toContain('the test wants it dead');
  expect(supervisor.restarts).toBe(2);
  expect(up).toBe(3);
  await supervisor.close();
  expect(supervisor.listening).toBe(0);
});
