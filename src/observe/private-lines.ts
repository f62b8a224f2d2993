/**
 * Log lines without users and addresses: with a journal, a line has the journal's pseudonyms in their place. Its thread is asked for
 * those of many lines at once, and lines wait for its answer in their order. If it does not answer in time, a name is left out.
 */
import type { DestinationStream } from 'pino';
import { type Named, withNames } from './private-text.js';

/** How long a line waits for its pseudonyms. */
const WAIT_MS_MAX = 1_000;
/** Most bytes of lines that wait; then they are written without names. */
const WAITING_BYTES_MAX = 1024 * 1024;
/** Most names in one question. */
const ASKED_MAX = 1_000;
/** In place of a name whose pseudonym is not known in time. */
export const UNAVAILABLE = 'unavailable';

/** Asks for the pseudonyms of users and addresses; they are answered in the same order. */
type AskForPseudonyms = (names: readonly Named[]) => Promise<readonly string[]>;

interface WaitingLine {
  readonly fields: Readonly<Record<string, unknown>>;
  /** As it was logged, if it names no one. */
  readonly text: string | undefined;
  readonly names: readonly Named[];
  readonly bytes: number;
}

export class PrivateLines implements DestinationStream {
  readonly #to: DestinationStream;
  #ask: AskForPseudonyms | undefined;
  #waiting: WaitingLine[] = [];
  #waitingBytes = 0;
  /** Lines whose pseudonyms have been asked for: the first ones that wait. */
  #asked = 0;
  #question = 0;
  #timer: NodeJS.Timeout | undefined;
  #settled: (() => void)[] = [];

  constructor(to: DestinationStream) {
    this.#to = to;
  }

  /** The journal's thread runs, or another one in its place. */
  connect(ask: AskForPseudonyms): void {
    this.#ask = ask;
    this.#question++;
    this.#asked = 0;
    if (this.#waiting.length > 0) this.#next();
  }

  /** Takes one JSON line; pino calls this. */
  write(text: string): void {
    const fields = JSON.parse(text) as WaitingLine['fields'];
    const names: Named[] = [];
    withNames(fields, (...named) => {
      names.push(named);
      return '';
    });
    if (names.length === 0 && this.#waiting.length === 0) {
      this.#to.write(text);
      return;
    }
    const bytes = text.length;
    this.#waiting.push({ fields, text: names.length === 0 ? text : undefined, names, bytes });
    this.#waitingBytes += bytes;
    if (this.#waitingBytes > WAITING_BYTES_MAX) this.flush();
    else if (this.#timer === undefined) this.#next();
  }

  /** Resolves once all lines so far are written. */
  settle(): Promise<void> {
    return new Promise(resolve => {
      if (this.#waiting.length === 0) resolve();
      else this.#settled.push(resolve);
    });
  }

  /** Writes all lines now, without the names whose pseudonyms are not known yet. The process may end at once. */
  flush(): void {
    this.#question++;
    this.#written(this.#waiting.length, []);
  }

  /** Asks for the names of the lines that wait. */
  #next(): void {
    clearTimeout(this.#timer);
    const question = ++this.#question;
    this.#timer = setTimeout(() => this.#answered(question, []), WAIT_MS_MAX);
    // More lines of this turn join the question.
    setImmediate(() => {
      if (question === this.#question) this.#askNow(question);
    });
  }

  #askNow(question: number): void {
    const names: Named[] = [];
    this.#asked = 0;
    for (const line of this.#waiting) {
      if (names.length + line.names.length > ASKED_MAX && this.#asked > 0) break;
      names.push(...line.names);
      this.#asked++;
    }
    this.#ask?.(names).then(
      pseudonyms => this.#answered(question, pseudonyms),
      () => this.#answered(question, []),
    );
  }

  #answered(question: number, pseudonyms: readonly string[]): void {
    if (question !== this.#question) return;
    // Without a thread to ask, no line was.
    this.#written(this.#asked === 0 ? this.#waiting.length : this.#asked, pseudonyms);
    if (this.#waiting.length > 0) this.#next();
  }

  /** Writes the first of the lines that wait. */
  #written(count: number, pseudonyms: readonly string[]): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let at = 0;
    for (const { fields, text, bytes } of this.#waiting.splice(0, count)) {
      this.#waitingBytes -= bytes;
      this.#to.write(text ?? `${JSON.stringify(withNames(fields, () => pseudonyms[at++] ?? UNAVAILABLE))}\n`);
    }
    this.#asked = 0;
    if (this.#waiting.length > 0) return;
    for (const settled of this.#settled.splice(0)) settled();
  }
}
