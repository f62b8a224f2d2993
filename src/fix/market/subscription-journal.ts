/** What the journal records of one subscription: when each of its views begins and ceases to reach the client. */
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { ClientJournal, Followed, PauseReason } from './client-journal.js';
import type { FixView } from './view.js';
import type { ViewShare } from './view-journal.js';

interface FollowedView extends Followed {
  /** Others that follow the same share get the same messages; undefined: each message is this client's own. */
  readonly isShared: boolean;
  /** The client gets what the view sends. */
  isLive: boolean;
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
    const followed = { id: this.#id, view, share, isShared, isLive: false };
    this.#followed.set(view, followed);
    if (isAsked) this.#client.subscribed(followed);
  }

  /** Another view takes the place of this one. @param at what was sent last */
  moved(view: FixView, at: StreamPosition): void {
    this.pause(view, at, 'moved');
    this.#followed.delete(view);
  }

  /** The client gets what the view sends behind this position. */
  live(view: FixView, at: StreamPosition): void {
    const followed = this.#followed.get(view);
    if (followed === undefined || followed.isLive || !followed.isShared) return;
    followed.isLive = true;
    this.#client.live(followed, at);
  }

  /** @param at what was sent last */
  pause(view: FixView, at: StreamPosition, reason: PauseReason): void {
    const followed = this.#followed.get(view);
    if (followed?.isLive !== true) return;
    followed.isLive = false;
    this.#client.paused(followed, at, reason);
  }

  /** The client was sent a W. If it gets what the view sends, so were all. @param continues what follows is sent too */
  whole(view: FixView, at: StreamPosition, continues: boolean): void {
    const followed = this.#followed.get(view);
    if (followed === undefined || followed.isLive) return;
    this.#client.snapshot(followed, at);
    if (continues) this.live(view, at);
  }

  /** The client was sent a change. */
  changed(view: FixView, { epoch, seq }: StreamPosition, prevSeq: number): void {
    const followed = this.#followed.get(view);
    if (followed?.isShared === false) this.#client.sent(followed, epoch, prevSeq, seq);
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
