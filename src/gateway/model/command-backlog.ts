/** The commands of one session that wait for an earlier one, which awaits an answer from the hub. */
import assert from 'node:assert/strict';

/** Maximum commands that wait. */
export const BACKLOG_MAX = 200;
/** Maximum total size of those commands. */
export const BACKLOG_BYTES_MAX = 2 * 1024 * 1024;

export interface WaitingCommand {
  readonly bytes: ArrayBuffer;
  readonly isBinary: boolean;
}

/** Only this class writes its fields. */
export class CommandBacklog {
  readonly #waiting: WaitingCommand[] = [];
  #bytes = 0;
  #isBusy = false;

  /** True while a command awaits its answer: later ones wait here. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** A command awaits an answer. */
  begin(): void {
    assert(!this.#isBusy, 'a command begins when no other one awaits its answer');
    this.#isBusy = true;
  }

  /** It is answered, and no other command waits. */
  end(): void {
    assert(this.#isBusy && this.size === 0, 'a backlog ends when it is empty');
    this.#isBusy = false;
  }

  /** Copies a command that has to wait. False, without taking it, when too many wait already. */
  push(bytes: ArrayBuffer, isBinary: boolean): boolean {
    assert(this.#isBusy, 'a command waits only for another one');
    const all = this.#bytes + bytes.byteLength;
    if (this.size >= BACKLOG_MAX || all > BACKLOG_BYTES_MAX) return false;
    this.#waiting.push({ bytes: bytes.slice(0), isBinary });
    this.#bytes = all;
    return true;
  }

  /** The next command; undefined when they were dropped. */
  shift(): WaitingCommand | undefined {
    const next = this.#waiting.shift();
    if (next !== undefined) this.#bytes -= next.bytes.byteLength;
    return next;
  }

  /** Drops the commands that wait. */
  clear(): void {
    this.#waiting.length = 0;
    this.#bytes = 0;
  }
}
