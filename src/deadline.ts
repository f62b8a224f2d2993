/** Deadlines for closing the parts of a gateway. */

/** Time limit for closing each part; together they stay below the limit for the whole process. */
export const CLOSE_PART_MAX_MS = { workers: 2_000, feed: 1_000, hub: 700, admin: 300 };

/** @throws {Error} naming what is late, if `done` takes longer than `maxMs` */
export async function inTime(done: Promise<unknown>, maxMs: number, late: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${late} (${maxMs} ms)`)), maxMs);
  });
  try {
    await Promise.race([done, limit]);
  } finally {
    clearTimeout(timer);
  }
}
