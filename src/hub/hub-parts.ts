/** Parts of the hub that are made of its options. */
import type { Announcements } from './announcements.js';
import type { HubOptions } from './hub-options.js';
import type { Subject, SubjectTable } from './sources/subject-table.js';
import { Symbols } from './sources/symbols.js';

/** @param dropSubject forgets a subject that no client wants */
export function newSymbols(
  { symbols, symbolsMax = Number.POSITIVE_INFINITY, symbolIdleMs = 0 }: HubOptions,
  table: SubjectTable,
  announcements: Announcements,
  dropSubject: (subject: Subject) => void,
): Symbols {
  return new Symbols({
    listed: symbols,
    max: symbolsMax,
    idleMs: symbolIdleMs,
    find: name => table.find(name),
    dropSubject,
    announce: symbol => announcements.symbol(symbol),
    announceForgotten: (symbol, subjects) => announcements.forgotten(symbol, subjects),
  });
}
