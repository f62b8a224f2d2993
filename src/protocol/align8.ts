/** The next multiple of 8: where a record or a frame in shared memory ends, so that the one behind it is aligned. */
export const align8 = (bytes: number): number => (bytes + 7) & ~7;
