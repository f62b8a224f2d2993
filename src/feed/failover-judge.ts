/**
 * When to read from the other of two sources that carry the same messages. Pure: told at every look what each of them
 * has delivered so far, it says which one to read from.
 *
 * A source that says nothing while the other says nothing either is not suspected: the night is quiet for both. It is once
 * the other has delivered something after half of `staleAfterMs` of its silence, and is judged silent when the other half
 * passes without a word. So a source that dies amid traffic is left after `staleAfterMs`, and one that delivers the single
 * message of a quiet hour a little later than the other is not left at all.
 */

/** What is known of a source at a look. */
export interface SourceState {
  readonly isLive: boolean;
  /** Messages so far. */
  readonly delivered: number;
  /** It is still reading what it missed. */
  readonly isBehind: boolean;
}

export const PRIMARY = 0;
export const BACKUP = 1;
export type SourceIndex = typeof PRIMARY | typeof BACKUP;

export const otherOf = (source: SourceIndex): SourceIndex => (source === PRIMARY ? BACKUP : PRIMARY);

const NOT_YET = -1;

class Observed {
  delivered = 0;
  isLive = false;
  isBehind = false;
  /** True when it has delivered since the look before. */
  hasMoved = false;
  /** Since it last delivered, was last live, fell under suspicion, and began to deliver again. */
  silentMs = 0;
  lostMs = 0;
  suspectMs = NOT_YET;
  deliveringMs = NOT_YET;

  look(elapsedMs: number, { isLive, delivered, isBehind }: SourceState): void {
    this.isLive = isLive;
    this.isBehind = isBehind;
    this.hasMoved = delivered !== this.delivered;
    this.delivered = delivered;
    this.silentMs = this.hasMoved ? 0 : this.silentMs + elapsedMs;
    this.lostMs = isLive ? 0 : this.lostMs + elapsedMs;
  }
}

export class FailoverJudge {
  readonly #staleAfterMs: number;
  readonly #sources: readonly [Observed, Observed] = [new Observed(), new Observed()];

  constructor(staleAfterMs: number) {
    this.#staleAfterMs = staleAfterMs;
  }

  /** True when the source delivered between the last two looks. */
  isDelivering(source: SourceIndex): boolean {
    const { isLive, hasMoved } = this.#sources[source];
    return isLive && hasMoved;
  }

  /**
   * Says why the active source is to be left for the other one; '' where it is not.
   * @param elapsedMs since the look before, as far as the process was awake
   */
  look(active: SourceIndex, elapsedMs: number, primary: SourceState, backup: SourceState): string {
    const [a, b] = this.#sources;
    a.look(elapsedMs, primary);
    b.look(elapsedMs, backup);
    this.#suspect(a, b, elapsedMs);
    this.#suspect(b, a, elapsedMs);
    return active === PRIMARY ? this.#reasonToLeave(a, b) : this.#reasonToLeave(b, a) || this.#reasonToReturn(a);
  }

  #suspect(source: Observed, other: Observed, elapsedMs: number): void {
    if (source.hasMoved) source.suspectMs = NOT_YET;
    else if (source.suspectMs !== NOT_YET) source.suspectMs += elapsedMs;
    else if (other.hasMoved && source.silentMs >= this.#staleAfterMs / 2) source.suspectMs = 0;
    if (!source.isLive || this.#isSilent(source)) source.deliveringMs = NOT_YET;
    else if (source.deliveringMs !== NOT_YET) source.deliveringMs += elapsedMs;
    else if (source.hasMoved) source.deliveringMs = 0;
  }

  #isSilent(source: Observed): boolean {
    return source.suspectMs >= this.#staleAfterMs / 2;
  }

  #reasonToLeave(active: Observed, other: Observed): string {
    // There is nothing better to go to.
    if (!other.isLive || this.#isSilent(other)) return '';
    if (active.lostMs >= this.#staleAfterMs) return `lost for ${this.#staleAfterMs} ms`;
    return this.#isSilent(active) ? `silent for ${this.#staleAfterMs} ms while the other delivered` : '';
  }

  #reasonToReturn(primary: Observed): string {
    const isBack = primary.deliveringMs >= this.#staleAfterMs && primary.suspectMs === NOT_YET;
    return isBack && !primary.isBehind ? 'not needed, as the primary delivers again' : '';
  }
}
