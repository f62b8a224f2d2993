/** A topic whose data is held back, and the live one that it follows. */
import type { Subject } from '../sources/subject-table.js';

/** A document before the first one was captured. */
const BYTES_GUESSED = 1_024;

export interface HeldTopic {
  /** Stands for it in what is held back. Never reused: a record may outlive its topic. */
  readonly key: number;
  /** What clients follow: a source of its own, whose messages are those of the past. */
  readonly subject: Subject;
  /** Undefined until the feed has published it. */
  live: Subject | undefined;
  /** The live epoch of what was held back last. */
  epoch: string;
  /** State topics: the sequence of the document held back last, and since when it was stale, µs; 0: it was not. */
  seq: number;
  staleSinceMicros: number;
  /** Length of that document, which the next one will be about as long as. */
  bytes: number;
  /** State topics: messages of the live topic before the last capture, and before the one that is asked for. */
  messages: number;
  messagesAsked: number;
  /** When a capture was asked for; 0: none is awaited. */
  askedAtMicros: number;
  /** No capture before this time. */
  restsUntilMicros: number;
  /** Event topics: messages found no room since the last one that did. */
  isLossy: boolean;
}

export function newHeldTopic(key: number, subject: Subject, live: Subject | undefined): HeldTopic {
  return {
    key,
    subject,
    live,
    epoch: '',
    seq: 0,
    staleSinceMicros: 0,
    bytes: BYTES_GUESSED,
    messages: 0,
    messagesAsked: 0,
    askedAtMicros: 0,
    restsUntilMicros: 0,
    isLossy: false,
  };
}
