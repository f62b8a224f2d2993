import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { interrupt } from '../../../../src/gateway/supervision/interruption.js';
import { ThreadInspector } from '../../../../src/gateway/supervision/thread-inspector.js';
import { Cell, createTurnRows, turnRow } from '../../../../src/gateway/supervision/watchdog.js';
import { until } from '../../../support/until.js';

const THREAD_FILE = new URL('../../../support/looping-worker.mjs', import.meta.url);
const TIMEOUT_MS = 10_000;

const threads: Worker[] = [];
afterEach(async () => {
  await Promise.all(threads.splice(0).map(thread => thread.terminate()));
});

function start(isElsewhere = false): { thread: Worker; row: Int32Array<SharedArrayBuffer> } {
  const rows = createTurnRows(1);
  const thread = new Worker(THREAD_FILE, { workerData: { row: rows, isElsewhere } });
  threads.push(thread);
  return { thread, row: turnRow(rows, 0) };
}

describe('J1 R47 an interruption', () => {
  it('R47 reaches the thread that it is for, however many start at once', async () => {
    const started = Array.from({ length: 6 }, () => start().thread);
    await Promise.all(started.map(thread => once(thread, 'message')));
    const answers = await Promise.all(
      started.map(async thread => {
        const inspector = await ThreadInspector.attach(thread);
        const answer = await inspector.send('Runtime.evaluate', { expression: 'threadName()' });
        inspector.end();
        return JSON.parse(answer).result.result.value;
      }),
    );
    expect(answers).toEqual(started.map(({ threadId }) => `thread ${threadId}`));
  });

  it('J1 stops an endless loop, time and again, and the thread goes on to its next message', async () => {
    const { thread, row } = start();
    await once(thread, 'message');
    for (let time = 0; time < 5; time++) {
      Atomics.store(row, Cell.work, 0);
      thread.postMessage('loop');
      await until(() => Atomics.load(row, Cell.work) === 1);
      const inspector = await ThreadInspector.attach(thread);
      expect(await interrupt(row, inspector, TIMEOUT_MS)).toBe('interrupted');
      inspector.end();
      const answer = once(thread, 'message');
      thread.postMessage(`served ${time}`);
      expect((await answer)[0]).toBe(`served ${time}`);
    }
  });

  it('R47 stops nothing where the thread is at other work by then', async () => {
    const { thread, row } = start(true);
    await once(thread, 'message');
    const inspector = await ThreadInspector.attach(thread);
    expect(await interrupt(row, inspector, TIMEOUT_MS)).toBe('over');
    inspector.end();
    const answer = once(thread, 'message');
    thread.postMessage('undisturbed');
    expect((await answer)[0]).toBe('undisturbed');
  });

  it('R47 of a thread that has ended fails', async () => {
    const { thread } = start();
    await once(thread, 'message');
    await thread.terminate();
    await expect(ThreadInspector.attach(thread)).rejects.toThrow('the thread has ended');
  });
});
