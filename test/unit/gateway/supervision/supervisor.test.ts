import { expect, test } from 'vitest';
import { readConfig } from '../../../../src/config/environment.js';
import { type SupervisorOptions, WorkerSupervisor } from '../../../../src/gateway/supervision/supervisor.js';
import { PATIENCE_MS, until } from '../../../support/until.js';

const FAILING = new URL('../../../support/failing-worker.mjs', import.meta.url);
const EARLY = new URL('../../../support/early-worker.mjs', import.meta.url);

function newSupervisor(threadFile: URL, more: Partial<SupervisorOptions>): WorkerSupervisor {
  return new WorkerSupervisor({
    config: () => readConfig({ WORKERS: '1' }),
    common: { readiness: new SharedArrayBuffer(4), liveSecret: 'of-a-test' },
    threadFile,
    fixThreadFile: threadFile,
    rings: [new SharedArrayBuffer(4)],
    doorbells: new SharedArrayBuffer(4),
    journal: () => undefined,
    revocations: () => [],
    keys: () => undefined,
    onMessage: () => {},
    onStarting: () => {},
    onDown: () => {},
    onFault: () => {},
    onLongWork: () => {},
    onStuck: () => {},
    ...more,
  });
}

test('R45 a gateway worker that dies is reported and replaced within 2 s, and the process lives on', async () => {
  const down: string[] = [];
  let starts = 0;
  const supervisor = newSupervisor(FAILING, {
    onStarting: () => starts++,
    onDown: (_worker, reason) => down.push(reason),
  });
  await supervisor.start();
  expect(starts).toBe(1);
  const tookMs: number[] = [];
  for (let deaths = 1; deaths <= 2; deaths++) {
    await supervisor.stats();
    const startMs = performance.now();
    await until(() => down.length === deaths && supervisor.listening === 1, PATIENCE_MS, 'a new worker');
    tookMs.push(performance.now() - startMs);
  }
  // A busy machine may take longer once.
  expect(Math.min(...tookMs)).toBeLessThan(2000);
  expect(down[0]).toContain('the test wants it dead');
  expect(supervisor.restarts).toBe(2);
  expect(starts).toBe(3);
  await supervisor.close();
  expect(supervisor.listening).toBe(0);
});

test('R45 R46 what is posted to a gateway worker when it starts is there before it listens', async () => {
  const supervisor: WorkerSupervisor = newSupervisor(EARLY, {
    onStarting: worker => {
      supervisor.post(worker, { type: 'drain' });
      supervisor.post(worker, { type: 'accept', isAccepting: false });
    },
  });
  await supervisor.start();
  expect(supervisor.port).toBe(2);
  await supervisor.close();
});
