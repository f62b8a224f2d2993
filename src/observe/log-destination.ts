/**
 * Where log lines go: standard error, without ever waiting for it. What it does not take at once waits here up to a limit;
 * beyond it, and where it fails (a full disk, a reader that is gone), lines are lost and counted.
 */
import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { printableJson } from './terminal-text.js';

/** Bytes that wait for a reader that does not read. */
export const LOG_BYTES_MAX = 1024 * 1024;
const RETRY_MS = 100;
const STANDARD_ERROR = 2;

/** Writes some bytes and says how many, as `fs.writeSync`. @throws {NodeJS.ErrnoException} EAGAIN: not now */
export type Write = (bytes: Uint8Array) => number;

export class LogDestination {
  /** Lines that nobody will see. */
  lost = 0;
  readonly #write: Write;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #retry: NodeJS.Timeout | undefined;

  /** @param write to standard error unless a test has another */
  constructor(write: Write = openStandardError()) {
    this.#write = write;
  }

  /** Takes one line of JSON; pino calls it. */
  write(line: string): void {
    const bytes = Buffer.from(printableJson(line));
    if (this.#waiting.length > 0 && this.#waitingBytes + bytes.length > LOG_BYTES_MAX) {
      this.lost++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#retry === undefined) this.#flush();
  }

  #flush(): void {
    this.#retry = undefined;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const written = this.#tryWrite(first);
      if (written === 'not now') {
        this.#retry = setTimeout(() => this.#flush(), RETRY_MS);
        this.#retry.unref();
        return;
      }
      this.#waitingBytes -= written;
      if (written < first.length) this.#waiting[0] = first.subarray(written);
      else this.#waiting.shift();
    }
  }

  #tryWrite(bytes: Buffer): number | 'not now' {
    try {
      return this.#write(bytes);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EAGAIN') return 'not now';
      // There is no other place to say it: the metric does.
      this.lost++;
      return bytes.length;
    }
  }
}

/** Pipes and sockets are made to say EAGAIN rather than wait for their reader; files and terminals do not make one wait. */
function openStandardError(): Write {
  let stream: Socket | undefined;
  try {
    const status = fstatSync(STANDARD_ERROR);
    // Opening it as a stream does that; it is never written to, nor closed.
    if (status.isFIFO() || status.isSocket()) {
      stream = new Socket({ fd: STANDARD_ERROR, readable: false, writable: true });
      stream.on('error', () => {
        // Of the reader: the next write says it.
      });
      stream.unref();
    }
  } catch {
    // It is closed: every write will say so.
  }
  return bytes => {
    // Its number may be another file's by now.
    if (stream?.destroyed) throw new Error('standard error is closed');
    return writeSync(STANDARD_ERROR, bytes);
  };
}
