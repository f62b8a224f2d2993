/** Puts the client's messages in order: those above a gap wait until it is filled, and the gap is asked for once. */
import type { FixMessage } from '../wire/message.js';
import { WaitingMessages } from './waiting-messages.js';

/** `done`: its number is used up · `number_kept`: it set the number itself, or has none · `wait`: until it is due. */
type Handled = 'wait' | 'done' | 'number_kept';

interface IncomingOptions {
  /** Acts upon a message. 'ahead' may only be done at once, or wait. */
  readonly handle: (message: FixMessage, standing: 'due' | 'ahead' | 'behind') => Handled;
  /** Asks the client for everything from this number on. */
  readonly ask: (begin: number) => void;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
}

export class Incoming {
  /** The number expected. */
  next = 1;
  readonly #options: IncomingOptions;
  readonly #waiting = new WaitingMessages();
  /** The number that showed the gap asked for last; the gap is closed once it is reached. */
  #askedBelow = 0;
  #askedAtMs = 0;
  #isDraining = false;

  constructor(options: IncomingOptions) {
    this.#options = options;
  }

  take(message: FixMessage): void {
    const { seqNum } = message;
    const standing = seqNum === this.next ? 'due' : seqNum > this.next ? 'ahead' : 'behind';
    const handled = this.#options.handle(message, standing);
    if (standing === 'due' && handled === 'done') this.next++;
    if (standing === 'ahead' && handled !== 'number_kept') {
      this.#waiting.add(seqNum, handled === 'done' ? 'done' : message);
      this.#askBelow(seqNum);
    }
    this.#drain();
  }

  /** A message was acted upon before it came here: the Logon. @param isAsked false: the client fills a gap unasked */
  done(seqNum: number, isAsked: boolean): void {
    if (seqNum > this.next) {
      this.#waiting.add(seqNum, 'done');
      if (isAsked) this.#askBelow(seqNum);
    } else if (seqNum === this.next) this.next++;
  }

  /** The client skips what is below this number. */
  skipTo(next: number): void {
    this.next = next;
    this.#waiting.dropBelow(next);
  }

  /** Asks again for a gap that stays open this long: the answer may have been garbled. */
  askAgain(afterMs: number): void {
    if (this.#waiting.size === 0 || this.next >= this.#askedBelow) return;
    if (this.#options.nowMs() - this.#askedAtMs < afterMs) return;
    this.#ask(this.#askedBelow);
  }

  clear(): void {
    this.#waiting.clear();
    this.#askedBelow = 0;
  }

  #askBelow(seqNum: number): void {
    if (this.next >= this.#askedBelow) this.#ask(seqNum);
  }

  #ask(below: number): void {
    this.#askedBelow = below;
    this.#askedAtMs = this.#options.nowMs();
    this.#options.ask(this.next);
  }

  #drain(): void {
    // A message that is acted upon may come back here: the loop that runs takes what follows it.
    if (this.#isDraining) return;
    this.#isDraining = true;
    for (let message = this.#waiting.take(this.next); message !== undefined; message = this.#waiting.take(this.next)) {
      const handled = message === 'done' ? 'done' : this.#options.handle(message, 'due');
      if (handled === 'done') this.next++;
    }
    this.#isDraining = false;
  }
}
