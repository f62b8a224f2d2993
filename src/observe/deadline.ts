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

/** What ends within a time of its own. */
interface TimedEnd {
  readonly name: string;
  readonly maxMs: number;
  readonly end: () => Promise<unknown>;
}

/** Ends one after the other, even if another one fails or is late. @returns what failed */
export async function endInTurn(parts: readonly TimedEnd[]): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (const { name, maxMs, end } of parts) {
    try {
      await inTime(end(), maxMs, `${name}: did not close in time`);
    } catch (cause) {
      failures.push(cause);
    }
  }
  return failures;
}
