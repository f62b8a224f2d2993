/**
 * Records what views send, once for all clients that get the same of them: the whole view, or one part of its book. What
 * a client alone is sent, it records itself (client-journal.ts).
 */
import { durationText } from '../../config/duration.js';
import { DEPTHS, SLOWEST } from '../../protocol/view-options.js';
import type { EmitRecorder } from '../../threads/emit-recorder.js';
import type { JournalOutlet } from '../../threads/journal-outlet.js';
import type { ViewMembers } from '../../threads/journal-records.js';
import { classNameOfLane, classOfLane, detailOfLane } from '../../threads/lanes.js';
import type { Cut } from './cut.js';
import type { ChainPlace } from './entries.js';
import type { FixView } from './view.js';

/** What some clients get of a view. */
export interface ViewShare {
  /** Undefined: everything. */
  readonly part: string | undefined;
  /** The part of the book; undefined: everything. */
  readonly cut: Cut | undefined;
  /** A whole W at each change. */
  readonly isFull: boolean;
}

/** A share that clients get, as the journal knows it. */
interface Emission {
  readonly share: ViewShare;
  readonly number: number;
  /** The last position published. */
  seq: number;
  users: number;
}

export interface JournalOptions {
  readonly outlet: Pick<JournalOutlet, 'record'> & {
    readonly emits: Pick<EmitRecorder, 'view' | 'release' | 'beginEpoch' | 'emitted' | 'whole'>;
  };
  /** Number of this thread. */
  readonly worker: number;
  /** µs since the Unix epoch. */
  readonly wallMicros: () => number;
}

export class ViewJournal {
  readonly #options: JournalOptions;
  readonly #emissions = new Map<FixView, Map<string, Emission>>();

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** A client gets this share from this position on. Match each call with one `leave`. */
  join(view: FixView, share: ViewShare, seq: number): void {
    let emissions = this.#emissions.get(view);
    if (emissions === undefined) {
      emissions = new Map();
      this.#emissions.set(view, emissions);
    }
    let emission = emissions.get(share.part ?? '');
    if (emission === undefined) {
      const number = this.#options.outlet.emits.view(membersOf(view, share.part));
      emission = { share, number, seq, users: 0 };
      emissions.set(share.part ?? '', emission);
    }
    emission.users++;
  }

  leave(view: FixView, { part = '' }: ViewShare): void {
    const emissions = this.#emissions.get(view);
    const emission = emissions?.get(part);
    if (emissions === undefined || emission === undefined || --emission.users > 0) return;
    this.#options.outlet.emits.release(emission.number);
    emissions.delete(part);
    if (emissions.size === 0) this.#emissions.delete(view);
  }

  /**
   * The view's clients are about to get a message. Call once its parts are up to date.
   * @param count entries of the message
   */
  published(view: FixView, isWhole: boolean, count: number, { epoch, seq }: ChainPlace): void {
    const emissions = this.#emissions.get(view);
    if (emissions === undefined) return;
    const { emits } = this.#options.outlet;
    const micros = this.#options.wallMicros();
    for (const emission of emissions.values()) {
      const { share, number } = emission;
      if (!isWhole && (share.cut?.changes.count ?? count) === 0) continue;
      emits.beginEpoch(number, epoch);
      if (isWhole || share.isFull) emits.whole(number, seq, micros);
      else emits.emitted(number, emission.seq, seq, micros);
      emission.seq = seq;
    }
  }

  /** All clients of the view are told that it is held back. */
  stale(view: FixView, reason: string): void {
    const { epoch, seq } = view;
    for (const emission of this.#of(view)) {
      this.#options.outlet.record({ k: 'stale', ...this.#members(view, emission), epoch, seq, reason });
    }
  }

  /** All clients of the view are told that trades are lost; 0 and 0: it is unknown how many. */
  lost(view: FixView, from: number, to: number, reason: string): void {
    const { epoch, seq } = view;
    for (const emission of this.#of(view)) {
      this.#options.outlet.record({ k: 'gap', ...this.#members(view, emission), epoch, from, to, reason });
      emission.seq = seq;
    }
  }

  #of(view: FixView): Iterable<Emission> {
    return this.#emissions.get(view)?.values() ?? [];
  }

  #members(view: FixView, { share }: Emission): ViewMembers & { readonly w: number } {
    return { w: this.#options.worker, ...membersOf(view, share.part) };
  }
}

/** How records name a view, or a part of it. */
export function membersOf({ topic, stream, lane, delayMs }: FixView, part: string | undefined): ViewMembers {
  const depth = stream === 'depth' ? DEPTHS[detailOfLane(lane) - 1] : undefined;
  return {
    topic,
    class: stream === 'trades' ? 'event' : classNameOfLane(lane),
    format: 'fix',
    // Slower classes and trades are the same for all.
    ...(stream !== 'trades' && classOfLane(lane) < SLOWEST ? { tier: 'institutional' } : undefined),
    ...(depth === undefined ? undefined : { depth }),
    ...(delayMs === 0 ? undefined : { delay: durationText(delayMs) }),
    ...(part === undefined ? undefined : { part }),
  };
}
