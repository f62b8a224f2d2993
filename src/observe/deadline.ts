/** Deadlines for what may never end. */

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
