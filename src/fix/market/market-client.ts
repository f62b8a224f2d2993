/** What a subscription needs of its client. */
import type { Stream } from '../../protocol/topics.js';
import type { Tier } from '../../protocol/view-options.js';
import type { ClientJournal } from './client-journal.js';
import type { ChainPlace, Entries } from './entries.js';
import type { MarketRequest } from './request.js';

/** ApplQueueResolution (814): what became of messages that were not sent. */
export const Resolution = { replaced: 1, conflated: 2, ended: 3 } as const;
export type Resolution = (typeof Resolution)[keyof typeof Resolution];

/** A subscription, as the messages that it becomes need it. */
export interface Recipient {
  readonly request: MarketRequest;
  readonly symbol: string;
}

/** The client that a subscription sends to. */
export interface MarketClient {
  readonly tier: Tier;
  /** On whose behalf views are wanted. */
  readonly owner: number;
  /** The class that it gets at its best, and how many classes slower it gets now. */
  readonly rateClass: number;
  readonly level: number;
  /** True while it does not keep up: nothing is sent. */
  readonly isPaused: boolean;
  /** How late it gets a topic, ms; 0: in real time. */
  delayMsOf(stream: Stream, symbol: string): number;
  /** Undefined: nothing is recorded. */
  readonly journal: ClientJournal | undefined;
  /** A W is due: `ask` is called as soon as there is room for it. */
  due(subscription: Recipient): void;
  /** W. */
  whole(subscription: Recipient, parts: readonly Entries[], place: ChainPlace, resolution?: Resolution): void;
  /** X. @param place undefined: it changes nothing, and has no place in the chain */
  change(subscription: Recipient, entries: Entries, place: ChainPlace | undefined, resolution?: Resolution): void;
  /** B: something about this symbol. */
  news(symbols: readonly string[], headline: string, text: string): void;
  /** The subscription has come to its end. @param text why; undefined: everything was sent */
  ended(subscription: Recipient, text: string | undefined): void;
}
