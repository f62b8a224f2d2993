/** The numbers and positions under which a thread's views stand in the journal. `trades:*` has one for each symbol. */
import { MsgpackReader } from '../../protocol/msgpack-reader.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { JournalOutlet } from '../../threads/journal-outlet.js';
import type { RingReader } from '../../threads/ring.js';
import { EmitTrail, NOWHERE } from '../model/emit-trail.js';
import type { View } from '../model/session.js';
import { membersOf } from './view-members.js';

/** The trail of one symbol on `trades:*`. */
class SymbolTrail extends EmitTrail {
  readonly symbol: string;

  constructor(number: number, symbol: string) {
    super(number);
    this.symbol = symbol;
  }
}

export class ViewTrails {
  readonly #emits: JournalOutlet['emits'];
  readonly #symbolOf: (source: number) => string | undefined;
  /** Of `trades:*` views, by source. */
  readonly #bySource = new Map<View, Map<number, SymbolTrail>>();
  readonly #msgpack = new MsgpackReader();
  readonly #textDecoder = new TextDecoder();

  /** @param symbolOf maps a trades source number to its symbol */
  constructor(emits: JournalOutlet['emits'], symbolOf: (source: number) => string | undefined) {
    this.#emits = emits;
    this.#symbolOf = symbolOf;
  }

  /** The trail to which a frame in the ring belongs. */
  of(view: View, ring: RingReader): EmitTrail {
    if (!view.isAllTrades) return this.ofTopic(view);
    return this.#bySource.get(view)?.get(ring.source) ?? this.#newSymbol(view, ring.source, this.#symbolIn(view, ring));
  }

  /** The trail of what a source publishes to a view. */
  ofSource(view: View, source: number): EmitTrail {
    if (!view.isAllTrades) return this.ofTopic(view);
    const known = this.#bySource.get(view)?.get(source);
    return known ?? this.#newSymbol(view, source, this.#symbolOf(source) ?? view.symbol);
  }

  /** The trail of a view of one topic. */
  ofTopic(view: View): EmitTrail {
    view.trail ??= new EmitTrail(this.#emits.view(membersOf(view)));
    return view.trail;
  }

  /** All of a view. */
  all(view: View): Iterable<EmitTrail> {
    if (view.isAllTrades) return this.#bySource.get(view)?.values() ?? [];
    return view.trail === undefined ? [] : [view.trail];
  }

  /** The view had no sockets, and has one from this position on. */
  restart(view: View, at: StreamPosition): void {
    if (!view.isAllTrades) this.ofTopic(view).restart(at);
    for (const [source, trail] of this.#bySource.get(view) ?? []) {
      const position = view.seqs.find(source);
      trail.restart(position === undefined ? NOWHERE : { epoch: position.epoch, seq: position.newest });
    }
  }

  /** The view is no longer used. */
  forget(view: View): void {
    for (const { number } of this.all(view)) this.#emits.release(number);
    view.trail = undefined;
    this.#bySource.delete(view);
  }

  /** These numbers will be given to other sources. */
  forgetSources(sources: readonly number[]): void {
    for (const trails of this.#bySource.values()) {
      for (const source of sources) {
        const trail = trails.get(source);
        if (trail !== undefined) this.#emits.release(trail.number);
        trails.delete(source);
      }
    }
  }

  #newSymbol(view: View, source: number, symbol: string): SymbolTrail {
    const trail = new SymbolTrail(this.#emits.view(membersOf(view, symbol)), symbol);
    const trails = this.#bySource.get(view);
    if (trails === undefined) this.#bySource.set(view, new Map([[source, trail]]));
    else trails.set(source, trail);
    return trail;
  }

  /** The first trade of a symbol may come before the main thread's message about it. */
  #symbolIn({ isMsgpack }: View, { source, copy, payloadStart, payloadEnd }: RingReader): string {
    const known = this.#symbolOf(source);
    if (known !== undefined) return known;
    const frame = isMsgpack
      ? this.#msgpack.read(copy, payloadStart, payloadEnd)
      : JSON.parse(this.#textDecoder.decode(copy.subarray(payloadStart, payloadEnd)));
    const { symbol } = frame as { readonly symbol?: unknown };
    return typeof symbol === 'string' ? symbol : '';
  }
}

/** The symbol of a trail of `trades:*`. */
export const symbolOf = (trail: EmitTrail): string | undefined =>
  trail instanceof SymbolTrail ? trail.symbol : undefined;
