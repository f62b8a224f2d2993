/**
 * Every event that the gateway logs. The logger adds the name of the event to a line by the line's message. ops/logs.md
 * and `millrace reference logs` are made of this, and a test fails for a log call whose message, level or fields are
 * not in it.
 */
import { accessEvents } from './access.js';
import { clientEvents } from './clients.js';
import type { LogEventGroup } from './event.js';
import { feedEvents } from './feed.js';
import { journalEvents } from './journal.js';
import { operationEvents } from './operation.js';
import { processEvents } from './process.js';
import { surveillanceEvents } from './surveillance.js';

export const LOG_EVENT_GROUPS: readonly LogEventGroup[] = [
  processEvents,
  operationEvents,
  accessEvents,
  feedEvents,
  clientEvents,
  journalEvents,
  surveillanceEvents,
];

const NAMES: ReadonlyMap<string, string> = new Map(
  LOG_EVENT_GROUPS.flatMap(({ events }) =>
    Object.entries(events).map(([name, { message }]) => [message, name] as const),
  ),
);

/** The name of the event whose lines have this message; undefined: there is none. */
export const eventNamed = (message: string): string | undefined => NAMES.get(message);
