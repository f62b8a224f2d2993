/** Sequences of lost events, as one range per source. */
export interface LostRange {
  from: number;
  to: number;
}

/** Widens the source's range by one sequence. */
export function noteLost(lost: Map<number, LostRange>, source: number, seq: number): void {
  const range = lost.get(source);
  if (range === undefined) lost.set(source, { from: seq, to: seq });
  else {
    range.from = Math.min(range.from, seq);
    range.to = Math.max(range.to, seq);
  }
}
