/** Tells the workers at the end of each turn what became known in it, in one message each. */
import { ALL_SYMBOLS } from '../protocol/topics.js';
import type { ToWorker } from '../threads/thread-messages.js';
import type { Subject } from './sources/subject-table.js';

export class Announcements {
  readonly #toAll: (message: ToWorker) => void;
  readonly #symbols = new Set<string>();
  readonly #forgotten = new Set<string>();
  #forgottenSubjects: number[] = [];
  #eventSubjects: [number, string][] = [];
  #isScheduled = false;

  constructor(toAll: (message: ToWorker) => void) {
    this.#toAll = toAll;
  }

  symbol(symbol: string): void {
    this.#symbols.add(symbol);
    this.#schedule();
  }

  /** If a symbol becomes known again in the same turn, the workers learn that last. */
  forgotten(symbol: string, subjects: readonly number[]): void {
    this.#symbols.delete(symbol);
    this.#forgotten.add(symbol);
    for (const id of subjects) this.#forgottenSubjects.push(id);
    this.#eventSubjects = this.#eventSubjects.filter(([id]) => !subjects.includes(id));
    this.#schedule();
  }

  /** `trades:*` needs the names of its subjects. */
  tradesSubject({ id, symbol }: Subject): void {
    this.#eventSubjects.push([id, symbol]);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const [symbols, forgotten] = [[...this.#symbols], [...this.#forgotten]];
      const forgottenSubjects = this.#forgottenSubjects;
      const subjects = this.#eventSubjects;
      this.#symbols.clear();
      this.#forgotten.clear();
      this.#forgottenSubjects = [];
      this.#eventSubjects = [];
      if (forgotten.length > 0) this.#toAll({ type: 'forgotten', symbols: forgotten, sources: forgottenSubjects });
      if (symbols.length > 0) this.#toAll({ type: 'symbols', symbols });
      if (subjects.length > 0) this.#toAll({ type: 'event_sources', sources: subjects });
    });
  }
}

/** What a new worker must know. */
export function knownSoFar(symbols: readonly string[], subjects: Iterable<Subject>): readonly ToWorker[] {
  const trades: [number, string][] = [];
  for (const { id, kind, symbol, delayMs } of subjects) {
    if (kind === 'trades' && symbol !== ALL_SYMBOLS && delayMs === 0) trades.push([id, symbol]);
  }
  return [
    { type: 'symbols', symbols },
    { type: 'event_sources', sources: trades },
  ];
}
