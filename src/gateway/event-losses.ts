/**
 * What sockets lost of event topics, and how they are told: a `gap` with the range, before anything that follows it.
 * Where a socket stands is known up to the turn: what a turn published to a socket that dropped something in it counts
 * as lost, so a range may begin a little too early and never too late.
 */
import { ALL_SYMBOLS, topicOf } from '../protocol/topics.js';
import type { Outbox } from './outbox.js';
import type { Subscription } from './session.js';

/** The topic of the trades of all symbols. While it is live it delivers for the single symbols of its session too. */
export const ALL_TRADES = topicOf('trades', ALL_SYMBOLS);

export class EventLosses {
  readonly #outbox: Outbox;
  readonly #eventSymbol: (source: number) => string | undefined;

  /** @param eventSymbol the symbol of an event source's number */
  constructor(outbox: Outbox, eventSymbol: (source: number) => string | undefined) {
    this.#outbox = outbox;
    this.#eventSymbol = eventSymbol;
  }

  /** What the socket was surely sent of an event lane; never more than was known before. */
  remember(subscription: Subscription, turn: number): void {
    const { entry } = subscription;
    const sent = entry.seqs.surelySent(turn);
    // What passes a broken lane is counted, but not sent.
    if (entry.isBroken) for (const source of sent.keys()) lower(sent, source, entry.sentSeqs?.get(source) ?? 0);
    for (const [source, seq] of subscription.sentSeqs ?? []) lower(sent, source, seq);
    subscription.sentSeqs = sent;
  }

  /** Tells the socket what its lane published, or missed, beyond what was remembered. */
  announce(subscription: Subscription): void {
    const { sentSeqs, entry, stream } = subscription;
    subscription.sentSeqs = undefined;
    if (sentSeqs === undefined) return;
    for (const { source, from, to } of entry.seqs.lossesSince(sentSeqs)) {
      const topic = topicOf(stream, this.#eventSymbol(source) ?? entry.symbol);
      this.#tell(subscription, source, { type: 'gap', topic, from, to, reason: 'slow_consumer' });
    }
  }

  /** An announcement that is dropped itself is made again when the socket has drained. */
  #tell(subscription: Subscription, source: number, gap: Gap): void {
    if (this.#outbox.send(subscription.session, gap)) return;
    subscription.sentSeqs ??= subscription.entry.seqs.surelySent(0);
    subscription.sentSeqs.set(source, gap.from - 1);
  }

  /**
   * The trades of all symbols end: those of single symbols deliver again, from where the former stood. Returns the live
   * ones among them, to be awaited.
   */
  handBack(all: Subscription): Subscription[] {
    const heirs: Subscription[] = [];
    for (const heir of all.session.subscriptions.values()) {
      const sent = positionOf(all, heir.entry.source);
      if (heir.stream !== 'trades' || heir === all || heir.isNative || sent === undefined) continue;
      if (heir.state === 'live') heirs.push(heir);
      else if (heir.state !== 'paused' || heir.sentSeqs !== undefined) continue;
      heir.sentSeqs = new Map([[heir.entry.source, sent]]);
    }
    for (const heir of heirs) heir.state = 'waiting';
    return heirs;
  }

  /** The trades of all symbols take over from those of single ones: what the latter have not delivered yet is lost. */
  takeOver(all: Subscription): void {
    for (const former of all.session.subscriptions.values()) {
      if (former.stream !== 'trades' || !former.isNative || former === all) continue;
      const { source } = former.entry;
      const sent = positionOf(former, source) ?? 0;
      const to = all.entry.seqs.newest(source);
      const gap: Gap = { type: 'gap', topic: former.topic, from: sent + 1, to, reason: 'slow_consumer' };
      if (to > sent) this.#tell(all, source, gap);
    }
  }
}

function lower(sent: Map<number, number>, source: number, seq: number): void {
  sent.set(source, Math.min(seq, sent.get(source) ?? seq));
}

interface Gap {
  readonly type: 'gap';
  readonly topic: string;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/** The newest sequence of an event source that the subscription's socket was surely sent; undefined: none is known. */
function positionOf({ sentSeqs, entry, state }: Subscription, source: number): number | undefined {
  if (source < 0 || (state !== 'live' && state !== 'paused')) return undefined;
  if (sentSeqs !== undefined) return sentSeqs.get(source) ?? 0;
  return entry.isBroken ? (entry.sentSeqs?.get(source) ?? 0) : entry.seqs.newest(source);
}
