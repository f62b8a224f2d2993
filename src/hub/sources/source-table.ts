/** The sources the hub knows: one per NATS subject, with a small number that stands for it everywhere downstream. */

import { topicParts } from '../../protocol/topic-parts.js';
import { ALL_SYMBOLS, isStateSource, type SourceKind, subjectOf } from '../../protocol/topics.js';
import { shardOf } from '../../threads/shard-of.js';
import { Retention } from './retention.js';

/** Sources one process follows. Beyond it, messages of new subjects are refused and counted. */
export const SOURCES_MAX = 500_000;
/** A number is given to another source only when nothing that was said of the former one can still be on its way. */
const NUMBER_REST_MS = 30_000;

export interface Source {
  readonly id: number;
  readonly kind: SourceKind;
  readonly symbol: string;
  readonly subject: string;
  readonly shard: number;
  /** Null for event sources: a log is not retained here. */
  readonly retention: Retention | null;
  /** What `seq` counts in; '' before the first message. */
  epoch: string;
  /** Epochs so far: what was counted in one of them says nothing in the next. */
  epochs: number;
  /** What it counted in when the gateway numbered it last; '' while it never did. */
  ownEpoch: string;
  /** Outages of the feed before `ownEpoch`. */
  outages: number;
  /** The epoch that its publisher names; '' while it numbers nothing. */
  publisherEpoch: string;
  /** How often it has begun in that epoch. */
  publisherLife: number;
  /** Hash of the first message of that life; 0 where it was not seen. */
  publisherBegan: number;
  /** Outages of the feed before its newest message. */
  publisherOutages: number;
  /** Sequence of the newest message; 0 before the first. */
  seq: number;
  /** Event sources: sequence of the newest message that the encoder has taken; 0 before the first. */
  encodedSeq: number;
  /** Workers (bit mask) that want each lane. Null: nobody ever did. */
  wants: Map<number, number> | null;
  /** Publications under way that need the source. */
  holds: number;
  /** Settles when the feed delivers the source's messages; undefined when it does. */
  opening: Promise<void> | undefined;
  /** Event sources: where the newest message stands in the history; −1 nowhere. */
  historyAt: number;
  /** Of its newest message: the number among all, and when it came (see Symbols.nowMs). */
  seenOrder: number;
  seenAtMs: number;
  /** Event sources: where the feed's numbering stood when the source was made: what was lost before concerns no client of it. */
  sinceSeq: number;
  /** State sources: the newest message was given up, so the next one follows a loss. */
  hasHole: boolean;
  /** It is there only because a client asked for it, and counts as such. */
  isClientMade: boolean;
}

export class SourceTable {
  readonly #bySubject = new Map<string, Source>();
  /** By number. */
  readonly #all: (Source | undefined)[] = [];
  /** Numbers that are free, and since when; the oldest first. */
  readonly #resting = new Map<number, number>();
  readonly #shards: number;
  readonly #nowMs: () => number;
  /** Stands for the trades of all symbols; it lives in every shard. */
  readonly allTrades: Source;

  constructor(shards: number, nowMs: () => number) {
    this.#shards = shards;
    this.#nowMs = nowMs;
    this.allTrades = this.#add('trades', ALL_SYMBOLS);
  }

  get size(): number {
    return this.#bySubject.size;
  }

  get(id: number): Source | undefined {
    return this.#all[id];
  }

  find(subject: string): Source | undefined {
    return this.#bySubject.get(subject);
  }

  /** Undefined when the table is full. */
  create(kind: SourceKind, symbol: string): Source | undefined {
    return this.#bySubject.size >= SOURCES_MAX ? undefined : this.#add(kind, symbol);
  }

  /** Forgets a source; its number rests before it stands for another one. */
  drop(source: Source): void {
    this.#bySubject.delete(source.subject);
    this.#all[source.id] = undefined;
    this.#resting.set(source.id, this.#nowMs());
  }

  [Symbol.iterator](): IterableIterator<Source> {
    return this.#bySubject.values();
  }

  #newId(): number {
    for (const [id, sinceMs] of this.#resting) {
      if (this.#nowMs() - sinceMs < NUMBER_REST_MS) break;
      this.#resting.delete(id);
      return id;
    }
    return this.#all.length;
  }

  #add(kind: SourceKind, symbol: string): Source {
    const source: Source = {
      id: this.#newId(),
      kind,
      symbol,
      subject: subjectOf(kind, symbol),
      shard: shardOf(`${kind}:${symbol}`, this.#shards),
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
      historyAt: -1,
      seenOrder: 0,
      seenAtMs: 0,
      sinceSeq: 0,
      hasHole: false,
      isClientMade: false,
    };
    this.#all[source.id] = source;
    this.#bySubject.set(source.subject, source);
    return source;
  }
}

/** True when a message of the source may be missing behind its newest: the feed passed over this sequence. */
export function mayLack({ seq, sinceSeq }: Source, holeSeq: number | undefined): boolean {
  return holeSeq !== undefined && holeSeq > seq && holeSeq > sinceSeq;
}

/** Of a source's name, `<kind>:<symbol>`. */
export function partsOf(name: string): [SourceKind, string] {
  return topicParts(name) as [SourceKind, string];
}
