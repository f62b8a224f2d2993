/** Creates the source that a name from the hub describes. */
import { undelayedName } from '../protocol/delayed-name.js';
import { topicParts } from '../protocol/topic-parts.js';
import type { SourceKind } from '../protocol/topics.js';
import type { BookLevels } from './book-levels.js';
import { BooksSource } from './books-source.js';
import { DELAYED_TRADES, EVENT_KINDS } from './event-kinds.js';
import { EventSource, type EventSourceParts } from './event-source.js';
import type { FrameEncoder } from './frame-encoder.js';
import { QuotesSource } from './quotes-source.js';
import type { SourceEncoder } from './source.js';
import type { MarkDue } from './state-source.js';

interface SourceParts {
  readonly out: FrameEncoder;
  readonly markDue: MarkDue;
  readonly bookLevels: BookLevels;
  readonly events: EventSourceParts;
}

/** @param name `<kind>:<name>`; for market data, the name may be a delayed one */
export function createSource(
  id: number,
  name: string,
  { out, markDue, bookLevels, events }: SourceParts,
): SourceEncoder {
  const [kind, text] = topicParts(name) as [SourceKind, string];
  const { name: symbol, delayMs } = undelayedName(text);
  switch (kind) {
    case 'quotes':
      return new QuotesSource(id, symbol, out, markDue);
    case 'books':
      return new BooksSource(id, symbol, out, markDue, bookLevels);
    case 'trades':
      return new EventSource(id, symbol, delayMs > 0 ? DELAYED_TRADES : EVENT_KINDS.trades, events);
    default:
      return new EventSource(id, text, EVENT_KINDS[kind], events);
  }
}
