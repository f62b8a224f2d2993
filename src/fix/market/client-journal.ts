/**
 * Records what one client gets of its subscriptions: from when to when it gets what a view sends to all (view-journal.ts),
 * and what it alone is sent. Records stand in the journal in the order in which things happened.
 */
import { type Product, productMembers } from '../../auth/product.js';
import { listedOf, RECORDED_TEXT_MAX } from '../../protocol/record-limits.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { Stream } from '../../protocol/topics.js';
import type { ChainPlace } from './entries.js';
import type { Resolution } from './resolution.js';
import type { FixView } from './view.js';
import { type JournalOptions, membersOf, type ViewJournal, type ViewShare } from './view-journal.js';

/** Why a view no longer reaches a client whose subscription stays. */
export type PauseReason = 'slow_consumer' | 'resync' | 'moved';

/** Runs in one `sent` record at most. */
const RUNS_MAX = 256;

/** What a subscription gets of one of its views. */
export interface Followed {
  /** MDReqID. */
  readonly id: string;
  readonly view: FixView;
  readonly share: ViewShare;
}

/** Topics that a request is refused for the same reason. */
export interface RefusedTopics {
  readonly stream: Stream;
  readonly symbols: readonly string[];
  /** Code of the product that the client lacks. */
  readonly product: string | undefined;
}

interface RefusedRequest {
  /** The field that says why: `281=3`. */
  readonly code: string;
  /** MDReqID. */
  readonly id: string | undefined;
  readonly reason: string;
  /** Undefined: topics are not the reason. */
  readonly topics?: readonly RefusedTopics[] | undefined;
}

/** What a client alone was sent and is not recorded yet. */
interface Sent {
  readonly followed: Followed;
  readonly epoch: string;
  readonly resolution: Resolution | undefined;
  readonly runs: [number, number][];
}

/** A message that holds a whole document, beside its position. */
export interface WholeMarks {
  readonly resolution: Resolution | undefined;
  readonly isEmpty: boolean;
  /** Statistics behind the book, in the same message. */
  readonly statistics: readonly [Followed, StreamPosition] | undefined;
}

interface ClientJournalOptions extends JournalOptions {
  /** The products that a topic belongs to. */
  readonly productsOf: (stream: Stream, symbol: string) => readonly Product[];
}

export class ClientJournal {
  readonly #c: string;
  readonly #views: ViewJournal;
  readonly #options: ClientJournalOptions;
  #sent: Sent | undefined;

  /** @param c id of the connection */
  constructor(c: string, views: ViewJournal, options: ClientJournalOptions) {
    this.#c = c;
    this.#views = views;
    this.#options = options;
  }

  subscribed(followed: Followed): void {
    const { outlet, worker: w, productsOf } = this.#options;
    const { stream, symbol } = followed.view;
    const products = productMembers(productsOf(stream, symbol));
    outlet.record({ k: 'subscribed', ...this.#of(followed), w, ...products, epoch: '', seq: null });
  }

  unsubscribed({ id, view }: Followed): void {
    this.flush();
    this.#options.outlet.record({ k: 'unsubscribed', c: this.#c, topic: view.topic, id });
  }

  /**
   * It gets what the view sends from here on. Match each call with one of `paused` or `left`.
   * @param resolution of the changes
   */
  live(followed: Followed, { epoch, seq }: StreamPosition, resolution: Resolution | undefined): void {
    this.flush();
    const { outlet, worker } = this.#options;
    this.#views.join(followed.view, followed.share, seq);
    outlet.record({ k: 'live', ...this.#of(followed), w: worker, epoch, seq, ...resolved(resolution) });
  }

  paused(followed: Followed, { epoch, seq }: StreamPosition, reason: PauseReason): void {
    this.left(followed);
    const { id, view } = followed;
    this.#options.outlet.record({ k: 'paused', c: this.#c, topic: view.topic, id, epoch, seq, reason });
  }

  /** It no longer gets what the view sends, as another record says. */
  left({ view, share }: Followed): void {
    this.#views.leave(view, share);
  }

  /** A whole document was sent to it alone. */
  snapshot(followed: Followed, { epoch, prevSeq, seq }: ChainPlace, marks: WholeMarks): void {
    this.flush();
    const { resolution, isEmpty, statistics } = marks;
    const { outlet } = this.#options;
    const prev = prevSeq === seq ? undefined : { prev: prevSeq };
    const end = { ...(isEmpty ? { empty: true as const } : undefined), ...resolved(resolution) };
    const at = { epoch, seq, ...prev };
    if (statistics === undefined) {
      outlet.record({ k: 'snapshot', ...this.#of(followed), ...at, ...end });
      return;
    }
    outlet.record({ k: 'snapshot', ...this.#of(followed), ...at, more: 1 });
    const [beside, place] = statistics;
    outlet.record({ k: 'snapshot', ...this.#of(beside), epoch: place.epoch, seq: place.seq, ...end });
  }

  /** A change was sent to it alone. */
  sent(followed: Followed, { epoch, prevSeq, seq }: ChainPlace, resolution: Resolution | undefined): void {
    const sent = this.#sent;
    const isAlike = sent?.followed === followed && sent.epoch === epoch && sent.resolution === resolution;
    if (isAlike && sent.runs.length < RUNS_MAX) {
      sent.runs.push([prevSeq, seq]);
      return;
    }
    this.flush();
    this.#sent = { followed, epoch, resolution, runs: [[prevSeq, seq]] };
  }

  /** It was told alone that the view is held back. */
  stale(followed: Followed, reason: string): void {
    this.flush();
    const { epoch, seq } = followed.view;
    this.#options.outlet.record({ k: 'stale', ...this.#of(followed), epoch, seq, reason });
  }

  /** It was told alone that trades are lost. */
  lost(followed: Followed, from: number, to: number, reason: string): void {
    this.flush();
    const { epoch } = followed.view;
    this.#options.outlet.record({ k: 'gap', ...this.#of(followed), epoch, from, to, reason });
  }

  refused({ code, id, reason, topics = [] }: RefusedRequest): void {
    this.flush();
    const of = id === undefined ? undefined : { id: id.slice(0, RECORDED_TEXT_MAX) };
    const members = { k: 'refused', c: this.#c, code, ...of, reason: reason.slice(0, RECORDED_TEXT_MAX) } as const;
    if (topics.length === 0) this.#options.outlet.record({ ...members, what: 'command' });
    for (const { stream, symbols, product } of topics) {
      const { first, ...more } = listedOf(symbols);
      const lacked = product === undefined ? undefined : { product };
      this.#options.outlet.record({ ...members, what: 'topic', stream, symbols: first, ...more, ...lacked });
    }
  }

  /** Records what `sent` collected. Call every 100 ms, and at the end. */
  flush(): void {
    const sent = this.#sent;
    if (sent === undefined) return;
    this.#sent = undefined;
    const { followed, epoch, resolution, runs } = sent;
    this.#options.outlet.record({ k: 'sent', ...this.#of(followed), epoch, runs, ...resolved(resolution) });
  }

  #of({ id, view, share }: Followed) {
    return { c: this.#c, id, ...membersOf(view, share.part) };
  }
}

const resolved = (resolution: Resolution | undefined) => (resolution === undefined ? undefined : { resolution });
