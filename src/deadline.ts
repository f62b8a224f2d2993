/** How long the parts of a gateway may take to end. */

/** How long each part may take to close before the next one is closed; together less than the program's own limit. */
export const CLOSE_PART_MAX_MS = { workers: 2_000, feed: 1_000, hub: 700, admin: 300 };

/** @throws {Error} saying what is late, after that time. */
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
