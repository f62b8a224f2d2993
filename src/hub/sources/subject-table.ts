/**
 * The subjects the hub knows: one per NATS subject, each with a small number that stands for it everywhere downstream.
 */

import { delayedName } from '../../protocol/delayed-name.js';
import { topicParts } from '../../protocol/topic-parts.js';
import { ALL_SYMBOLS, isStateSource, type SourceKind, subjectOf } from '../../protocol/topics.js';
import { shardOf } from '../../threads/shard-of.js';
import { Retention } from './retention.js';
import { newTallies, type Tallies, type Tally } from './tallies.js';

/** Maximum subjects per process. Beyond it, messages of new subjects are refused and counted. */
const SUBJECTS_MAX = 500_000;
/** How long a number rests before it is reused, so that nothing about its former subject is still in transit. */
const NUMBER_REST_MS = 30_000;

export interface Subject {
  readonly id: number;
  readonly kind: SourceKind;
  readonly symbol: string;
  readonly name: string;
  /** How late its messages are, ms; 0: it is live. */
  readonly delayMs: number;
  readonly shard: number;
  /** Counts the messages of its kind. */
  readonly tally: Tally;
  /** Null for event subjects: a log is not retained here. */
  readonly retention: Retention | null;
  /** The epoch of `seq`; '' before the first message. */
  epoch: string;
  /** Number of epochs so far; counts from one epoch mean nothing in the next. */
  epochs: number;
  /** The epoch in which the gateway last numbered it; '' if it never did. */
  ownEpoch: string;
  /** Feed outages before `ownEpoch`. */
  outages: number;
  /** The epoch named by its publisher; '' while the publisher does not number. */
  publisherEpoch: string;
  /** How often the publisher has started in that epoch. */
  publisherLife: number;
  /** Hash of the first message since its last start; 0 if it was not seen. */
  publisherBegan: number;
  /** Feed outages before its newest message. */
  publisherOutages: number;
  /** Sequence of the newest message; 0 before the first. */
  seq: number;
  /** Event subjects: sequence of the newest message that the encoder has taken; 0 before the first. */
  encodedSeq: number;
  /** Per view, a bit mask of the workers that want it. Null: it was never wanted. */
  wants: Map<number, number> | null;
  /** Pending publications that need the subject. */
  holds: number;
  /** Resolves when the feed delivers the subject's messages, or cannot; undefined when that is known. */
  opening: Promise<void> | undefined;
  /** Why the server does not let the feed follow it, in the server's words; '' if it does. */
  refusal: string;
  /** Event subjects: place of the newest message in the history; −1: none. */
  historyAt: number;
  /** Its newest message: overall number and time of arrival (see Symbols.nowMs). */
  seenOrder: number;
  seenAtMs: number;
  /** Messages since it was created. */
  messages: number;
  /** Event subjects: the feed's position when the subject was created. Earlier losses do not affect its clients. */
  sinceSeq: number;
  /** State subjects: the newest message was given up, so the next one follows a loss. */
  hasHole: boolean;
  /** It exists only because a client asked for it, and counts as such. */
  isClientMade: boolean;
  /** Those that get its messages later (hub/delays); null: none. */
  delayed: readonly Subject[] | null;
}

export class SubjectTable {
  readonly #byName = new Map<string, Subject>();
  /** Apart from the others: no message of the feed is for them. */
  readonly #delayed = new Map<string, Subject>();
  /** By number. */
  readonly #all: (Subject | undefined)[] = [];
  /** Free numbers, and since when; the oldest first. */
  readonly #resting = new Map<number, number>();
  readonly #shards: number;
  readonly #nowMs: () => number;
  readonly #tallies: Tallies;
  /** Stands for the trades of all symbols; it exists in every shard. */
  readonly allTrades: Subject;

  constructor(shards: number, nowMs: () => number, tallies = newTallies()) {
    this.#shards = shards;
    this.#nowMs = nowMs;
    this.#tallies = tallies;
    this.allTrades = this.#add('trades', ALL_SYMBOLS);
  }

  get size(): number {
    return this.#byName.size;
  }

  get(id: number): Subject | undefined {
    return this.#all[id];
  }

  find(name: string): Subject | undefined {
    return this.#byName.get(name);
  }

  /** @param name of a live subject, or of a delayed one */
  findAny(name: string): Subject | undefined {
    return this.#byName.get(name) ?? this.#delayed.get(name);
  }

  findLive(kind: SourceKind, symbol: string): Subject | undefined {
    return this.#byName.get(subjectOf(kind, symbol));
  }

  findDelayed(kind: SourceKind, symbol: string, delayMs: number): Subject | undefined {
    return this.#delayed.get(subjectOf(kind, delayedName(symbol, delayMs)));
  }

  /** A subject that gets the messages of a live one later. Undefined when the table is full. */
  createDelayed(kind: SourceKind, symbol: string, delayMs: number): Subject | undefined {
    return this.#delayed.size >= SUBJECTS_MAX ? undefined : this.#add(kind, symbol, delayMs);
  }

  /** Those that a subject, or a pattern of subjects, stands for. */
  matching(pattern: string): Subject[] {
    const single = this.#byName.get(pattern);
    if (single !== undefined) return [single];
    // Patterns of the feed end with their wildcard.
    const stem = /^(.*\.)[*>]$/.exec(pattern)?.[1];
    return stem === undefined ? [] : [...this.#byName.values()].filter(({ name }) => name.startsWith(stem));
  }

  /** Undefined when the table is full. */
  create(kind: SourceKind, symbol: string): Subject | undefined {
    return this.#byName.size >= SUBJECTS_MAX ? undefined : this.#add(kind, symbol);
  }

  /** Forgets a subject; its number rests before it is reused. */
  drop(subject: Subject): void {
    this.#byName.delete(subject.name);
    this.#delayed.delete(subject.name);
    this.#all[subject.id] = undefined;
    this.#resting.set(subject.id, this.#nowMs());
  }

  *[Symbol.iterator](): IterableIterator<Subject> {
    yield* this.#byName.values();
    yield* this.#delayed.values();
  }

  #newId(): number {
    for (const [id, sinceMs] of this.#resting) {
      if (this.#nowMs() - sinceMs < NUMBER_REST_MS) break;
      this.#resting.delete(id);
      return id;
    }
    return this.#all.length;
  }

  #add(kind: SourceKind, symbol: string, delayMs = 0): Subject {
    const named = delayedName(symbol, delayMs);
    const subject: Subject = {
      id: this.#newId(),
      kind,
      symbol,
      name: subjectOf(kind, named),
      delayMs,
      shard: shardOf(`${kind}:${named}`, this.#shards),
      tally: this.#tallies[kind],
      retention: isStateSource(kind) ? new Retention() : null,
      epoch: '',
      epochs: 0,
      ownEpoch: '',
      outages: 0,
      publisherEpoch: '',
      publisherLife: 1,
      publisherBegan: 0,
      publisherOutages: 0,
      seq: 0,
      encodedSeq: 0,
      wants: null,
      holds: 0,
      opening: undefined,
      refusal: '',
      historyAt: -1,
      seenOrder: 0,
      seenAtMs: 0,
      messages: 0,
      sinceSeq: 0,
      hasHole: false,
      isClientMade: false,
      delayed: null,
    };
    this.#all[subject.id] = subject;
    (delayMs === 0 ? this.#byName : this.#delayed).set(subject.name, subject);
    return subject;
  }
}

/** A message of the subject arrived. @param order its overall number. @param atMs see Symbols.nowMs */
export function noteSeen(subject: Subject, order: number, atMs: number): void {
  subject.seenOrder = order;
  subject.seenAtMs = atMs;
  subject.messages++;
}

/** True when a message of the subject may be missing after its newest: the feed passed over this sequence. */
export function mayLack({ seq, sinceSeq }: Subject, holeSeq: number | undefined): boolean {
  return holeSeq !== undefined && holeSeq > seq && holeSeq > sinceSeq;
}

/** Splits a subject as views name it, `<kind>:<symbol>`. */
export function partsOf(name: string): [SourceKind, string] {
  return topicParts(name) as [SourceKind, string];
}
