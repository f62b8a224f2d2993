/**
 * Tracks who wants what: workers by view, and publications that await their echo. It tells the feed of the first and
 * the last interest in each source, so that the feed follows at NATS exactly what is wanted.
 */
import { ALL_TRADES_SOURCE, isOnDemand } from '../../protocol/topics.js';
import type { Source, SourceTable } from './source-table.js';

/**
 * How long an unwanted source is still followed: a client that lost its connection returns to the same numbering and
 * can recover what it missed.
 */
export const LINGER_MS = 3_000;
/** How long to wait for a feed that cannot confirm a subject because it has no connection. */
const OPEN_MS_MAX = 2_000;

export interface InterestOptions {
  readonly sources: SourceTable;
  /** A subject is wanted, or no longer. Resolves once the feed follows it or cannot now. Never rejects. */
  readonly follow: (subject: string, wanted: boolean) => Promise<unknown> | undefined;
  /** The source is wanted from now on, or no longer. */
  readonly onChange: (source: Source) => void;
  /** The source is unwanted, and nothing about it has to be kept. */
  readonly forget: (source: Source) => void;
}

export class Interest {
  readonly #options: InterestOptions;
  readonly #lingering = new Map<Source, NodeJS.Timeout>();

  constructor(options: InterestOptions) {
    this.#options = options;
  }

  set(source: Source, lane: number, worker: number, wanted: boolean): void {
    source.wants ??= new Map();
    const mask = source.wants.get(lane) ?? 0;
    const next = wanted ? mask | (1 << worker) : mask & ~(1 << worker);
    const before = isWanted(source);
    if (next === 0) source.wants.delete(lane);
    else source.wants.set(lane, next);
    this.#changed(source, before);
  }

  /** Keeps the source wanted for something other than a view, until `release`. */
  hold(source: Source): void {
    const before = isWanted(source);
    source.holds++;
    this.#changed(source, before);
  }

  release(source: Source): void {
    source.holds--;
    this.#changed(source, true);
  }

  /** Ends a lingering source early. */
  endNow(source: Source): void {
    const timer = this.#lingering.get(source);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#end(source);
  }

  /** Nothing is wanted on behalf of the worker any more. */
  forgetWorker(worker: number): void {
    for (const source of this.#options.sources) {
      if (source.wants === null) continue;
      for (const lane of [...source.wants.keys()]) this.set(source, lane, worker, false);
    }
  }

  close(): void {
    for (const timer of this.#lingering.values()) clearTimeout(timer);
    this.#lingering.clear();
  }

  #changed(source: Source, before: boolean): void {
    const after = isWanted(source);
    if (before === after) return;
    this.#options.onChange(source);
    if (after) {
      const lingering = this.#lingering.get(source);
      clearTimeout(lingering);
      // It was followed all the time.
      if (!this.#lingering.delete(source)) this.#open(source);
    } else if (isTemporary(source)) {
      this.#lingering.set(
        source,
        setTimeout(() => this.#end(source), LINGER_MS),
      );
    } else {
      this.#unfollow(source);
    }
  }

  #open(source: Source): void {
    const followed = this.#options.follow(source.subject, true);
    if (followed === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>(resolve => {
      timer = setTimeout(resolve, OPEN_MS_MAX);
    });
    const settle = (): void => {
      clearTimeout(timer);
      if (source.opening === opening) source.opening = undefined;
    };
    // A failed feed follows the subject again when it reconnects; the feed status tells clients.
    const opening: Promise<void> = Promise.race([followed, patience]).then(settle, settle);
    source.opening = opening;
  }

  #unfollow(source: Source): void {
    this.#options.follow(source.subject, false)?.catch(() => undefined);
  }

  #end(source: Source): void {
    this.#lingering.delete(source);
    this.#unfollow(source);
    // Market data that arrived since has a last value, which is kept.
    if (isTemporary(source)) this.#options.forget(source);
  }
}

/** True when nothing is lost by forgetting the source. `trades:*` is no source of its own, and stays. */
function isTemporary({ kind, seq, id }: Source): boolean {
  return isOnDemand(kind) || (seq === 0 && id !== ALL_TRADES_SOURCE);
}

function isWanted(source: Source): boolean {
  return source.holds > 0 || (source.wants !== null && source.wants.size > 0);
}
