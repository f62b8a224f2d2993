/** Days and months as a time zone's calendar has them, daylight saving included. The rules come from the ICU data of Node. */

const MINUTE_MS = 60_000;
/** No zone is further from UTC, east or west; a little more, to be on the safe side. */
const OFFSET_MS_MAX = 16 * 60 * MINUTE_MS;
const DAYS_PER_WEEK = 7;
const MONTH = /^(\d{4})-(0[1-9]|1[0-2])$/;
const MICROS_PER_MS = 1000;

/** A calendar month; `month` counts from 1. */
export interface CalendarMonth {
  readonly year: number;
  readonly month: number;
}

/** @param text `YYYY-MM`, from 1970 on. @returns undefined when it is not a month */
export function parseMonth(text: string): CalendarMonth | undefined {
  const [, year, month] = MONTH.exec(text) ?? [];
  return year === undefined || Number(year) < 1970 ? undefined : { year: Number(year), month: Number(month) };
}

export const monthText = ({ year, month }: CalendarMonth): string => `${year}-${String(month).padStart(2, '0')}`;

/** One month in one time zone. Times are µs since the Unix epoch. */
export interface ZonedMonth {
  /** When each day begins, and when the month ends, so one more than it has days. */
  readonly borders: readonly number[];
  /** `YYYY-MM-DD` of each day. */
  readonly days: readonly string[];
  /** Index of the first day from Monday to Friday that is no holiday; undefined if there is none. */
  readonly firstWorkingDay: number | undefined;
}

/** @param holidays `YYYY-MM-DD`. @throws {RangeError} when there is no such time zone */
export function zonedMonth(
  { year, month }: CalendarMonth,
  timeZone: string,
  holidays: readonly string[] = [],
): ZonedMonth {
  const dateAt = dateReader(timeZone);
  const count = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const midnights = Array.from({ length: count + 1 }, (_, day) => Date.UTC(year, month - 1, day + 1));
  const days = midnights.slice(0, count).map(midnight => new Date(midnight).toISOString().slice(0, 10));
  const found = days.findIndex((day, at) => isWorkingDay(midnights[at] ?? 0) && !holidays.includes(day));
  return {
    borders: midnights.map(midnight => startOfDay(midnight, dateAt) * MICROS_PER_MS),
    days,
    firstWorkingDay: found < 0 ? undefined : found,
  };
}

/** The day that a time is in: an index, found among the borders. @param micros within the month */
export function dayIndex({ borders }: ZonedMonth, micros: number): number {
  let low = 0;
  let high = borders.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((borders[middle] ?? 0) <= micros) low = middle;
    else high = middle;
  }
  return low;
}

function isWorkingDay(midnightMs: number): boolean {
  const weekday = new Date(midnightMs).getUTCDay();
  return weekday % DAYS_PER_WEEK !== 0 && weekday !== DAYS_PER_WEEK - 1;
}

/**
 * The first minute whose date in the zone is that of `midnight` in UTC, or later: where clocks skip midnight, the day begins at
 * the first time that it has.
 */
function startOfDay(midnight: number, dateAt: (ms: number) => number): number {
  let before = midnight - OFFSET_MS_MAX;
  let from = midnight + OFFSET_MS_MAX;
  while (from - before > MINUTE_MS) {
    const middle = before + Math.floor((from - before) / 2 / MINUTE_MS) * MINUTE_MS;
    if (dateAt(middle) >= midnight) from = middle;
    else before = middle;
  }
  return from;
}

/** Reads the date that a time has in the zone, as the midnight of that date in UTC. */
function dateReader(timeZone: string): (ms: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
  });
  return ms => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(parts.get('year') ?? 0, (parts.get('month') ?? 1) - 1, parts.get('day') ?? 1);
  };
}
