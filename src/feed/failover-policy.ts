/**
 * Decides when to switch between two upstreams that carry the same messages. Pure: at every check you tell it what each
 * upstream has delivered so far, and it says whether to switch.
 *
 * An upstream is not suspect while both are silent: a quiet night is quiet on both. It becomes suspect once the other
 * delivers after this one has been silent for half of `staleAfterMs`, and counts as silent if the other half passes
 * without a message. So the gateway leaves an upstream that dies amid traffic after `staleAfterMs`, and stays with one
 * that delivers the single message of a quiet hour slightly later than the other.
 */

/** The state of an upstream at a check. */
export interface UpstreamState {
  readonly isLive: boolean;
  /** Messages so far. */
  readonly delivered: number;
  /** It is still catching up on what it missed. */
  readonly isBehind: boolean;
}

export const PRIMARY = 0;
export const BACKUP = 1;
export type UpstreamIndex = typeof PRIMARY | typeof BACKUP;

export const otherOf = (upstream: UpstreamIndex): UpstreamIndex => (upstream === PRIMARY ? BACKUP : PRIMARY);

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

  check(elapsedMs: number, { isLive, delivered, isBehind }: UpstreamState): void {
    this.isLive = isLive;
    this.isBehind = isBehind;
    this.hasMoved = delivered !== this.delivered;
    this.delivered = delivered;
    this.silentMs = this.hasMoved ? 0 : this.silentMs + elapsedMs;
    this.lostMs = isLive ? 0 : this.lostMs + elapsedMs;
  }
}

export class FailoverPolicy {
  readonly #staleAfterMs: number;
  readonly #upstreams: readonly [Observed, Observed] = [new Observed(), new Observed()];

  constructor(staleAfterMs: number) {
    this.#staleAfterMs = staleAfterMs;
  }

  /** True if the upstream delivered between the last two checks. */
  isDelivering(upstream: UpstreamIndex): boolean {
    const { isLive, hasMoved } = this.#upstreams[upstream];
    return isLive && hasMoved;
  }

  /**
   * Returns why to leave the active upstream for the other one; '' to stay.
   * @param elapsedMs since the previous check, as far as the process was awake
   */
  check(active: UpstreamIndex, elapsedMs: number, primary: UpstreamState, backup: UpstreamState): string {
    const [a, b] = this.#upstreams;
    a.check(elapsedMs, primary);
    b.check(elapsedMs, backup);
    this.#suspect(a, b, elapsedMs);
    this.#suspect(b, a, elapsedMs);
    return active === PRIMARY ? this.#reasonToLeave(a, b) : this.#reasonToLeave(b, a) || this.#reasonToReturn(a);
  }

  #suspect(upstream: Observed, other: Observed, elapsedMs: number): void {
    if (upstream.hasMoved) upstream.suspectMs = NOT_YET;
    else if (upstream.suspectMs !== NOT_YET) upstream.suspectMs += elapsedMs;
    else if (other.hasMoved && upstream.silentMs >= this.#staleAfterMs / 2) upstream.suspectMs = 0;
    if (!upstream.isLive || this.#isSilent(upstream)) upstream.deliveringMs = NOT_YET;
    else if (upstream.deliveringMs !== NOT_YET) upstream.deliveringMs += elapsedMs;
    else if (upstream.hasMoved) upstream.deliveringMs = 0;
  }

  #isSilent(upstream: Observed): boolean {
    return upstream.suspectMs >= this.#staleAfterMs / 2;
  }

  #reasonToLeave(active: Observed, other: Observed): string {
    // The other upstream is no better.
    if (!other.isLive || this.#isSilent(other)) return '';
    if (active.lostMs >= this.#staleAfterMs) return `lost for ${this.#staleAfterMs} ms`;
    return this.#isSilent(active) ? `silent for ${this.#staleAfterMs} ms while the other delivered` : '';
  }

  #reasonToReturn(primary: Observed): string {
    const isBack = primary.deliveringMs >= this.#staleAfterMs && primary.suspectMs === NOT_YET;
    return isBack && !primary.isBehind ? 'no longer needed: the primary delivers again' : '';
  }
}
