/** The declaration of an event that is logged. */
import type { FIELDS } from './fields.js';

type Level = 'info' | 'warn' | 'error' | 'fatal';
type Field = keyof typeof FIELDS;

export interface LogEvent {
  /** The levels that it is logged at, the usual one first. */
  readonly levels: readonly Level[];
  /** `msg` of the line. It stands in one event. */
  readonly message: string;
  /** What it means and, where there is something to do, what to do. Markdown. */
  readonly means: string;
  readonly fields: readonly Field[];
}

/** Events of one part of the gateway, by name. */
export interface LogEventGroup {
  readonly title: string;
  readonly events: Readonly<Record<string, LogEvent>>;
}

export function event(levels: Level | readonly Level[], message: string, means: string, ...fields: Field[]): LogEvent {
  return { levels: typeof levels === 'string' ? [levels] : levels, message, means, fields };
}
