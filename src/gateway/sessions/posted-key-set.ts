/** A worker's copy of the key set at AUTH_JWKS_URL, which the main thread fetches for all of them. */
import type { JSONWebKeySet } from 'jose';
import type { KeySource } from '../../auth/key-set.js';
import { KEY_SET_TIMEOUT_MS } from '../../auth/remote-key-set.js';

/** How long tokens wait for the main thread's answer, which may have to wait for a fetch. */
const ANSWER_MS_MAX = 2 * KEY_SET_TIMEOUT_MS;

export class PostedKeySet implements KeySource {
  readonly #ask: () => void;
  #keys: JSONWebKeySet | undefined;
  #answer: Promise<void> | undefined;
  #onAnswer = () => {};

  /** @param ask asks the main thread for newer keys; it answers in any case. */
  constructor(keys: JSONWebKeySet | undefined, ask: () => void) {
    this.#keys = keys;
    this.#ask = ask;
  }

  get keys(): JSONWebKeySet | undefined {
    return this.#keys;
  }

  /** From the main thread: news, or the answer. */
  take(keys: JSONWebKeySet | undefined): void {
    this.#keys = keys;
    this.#onAnswer();
  }

  refresh(): Promise<void> {
    // All tokens that wait share one answer.
    this.#answer ??= new Promise(resolve => {
      const late = setTimeout(() => this.#onAnswer(), ANSWER_MS_MAX);
      this.#onAnswer = () => {
        clearTimeout(late);
        this.#answer = undefined;
        this.#onAnswer = () => {};
        resolve();
      };
      this.#ask();
    });
    return this.#answer;
  }
}
