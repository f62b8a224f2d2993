import { isMainThread } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { median, percentile, probe } from './probe.mjs';

/** The task: keeps its thread busy for so many microseconds. */
export default function task(microseconds) {
  const end = performance.now() + microseconds / 1000;
  while (performance.now() < end);
  return microseconds;
}

if (isMainThread) {
  await probe(
    'a Piscina round trip costs ten microseconds and more, so a task must be a batch',
    async ({ check, note }) => {
      const pool = new Piscina({ filename: new URL(import.meta.url).href, minThreads: 1, maxThreads: 1 });
      const measure = async microseconds => {
        const samples = [];
        for (let round = 0; round < 1500; round++) {
          const start = performance.now();
          await pool.run(microseconds);
          samples.push((performance.now() - start) * 1000);
        }
        return samples;
      };
      await measure(0);
      const empty = await measure(0);
      const batch = await measure(100);
      const overhead = median(empty);
      note(
        `empty task: p50 ${overhead.toFixed(1)} µs, p99 ${percentile(empty, 0.99).toFixed(0)}; a task of 100 µs: p50 ${median(batch).toFixed(0)} µs`,
      );
      check(
        overhead > 2 && overhead < 500,
        `the round trip alone is ${((100 * overhead) / median(batch)).toFixed(0)} % of a 100 µs task`,
      );
      await pool.destroy();
    },
  );
}
