/**
 * The prefix of all subjects (`NATS_SUBJECT_PREFIX`): with `prod`, quotes of AAPL are published on
 * `prod.md.quotes.AAPL`. Inside the product, subjects have none.
 */

export const SUBJECT_PREFIX_RULE = 'tokens between dots, without blanks, * and >, and without $ or _INBOX at the start';

/** Tokens between dots, without wildcards; `$` and `_INBOX` begin subjects of NATS itself. */
const USABLE = /^(?!\$|_INBOX(?:\.|$))[^\s.*>]+(?:\.[^\s.*>]+)*$/;

export const isSubjectPrefix = (text: string): boolean => USABLE.test(text);

export class SubjectPrefix {
  readonly #text: string;

  /** @param prefix '' for none */
  constructor(prefix: string) {
    this.#text = prefix === '' ? '' : `${prefix}.`;
  }

  get isEmpty(): boolean {
    return this.#text === '';
  }

  /** `md.quotes.AAPL` → `prod.md.quotes.AAPL`. The same for patterns. */
  add(subject: string): string {
    return this.#text + subject;
  }

  isOn(subject: string): boolean {
    return subject.startsWith(this.#text);
  }

  /** The opposite of `add`, for a subject that has the prefix. */
  remove(subject: string): string {
    return this.#text === '' ? subject : subject.slice(this.#text.length);
  }
}
