/** Structured logs on standard error, so that standard output stays for people and pipes. */
import { type DestinationStream, type LogFn, type Logger, pino } from 'pino';
import { eventNamed } from './log-events/table.js';

export type { DestinationStream, Logger } from 'pino';

/** Never written, wherever they appear in a logged object. */
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

/** Members that the logger itself writes. A second one of the same name would hide one of the two from a parser. */
const OWN_MEMBERS: ReadonlySet<string> = new Set(['level', 'time', 'pid', 'hostname', 'node', 'event', 'msg']);

export function createLogger(level: string, nodeName: string, to: DestinationStream): Logger {
  const options = {
    level,
    base: { node: nodeName },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: SECRET_PATHS,
    hooks: { logMethod },
  };
  return pino(options, to);
}

/** Adds the name of the event, which its message tells (log-events/table.ts). */
function logMethod(this: Logger, args: Parameters<LogFn>, method: LogFn): void {
  const [first, second] = args as readonly unknown[];
  const hasFields = typeof first === 'object' && first !== null;
  const message = String(hasFields ? second : first);
  const event = eventNamed(message);
  const fields = hasFields ? withoutOwnMembers(first as Record<string, unknown>) : {};
  method.call(this, event === undefined ? fields : { event, ...fields }, message);
}

/** Renames what collides with the logger's own members: `level` becomes `field_level`. */
function withoutOwnMembers(fields: Record<string, unknown>): Record<string, unknown> {
  const names = Object.keys(fields);
  if (!names.some(name => OWN_MEMBERS.has(name))) return fields;
  return Object.fromEntries(names.map(name => [OWN_MEMBERS.has(name) ? `field_${name}` : name, fields[name]]));
}

/**
 * Passes the first occurrence of each key per interval and counts the others, so that a flood of the same problem is
 * one line a second.
 */
export class LogSampler {
  readonly #intervalMs: number;
  readonly #nowMs: () => number;
  readonly #seen = new Map<string, { sinceMs: number; suppressed: number }>();

  constructor(intervalMs: number, nowMs: () => number = () => performance.now()) {
    this.#intervalMs = intervalMs;
    this.#nowMs = nowMs;
  }

  /**
   * Undefined: do not log. A number: log, and say that this many were suppressed since the last line. Use few distinct
   * keys.
   */
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
