/** Checks a message against the dictionary. What is wrong becomes a Reject (3) with the reasons of FIX 4.4. */
import {
  DATA_OF_LENGTH,
  ENUMERATED,
  FIELD_TYPES,
  type FieldType,
  type GroupShape,
  HEADER_GROUPS,
  HEADER_REQUIRED,
  HEADER_TAGS,
  MESSAGE_TYPES,
  MESSAGES,
  TRAILER_TAGS,
} from './dictionary.js';
import { type FixMessage, NO_TAG } from './message.js';
import { Tag } from './tags.js';
import { isUtcTime, utcMicros } from './utc.js';

/** SessionRejectReason (373). */
export const RejectReason = {
  invalidTag: 0,
  requiredTagMissing: 1,
  tagNotDefined: 2,
  tagWithoutValue: 4,
  incorrectValue: 5,
  incorrectFormat: 6,
  compIdProblem: 9,
  sendingTimeAccuracy: 10,
  invalidMsgType: 11,
  repeatedTag: 13,
  tagOutOfOrder: 14,
  groupOutOfOrder: 15,
  groupCount: 16,
  other: 99,
} as const;
export type RejectReason = (typeof RejectReason)[keyof typeof RejectReason];

export const REJECT_TEXTS: Readonly<Record<RejectReason, string>> = {
  0: 'Invalid tag number',
  1: 'Required tag missing',
  2: 'Tag not defined for this message type',
  4: 'Tag specified without a value',
  5: 'Value is incorrect (out of range) for this tag',
  6: 'Incorrect data format for value',
  9: 'CompID problem',
  10: 'SendingTime accuracy problem',
  11: 'Invalid MsgType',
  13: 'Tag appears more than once',
  14: 'Tag specified out of required order',
  15: 'Repeating group fields out of order',
  16: 'Incorrect NumInGroup count for repeating group',
  99: 'Other',
};

/** Why a message is rejected. `tag`: the field, as it came. */
export interface Rejection {
  readonly reason: RejectReason;
  readonly tag?: string | undefined;
  readonly text?: string;
}

const FORMATS: Readonly<Record<FieldType, (value: string) => boolean>> = {
  text: () => true,
  data: () => true,
  int: value => /^-?\d{1,18}$/.test(value),
  count: value => /^\d{1,9}$/.test(value),
  float: value => /^-?(?:\d+\.?\d*|\.\d+)$/.test(value),
  char: value => value.length === 1,
  boolean: value => value === 'Y' || value === 'N',
  timestamp: value => utcMicros(value) !== undefined,
  time: isUtcTime,
  date: value => utcMicros(`${value}-00:00:00`) !== undefined,
  month: value => /^\d{4}(?:0[1-9]|1[0-2])(?:\d\d|w[1-5])?$/.test(value),
};

/** Undefined if the message is right, or of a type that the acceptor does not take but FIX 4.4 has. */
export function rejectionOf(message: FixMessage): Rejection | undefined {
  const { type } = message;
  if (!MESSAGE_TYPES.has(type)) return { reason: RejectReason.invalidMsgType, tag: String(Tag.msgType) };
  return new Check(message).run(type);
}

/** Entries that all groups with the same first tag have according to their counts. */
interface AnnouncedEntries {
  /** Where the first of these counts is. */
  readonly countAt: number;
  /** Those not found. */
  missing: number;
}

class Check {
  readonly #message: FixMessage;
  readonly #seen = new Set<number>();
  /** Groups of a message whose groups are unknown, by the tag that their entries start with. */
  readonly #announced = new Map<number, AnnouncedEntries>();

  constructor(message: FixMessage) {
    this.#message = message;
  }

  run(type: string): Rejection | undefined {
    const shape = MESSAGES.get(type);
    const { tags } = this.#message;
    let part = 0;
    for (let at = 0; at < tags.length; ) {
      const tag = tags[at] as number;
      const fault = this.#fieldFault(at);
      if (fault !== undefined) return fault;
      const partOfTag = HEADER_TAGS.has(tag) ? 0 : TRAILER_TAGS.has(tag) ? 2 : 1;
      if (partOfTag < part) return this.#at(RejectReason.tagOutOfOrder, at);
      part = partOfTag;
      if (this.#seen.has(tag)) {
        // The entries of a group in a message whose groups are unknown repeat their tags.
        if (part !== 1 || this.#announced.size === 0) return this.#at(RejectReason.repeatedTag, at);
      }
      this.#seen.add(tag);
      if (part === 1 && shape === undefined) this.#noteCount(at);
      if (part === 1 && shape !== undefined && !shape.body.has(tag)) return this.#at(RejectReason.tagNotDefined, at);
      const group = part === 0 ? HEADER_GROUPS.get(tag) : shape?.groups.get(tag);
      const next = group === undefined ? at + 1 : this.#group(at, group);
      if (typeof next !== 'number') return next;
      at = next;
    }
    const missing = [...HEADER_REQUIRED, ...(shape?.required ?? [])].find(tag => !this.#seen.has(tag));
    if (missing !== undefined) return { reason: RejectReason.requiredTagMissing, tag: String(missing) };
    return this.#tooFewEntries();
  }

  #noteCount(at: number): void {
    const { tags } = this.#message;
    const [tag = 0, first = 0] = [tags[at], tags[at + 1]];
    if (FIELD_TYPES.get(tag) !== 'count' || DATA_OF_LENGTH.has(tag) || !(this.#countAt(at) > 0)) return;
    const announced = this.#announced.get(first);
    if (announced === undefined) this.#announced.set(first, { countAt: at, missing: this.#countAt(at) });
    else announced.missing += this.#countAt(at);
  }

  /** In a message whose groups are unknown, the first tag of a group may stand elsewhere too, but not be missing. */
  #tooFewEntries(): Rejection | undefined {
    if (this.#announced.size === 0) return undefined;
    for (const tag of this.#message.tags) {
      const announced = this.#announced.get(tag);
      if (announced !== undefined) announced.missing--;
    }
    for (const { countAt, missing } of this.#announced.values()) {
      if (missing > 0) return this.#at(RejectReason.groupCount, countAt);
    }
    return undefined;
  }

  #countAt(at: number): number {
    return Number(this.#message.valueAt(at));
  }

  /** @returns the field behind the group */
  #group(countAt: number, { first, members, groups }: GroupShape): number | Rejection {
    const { tags } = this.#message;
    const count = this.#countAt(countAt);
    let entries = 0;
    let at = countAt + 1;
    const inEntry = new Set<number>();
    while (at < tags.length && members.has(tags[at] as number)) {
      const tag = tags[at] as number;
      const fault = this.#fieldFault(at);
      if (fault !== undefined) return fault;
      if (tag === first) {
        entries++;
        inEntry.clear();
      } else if (entries === 0) return this.#at(RejectReason.groupOutOfOrder, at);
      else if (inEntry.has(tag)) return this.#at(RejectReason.repeatedTag, at);
      inEntry.add(tag);
      const nested = groups.get(tag);
      const next = nested === undefined ? at + 1 : this.#group(at, nested);
      if (typeof next !== 'number') return next;
      at = next;
    }
    return entries === count ? at : this.#at(RejectReason.groupCount, countAt);
  }

  #fieldFault(at: number): Rejection | undefined {
    const tag = this.#message.tags[at] as number;
    const type = tag === NO_TAG ? undefined : FIELD_TYPES.get(tag);
    if (type === undefined) return this.#at(RejectReason.invalidTag, at);
    const value = this.#message.valueAt(at);
    if (value === '') return this.#at(RejectReason.tagWithoutValue, at);
    if (!FORMATS[type](value)) return this.#at(RejectReason.incorrectFormat, at);
    const known = ENUMERATED.get(tag);
    if (known !== undefined && !value.split(' ').every(part => known.has(part))) {
      return this.#at(RejectReason.incorrectValue, at);
    }
    return undefined;
  }

  #at(reason: RejectReason, at: number): Rejection {
    return { reason, tag: this.#message.tagTextAt(at) };
  }
}
