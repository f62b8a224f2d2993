/**
 * The commands of one session that wait: for an earlier one, which awaits an answer from the hub, or for the session's
 * next turn.
 */
import assert from 'node:assert/strict';

/** Maximum commands that wait: more than a client may send at once with the default `WS_MESSAGE_RATE`. */
export const BACKLOG_MAX = 2_000;
/** Maximum total size of those commands. */
export const BACKLOG_BYTES_MAX = 2 * 1024 * 1024;

interface WaitingCommand {
  readonly bytes: ArrayBuffer;
  readonly isBinary: boolean;
}

/** Only this class writes its fields. */
export class CommandBacklog {
  readonly #waiting: WaitingCommand[] = [];
  #bytes = 0;
  #isBusy = false;

  /** True while later commands wait here. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** From here on commands wait. */
  begin(): void {
    assert(!this.#isBusy, 'a backlog begins once');
    this.#isBusy = true;
  }

  /** No command waits. */
  end(): void {
    assert(this.#isBusy && this.size === 0, 'a backlog ends when it is empty');
    this.#isBusy = false;
  }

  /** Copies a command that has to wait. False, without taking it, when too many wait already. */
  push(bytes: ArrayBuffer, isBinary: boolean): boolean {
    assert(this.#isBusy, 'a command waits only in a backlog that has begun');
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
