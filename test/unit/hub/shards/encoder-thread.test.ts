import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildSync } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type EncoderThread, PooledEncoderThread } from '../../../../src/hub/shards/encoder-thread.js';
import type { BatchResult } from '../../../../src/threads/batch.js';
import { HANDOFF_BATCH_BYTES_MAX } from '../../../../src/threads/handoff-slot.js';
import { Batch } from '../../../support/echo-batches.js';
import { until } from '../../../support/until.js';

const folder = mkdtempSync(join(tmpdir(), 'millrace-encoder-'));
const taskFile = join(folder, 'echo-encoder.cjs');
const memory = () => new SharedArrayBuffer(64);

let thread: EncoderThread;
let deaths: unknown[];

function batch(bytes: number, first: number = Batch.quiet) {
  const buffer = new ArrayBuffer(bytes);
  new Uint8Array(buffer)[0] = first;
  return { buffer, bytes };
}

function bundle(name: string, outfile: string): void {
  const piscina = fileURLToPath(new URL('../../../../node_modules/piscina/dist/main.js', import.meta.url));
  buildSync({
    entryPoints: [fileURLToPath(new URL(`../../../support/${name}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    alias: { piscina },
    external: [piscina],
  });
}

/** What V8 says of typed arrays that it must look after from now on, and what the program prints. */
async function traced(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--trace-protector-invalidation', ...args]);
  return stdout;
}

/** What has become of a run by now. */
function watched(run: Promise<BatchResult>): { result: BatchResult | undefined; cause: unknown } {
  const seen: { result: BatchResult | undefined; cause: unknown } = { result: undefined, cause: undefined };
  run.then(
    result => {
      seen.result = result;
    },
    (cause: unknown) => {
      seen.cause = cause;
    },
  );
  return seen;
}

async function flushed(run: Promise<BatchResult>): Promise<BatchResult> {
  thread.flush();
  return await run;
}

describe('R4 R52: batches for an encoder thread', () => {
  beforeAll(() => {
    bundle('echo-encoder', taskFile);
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  beforeEach(() => {
    const seen: unknown[] = [];
    deaths = seen;
    thread = new PooledEncoderThread(taskFile, {
      ring: memory(),
      doorbells: memory(),
      messageBytesMax: 1024 * 1024,
      bookLevelsMax: 1_000_000,
      batchMax: 1,
    });
    thread.onDeath = cause => seen.push(cause);
  });

  afterEach(() => thread.destroy());

  it('are each encoded once and in order, however their sizes take turns', async () => {
    const sizes = [8, 16, HANDOFF_BATCH_BYTES_MAX, HANDOFF_BATCH_BYTES_MAX + 8, 24, HANDOFF_BATCH_BYTES_MAX + 16, 32];
    for (let round = 0, count = 0; round < 50; round++) {
      for (const bytes of sizes) {
        const { frames, frameBytes, buffer } = await flushed(thread.run(batch(bytes)));
        expect({ frames, frameBytes, given: buffer.byteLength }).toEqual({
          frames: ++count,
          frameBytes: bytes,
          given: bytes,
        });
      }
    }
  });

  it('are told of at once when there is something to do about them, and else when somebody asks', async () => {
    await flushed(thread.run(batch(8)));
    let frames = 1;
    // Where the machine is busy for longer than the thread waits for another batch, it has told already: then once more.
    await until(async () => {
      const quiet = watched(thread.run(batch(8)));
      await sleep(20);
      const isUntold = quiet.result === undefined;
      thread.flush();
      await until(() => quiet.result !== undefined);
      expect(quiet.result).toMatchObject({ dueClasses: 0, frames: ++frames });
      return isUntold;
    });
    const due = watched(thread.run(batch(8, Batch.due)));
    await until(() => due.result !== undefined);
    expect(due.result).toMatchObject({ dueClasses: 2, frames: ++frames });
    // The thread has gone back to its pool to say so, and comes again.
    expect(await flushed(thread.run(batch(8)))).toMatchObject({ dueClasses: 0, frames: ++frames });
  });

  it('are told of when the thread has had nothing to do for a while, and wake it afterwards', async () => {
    for (let frames = 1; frames <= 3; frames++) {
      const run = watched(thread.run(batch(8)));
      await until(() => run.result !== undefined);
      expect(run.result).toMatchObject({ frames });
    }
  });

  it('are lost with a thread that dies of one', async () => {
    await flushed(thread.run(batch(8)));
    await expect(flushed(thread.run(batch(8, Batch.die)))).rejects.toThrow('told to die');
    expect(deaths).toEqual([]);
  });

  it('are known to be done before their thread’s death is', async () => {
    const run = watched(thread.run(batch(8, Batch.dieWaiting)));
    const atDeath: unknown[] = [];
    thread.onDeath = () => atDeath.push(run.result);
    await until(() => atDeath.length > 0);
    expect(atDeath[0]).toMatchObject({ frames: 1 });
    expect(run.cause).toBeUndefined();
  });

  it('detach no memory, however large they are: it would slow all typed arrays of both threads', async () => {
    const detached = 'ArrayBufferDetaching';
    const transfer = 'const lent = new ArrayBuffer(8); structuredClone(lent, { transfer: [lent] })';
    expect(await traced('--eval', transfer)).toContain(detached);
    const program = join(folder, 'large-batch.cjs');
    bundle('large-batch', program);
    const said = await traced(program, taskFile);
    const bytes = HANDOFF_BATCH_BYTES_MAX + 8;
    expect(said).toContain(`encoded ${bytes} bytes, has ${bytes} back`);
    expect(said).not.toContain(detached);
  });
});
