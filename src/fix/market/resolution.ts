/** ApplQueueResolution (814): what became of messages that were not sent. */
export const Resolution = { replaced: 1, conflated: 2, ended: 3 } as const;
export type Resolution = (typeof Resolution)[keyof typeof Resolution];
