/**
 * Decides when to switch between two sources that carry the same messages. Pure: at every check you tell it what each
 * source has delivered so far, and it says whether to switch.
 *
 * A source is not suspect while both are silent: a quiet night is quiet on both. It becomes suspect once the other
 * delivers after this one has been silent for half of `staleAfterMs`, and counts as silent if the other half passes
 * without a message. So the gateway leaves a source that dies amid traffic after `staleAfterMs`, and does not leave one
 * that delivers the single message of a quiet hour slightly later than the other.
 */

/** The state of a source at a check. */
export interface SourceState {
  readonly isLive: boolean;
  /** Messages so far. */
  readonly delivered: number;
  /** It is still catching up on what it missed. */
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
  /** True if it delivered since the previous check. */
  hasMoved = false;
  /** Time since it last delivered, was last live, became suspect, and began to deliver again. */
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

  /** True if the source delivered between the last two checks. */
  isDelivering(source: SourceIndex): boolean {
    const { isLive, hasMoved } = this.#sources[source];
    return isLive && hasMoved;
  }

  /**
   * Returns why to leave the active source for the other one; '' to stay.
   * @param elapsedMs since the previous check, as far as the process was awake
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
    // The other source is no better.
    if (!other.isLive || this.#isSilent(other)) return '';
    if (active.lostMs >= this.#staleAfterMs) return `lost for ${this.#staleAfterMs} ms`;
    return this.#isSilent(active) ? `silent for ${this.#staleAfterMs} ms while the other delivered` : '';
  }

  #reasonToReturn(primary: Observed): string {
    const isBack = primary.deliveringMs >= this.#staleAfterMs && primary.suspectMs === NOT_YET;
    return isBack && !primary.isBehind ? 'no longer needed: the primary delivers again' : '';
  }
}
