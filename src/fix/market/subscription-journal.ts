/** What the journal records of one subscription: when each of its views begins and ceases to reach the client. */
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { ClientJournal, Followed, PauseReason, WholeMarks } from './client-journal.js';
import type { ChainPlace } from './entries.js';
import { Resolution } from './resolution.js';
import type { FixView } from './view.js';
import type { ViewShare } from './view-journal.js';

interface FollowedView extends Followed {
  /** Others that follow the same share get the same messages; undefined: each message is this client's own. */
  readonly isShared: boolean;
  /** The client gets what the view sends. */
  isLive: boolean;
  /** Of the changes that it gets then. */
  resolution: Resolution | undefined;
}

/** A W that the client was sent. */
interface SentWhole extends Pick<WholeMarks, 'resolution' | 'isEmpty'> {
  /** What follows is sent, too; undefined: nothing follows. */
  readonly changes: { readonly resolution: Resolution | undefined } | undefined;
}

export class SubscriptionJournal {
  readonly #client: ClientJournal;
  readonly #id: string;
  readonly #followed = new Map<FixView, FollowedView>();

  /** @param id MDReqID */
  constructor(client: ClientJournal, id: string) {
    this.#client = client;
    this.#id = id;
  }

  /** @param isAsked the client asked for it; false: it takes the place of another view */
  follow(view: FixView, share: ViewShare, isShared: boolean, isAsked = true): void {
    const followed = { id: this.#id, view, share, isShared, isLive: false, resolution: undefined };
    this.#followed.set(view, followed);
    if (isAsked) this.#client.subscribed(followed);
  }

  /** Another view takes the place of this one. @param at what was sent last */
  moved(view: FixView, at: StreamPosition): void {
    this.pause(view, at, 'moved');
    this.#followed.delete(view);
  }

  /** The client gets what the view sends behind this position. @param resolution of the changes */
  live(view: FixView, at: StreamPosition, resolution?: Resolution): void {
    const followed = this.#followed.get(view);
    if (followed === undefined || followed.isLive || !followed.isShared) return;
    followed.isLive = true;
    followed.resolution = resolution;
    this.#client.live(followed, at, resolution);
  }

  /** Changes of the view have another resolution from here on. @param at what was sent last */
  resolved(view: FixView | undefined, at: StreamPosition, resolution: Resolution | undefined): void {
    const followed = view && this.#followed.get(view);
    if (view === undefined || followed?.isLive !== true || followed.resolution === resolution) return;
    this.pause(view, at, 'moved');
    this.live(view, at, resolution);
  }

  /** @param at what was sent last */
  pause(view: FixView, at: StreamPosition, reason: PauseReason): void {
    const followed = this.#followed.get(view);
    if (followed?.isLive !== true) return;
    followed.isLive = false;
    this.#client.paused(followed, at, reason);
  }

  /** The client was sent a W of these views, or of one of them. If it gets what that sends, so were all. */
  whole(
    [book, figures]: readonly [book: FixView | undefined, statistics: FixView | undefined],
    [at, statisticsAt]: readonly [ChainPlace, statistics: ChainPlace],
    { changes, resolution, isEmpty }: SentWhole,
  ): void {
    const view = book ?? figures;
    const followed = view && this.#followed.get(view);
    if (view === undefined || followed === undefined || followed.isLive) return;
    const beside = view === figures ? undefined : figures && this.#followed.get(figures);
    this.#client.snapshot(followed, at, { resolution, isEmpty, statistics: beside && [beside, statisticsAt] });
    if (changes !== undefined) this.live(view, at, changes.resolution);
  }

  /** The client was sent a change. */
  changed(view: FixView, place: ChainPlace, resolution: Resolution | undefined): void {
    const followed = this.#followed.get(view);
    if (followed?.isShared === false) this.#client.sent(followed, place, resolution);
  }

  /** The client was sent its last message, which has no entries. @param at what was sent last */
  overrun(view: FixView | undefined, { epoch, seq }: StreamPosition): void {
    const followed = view && this.#followed.get(view);
    const place = { epoch, prevSeq: seq, seq, checksum: undefined };
    if (followed !== undefined) this.#client.sent(followed, place, Resolution.ended);
  }

  /** The client was told that the view is held back. @param isAlone the others were not, or at another time */
  stale(view: FixView, reason: string, isAlone: boolean): void {
    const followed = this.#followed.get(view);
    if (followed !== undefined && (isAlone || !followed.isLive)) this.#client.stale(followed, reason);
  }

  /** The client alone was told that trades are lost. */
  lost(view: FixView, from: number, to: number, reason: string): void {
    const followed = this.#followed.get(view);
    if (followed !== undefined) this.#client.lost(followed, from, to, reason);
  }

  /** @param stays the connection does */
  end(stays: boolean): void {
    for (const followed of this.#followed.values()) {
      if (followed.isLive) this.#client.left(followed);
      if (stays) this.#client.unsubscribed(followed);
    }
    this.#followed.clear();
  }
}
