/**
 * Writes log lines to standard error without ever blocking on it. Lines that it does not accept at once wait here, up
 * to a limit. Lines beyond the limit, or after a failure (a full disk, a closed reader), are lost and counted.
 */
import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { printableJson } from './terminal-text.js';

/** Most bytes that wait for a stalled reader. */
export const LOG_BYTES_MAX = 1024 * 1024;
const RETRY_MS = 100;
const STANDARD_ERROR = 2;

/** Writes some bytes and returns how many, like `fs.writeSync`. @throws {NodeJS.ErrnoException} EAGAIN: not now */
type Write = (bytes: Uint8Array) => number;

export class LogDestination {
  /** Lines lost. */
  lost = 0;
  readonly #write: Write;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #retry: NodeJS.Timeout | undefined;

  /** @param write writes to standard error; tests replace it */
  constructor(write: Write = openStandardError()) {
    this.#write = write;
  }

  /** Takes one line, with its end; pino calls this. */
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
      // There is no other place to report it; the metric shows it.
      this.lost++;
      return bytes.length;
    }
  }
}

/** Makes pipes and sockets return EAGAIN instead of blocking; files and terminals do not block. */
function openStandardError(): Write {
  let stream: Socket | undefined;
  try {
    const status = fstatSync(STANDARD_ERROR);
    // Opening it as a stream makes it non-blocking; the stream itself is never written to or closed.
    if (status.isFIFO() || status.isSocket()) {
      stream = new Socket({ fd: STANDARD_ERROR, readable: false, writable: true });
      stream.on('error', () => {
        // The reader's error: the next write reports it.
      });
      stream.unref();
    }
  } catch {
    // It is closed: every write will report that.
  }
  return bytes => {
    // Another file may have its number by now.
    if (stream?.destroyed) throw new Error('standard error is closed');
    return writeSync(STANDARD_ERROR, bytes);
  };
}
