/** The FIX thread's access to the sequence numbers, which the main thread keeps. */
import type { FromFix, ToFix } from '../threads/fix-messages.js';
import type { SessionNumbers } from './session/numbers.js';

type Opened = Extract<ToFix, { type: 'fix_opened' }>;

export class NumberRequests {
  readonly #post: (message: FromFix) => void;
  readonly #pending = new Map<number, (opened: Opened) => void>();
  #last = 0;

  constructor(post: (message: FromFix) => void) {
    this.#post = post;
  }

  /** Takes a session's numbers. */
  open(senderCompId: string, user: string): Promise<Opened> {
    const id = ++this.#last;
    this.#post({ type: 'fix_open', id, senderCompId, user });
    return new Promise(resolve => this.#pending.set(id, resolve));
  }

  opened(message: Opened): void {
    this.#pending.get(message.id)?.(message);
    this.#pending.delete(message.id);
  }

  save(sessions: Iterable<readonly [key: string, numbers: SessionNumbers]>): void {
    const all = [...sessions].map(([key, { nextIn, nextOut }]) => [key, nextIn, nextOut] as const);
    if (all.length > 0) this.#post({ type: 'fix_save', sessions: all });
  }

  release(key: string, { nextIn, nextOut }: SessionNumbers): void {
    this.#post({ type: 'fix_release', key, nextIn, nextOut });
  }
}
