/** Counts what a client is answered, from the first bytes of each frame in either format; parses none. */
import type { FrameInspector } from '../load/frame-reader.js';
import { ascii, find, number } from '../load/order-inspector.js';

const TYPE = ascii('type');
const CODE = ascii('code');
const RETRY_AFTER = ascii('"retry_after_ms":');
const TYPE_WITHIN_BYTES = 16;
const ANSWERS: ReadonlySet<string> = new Set(['subscribed', 'unsubscribed', 'ack', 'pong']);
const WORD_LENGTH_MAX = 32;
const [UNDERSCORE, LOWER_A, LOWER_Z] = [0x5f, 0x61, 0x7a];
const OPENING_BRACE = 0x7b;

/** What is told of each answer; `code` is that of an error. */
interface AnswerEvents {
  answered(code: string | undefined, retryAfterMs: number | undefined): void;
  /** The text of an answer, where it is wanted. */
  readonly wantsText?: ((text: string) => void) | undefined;
}

/** Over all connections of one process. */
export class AnswerCounts {
  accepted = 0;
  frames = 0;
  bytes = 0;
  readonly refused: Record<string, number> = {};
}

export class AnswerInspector implements FrameInspector {
  readonly #counts: AnswerCounts;
  readonly #events: AnswerEvents;

  constructor(counts: AnswerCounts, events: AnswerEvents) {
    this.#counts = counts;
    this.#events = events;
  }

  inspect(_socket: number, bytes: Uint8Array, from: number, to: number): void {
    this.#counts.frames++;
    this.#counts.bytes += to - from;
    const type = wordAfter(bytes, from, Math.min(to, from + TYPE_WITHIN_BYTES), TYPE, to);
    if (type === 'error') {
      const code = wordAfter(bytes, from, to, CODE, to);
      this.#counts.refused[code] = (this.#counts.refused[code] ?? 0) + 1;
      const at = find(bytes, from, to, RETRY_AFTER);
      this.#events.answered(code, at < 0 ? undefined : number(bytes, at, to));
    } else if (ANSWERS.has(type)) {
      this.#counts.accepted++;
      this.#events.wantsText?.(Buffer.from(bytes.subarray(from, to)).toString());
      this.#events.answered(undefined, undefined);
    }
  }
}

/** The text value of a member: behind `":"` in JSON, behind one byte of header in MessagePack. '' where there is none. */
function wordAfter(bytes: Uint8Array, from: number, within: number, key: Uint8Array, to: number): string {
  const found = find(bytes, from, within, key);
  if (found < 0) return '';
  const start = found + (bytes[from] === OPENING_BRACE ? 3 : 1);
  let end = start;
  while (end < to && end - start < WORD_LENGTH_MAX && isWord(bytes[end] ?? 0)) end++;
  return String.fromCharCode(...bytes.subarray(start, end));
}

function isWord(byte: number): boolean {
  return (byte >= LOWER_A && byte <= LOWER_Z) || byte === UNDERSCORE;
}
