/** Sequences of lost events, as one range per subject. */
export interface LostRange {
  from: number;
  to: number;
}

/** Widens the subject's range by one sequence. */
export function noteLost(lost: Map<number, LostRange>, subject: number, seq: number): void {
  const range = lost.get(subject);
  if (range === undefined) lost.set(subject, { from: seq, to: seq });
  else {
    range.from = Math.min(range.from, seq);
    range.to = Math.max(range.to, seq);
  }
}
