/** Asks the journal thread what users and addresses are called in logs. */
import { UNAVAILABLE } from './observe/private-lines.js';
import type { Subject, ToJournal } from './threads/journal-records.js';

/** Questions that may wait; further ones are answered with UNAVAILABLE at once. */
const QUESTIONS_MAX = 1000;

export class JournalQuestions {
  readonly #open = new Map<number, { readonly count: number; readonly answer: (names: readonly string[]) => void }>();
  #last = 0;

  /** Never rejects. @param post to the thread; undefined: there is none */
  ask(subjects: readonly Subject[], post: ((message: ToJournal) => void) | undefined): Promise<readonly string[]> {
    const count = subjects.length;
    if (post === undefined || this.#open.size >= QUESTIONS_MAX) return Promise.resolve(unavailable(count));
    const id = ++this.#last;
    return new Promise(answer => {
      this.#open.set(id, { count, answer });
      post({ type: 'name', id, subjects });
    });
  }

  answer(id: number, pseudonyms: readonly string[]): void {
    this.#open.get(id)?.answer(pseudonyms);
    this.#open.delete(id);
  }

  /** The thread has ended. */
  giveUp(): void {
    for (const { count, answer } of this.#open.values()) answer(unavailable(count));
    this.#open.clear();
  }
}

const unavailable = (count: number): readonly string[] => Array.from({ length: count }, () => UNAVAILABLE);
