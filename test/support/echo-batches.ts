/** What a batch's first byte tells the thread of echo-encoder.ts. */
export const Batch = { quiet: 0, due: 1, die: 2, dieWaiting: 3 } as const;
