/** Structured logs: JSON lines on standard error, so that standard output stays for people and pipes. */
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** Never written, wherever they turn up in a logged object. */
const SECRET_PATHS = [
  'token',
  '*.token',
  'password',
  '*.password',
  'secret',
  '*.secret',
  'authorization',
  '*.authorization',
];

export function createLogger(level: string, nodeName: string, to: DestinationStream): Logger {
  return pino({ level, base: { node: nodeName }, timestamp: pino.stdTimeFunctions.isoTime, redact: SECRET_PATHS }, to);
}

/**
 * Lets the first occurrence of each key in an interval through and counts the others, so that a flood of the same
 * trouble is one line a second.
 */
export class LogSampler {
  readonly #intervalMs: number;
  readonly #nowMs: () => number;
  readonly #seen = new Map<string, { sinceMs: number; suppressed: number }>();

  constructor(intervalMs: number, nowMs: () => number = () => performance.now()) {
    this.#intervalMs = intervalMs;
    this.#nowMs = nowMs;
  }

  /** Undefined: do not log. A number: log, and that many were left out since the last line. Keys must be few. */
  pass(key: string): number | undefined {
    const now = this.#nowMs();
    const last = this.#seen.get(key);
    if (last !== undefined && now - last.sinceMs < this.#intervalMs) {
      last.suppressed++;
      return undefined;
    }
    this.#seen.set(key, { sinceMs: now, suppressed: 0 });
    return last?.suppressed ?? 0;
  }
}
