/** Counts what was sent, by stream, format and class. */
import type { Stream } from '../../protocol/topics.js';

/** Messages and bytes sent for one stream, format and class. */
export interface SentCell {
  messages: number;
  bytes: number;
}

/** Returns the cell of a stream, format and class. */
export type SentCells = (stream: Stream, format: string, rateClass: string) => SentCell;
