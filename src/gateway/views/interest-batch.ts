/** Batches a turn's changes of interest into one message. */
import type { InterestChange } from '../../threads/thread-messages.js';

export function interestTeller(send: (changes: readonly InterestChange[]) => void): (change: InterestChange) => void {
  let changes: InterestChange[] = [];
  return change => {
    if (changes.length === 0) {
      queueMicrotask(() => {
        const due = changes;
        changes = [];
        send(due);
      });
    }
    changes.push(change);
  };
}
