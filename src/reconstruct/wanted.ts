import type { FixPart } from './fix-part.js';

/** A frame, or a part of one, that is asked for by its position among the messages of a subject. */
export interface Wanted {
  /**
   * `change`: of a document since `prev`; `document`: a whole frame; `answer`: for quotes, one operation of a frame; `event`: one
   * message; `batch`: all messages behind `prev` up to `seq` as an array.
   */
  readonly form: 'change' | 'document' | 'answer' | 'event' | 'batch';
  /** As frames name it. */
  readonly epoch: string;
  readonly numbering: string;
  readonly prev: number;
  readonly seq: number;
  /** At the latest, µs since the Unix epoch. */
  readonly sentMicros: number;
  /** A lane of any class (threads/lanes.ts): frames do not name theirs. */
  readonly lane: number;
  /** What of it a client of FIX gets; undefined: everything. */
  readonly part?: FixPart | undefined;
  /**
   * @param payload with `ts_sent` as the placeholder
   * @param lacksTime its publisher gave no time: the gateway's own stood in its place, and now 1970-01-01
   */
  found(payload: Buffer, lacksTime: boolean): void;
  missing(why: string): void;
}

/** Finds by position what is wanted. */
export class WantedAt {
  readonly #at = new Map<string, Wanted[]>();

  add(wanted: Wanted): void {
    const key = keyOf(wanted.numbering, wanted.seq);
    const present = this.#at.get(key);
    if (present === undefined) this.#at.set(key, [wanted]);
    else present.push(wanted);
  }

  /** Takes what ends at this position. */
  take(numbering: string, seq: number): readonly Wanted[] {
    const key = keyOf(numbering, seq);
    const wanted = this.#at.get(key) ?? [];
    this.#at.delete(key);
    return wanted;
  }

  /** Takes what no message has ended. */
  takeAll(): readonly Wanted[] {
    const all = [...this.#at.values()].flat();
    this.#at.clear();
    return all;
  }
}

export const keyOf = (numbering: string, seq: number): string => `${seq} ${numbering}`;
