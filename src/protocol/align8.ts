/** The next multiple of 8: where a record or frame in shared memory ends, so that the next one is aligned. */
export const align8 = (bytes: number): number => (bytes + 7) & ~7;
