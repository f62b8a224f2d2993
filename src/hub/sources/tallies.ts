/** What arrived from the feed, by kind. */
import { SOURCE_KINDS, type SourceKind } from '../../protocol/topics.js';

/** Of one kind; all its subjects count in it. */
export interface Tally {
  messages: number;
  bytes: number;
  /** When the last message arrived, from `monotonicMicros`; 0: never. */
  lastMicros: number;
}

export type Tallies = Readonly<Record<SourceKind, Tally>>;

export function newTallies(): Tallies {
  const entries = SOURCE_KINDS.map(kind => [kind, { messages: 0, bytes: 0, lastMicros: 0 }]);
  return Object.fromEntries(entries) as Tallies;
}
