import { describe, expect, it } from 'vitest';
import {
  dayIndex,
  monthText,
  parseMonth,
  type ZonedMonth,
  zonedMonth,
} from '../../../../src/journal/usage/zoned-days.js';

const HOUR = 3_600_000_000;
const micros = (text: string): number => Date.parse(text) * 1000;

function monthOf(text: string, timeZone: string, holidays: readonly string[] = []): ZonedMonth {
  const month = parseMonth(text);
  if (month === undefined) throw new Error(`${text} is no month`);
  return zonedMonth(month, timeZone, holidays);
}

const text = (border: number | undefined): string => new Date((border ?? 0) / 1000).toISOString().slice(0, 16);

describe('R74 the month of a product', () => {
  it.each([
    ['2026-11', 'UTC', '2026-11-01T00:00', '2026-12-01T00:00'],
    ['2026-11', 'Asia/Tokyo', '2026-10-31T15:00', '2026-11-30T15:00'],
    // Summer time ends on 25 October.
    ['2026-10', 'Europe/London', '2026-09-30T23:00', '2026-11-01T00:00'],
    // It begins on 29 March.
    ['2026-03', 'Europe/London', '2026-03-01T00:00', '2026-03-31T23:00'],
    // It ends on 1 November, two hours into the month.
    ['2026-11', 'America/New_York', '2026-11-01T04:00', '2026-12-01T05:00'],
    ['2028-02', 'Asia/Kolkata', '2028-01-31T18:30', '2028-02-29T18:30'],
    ['2026-12', 'Pacific/Kiritimati', '2026-11-30T10:00', '2026-12-31T10:00'],
    ['2026-12', 'Pacific/Pago_Pago', '2026-12-01T11:00', '2027-01-01T11:00'],
  ])('R74 %s in %s begins at %s and ends at %s', (month, timeZone, from, to) => {
    const { borders, days } = monthOf(month, timeZone);
    expect([text(borders[0]), text(borders.at(-1))]).toEqual([from, to]);
    expect(borders).toHaveLength(days.length + 1);
  });

  it.each([
    ['2026-03', 'Europe/London', 28, 23],
    ['2026-10', 'Europe/London', 24, 25],
    ['2026-11', 'America/New_York', 0, 25],
    // Half an hour.
    ['2026-04', 'Australia/Lord_Howe', 4, 24.5],
  ])('R74 has in %s in %s a day with index %i of %d hours', (month, timeZone, day, hours) => {
    const { borders } = monthOf(month, timeZone);
    const lengths = borders.slice(1).map((border, at) => (border - (borders[at] ?? 0)) / HOUR);
    expect(lengths[day]).toBe(hours);
    expect(lengths.filter(length => length !== 24)).toEqual([hours]);
  });

  it('R74 begins a day whose midnight is skipped at its first time', () => {
    // In Beirut clocks went from 00:00 to 01:00 on 26 March 2028.
    const { borders } = monthOf('2028-03', 'Asia/Beirut');
    expect(text(borders[25])).toBe('2028-03-25T22:00');
    expect(((borders[26] ?? 0) - (borders[25] ?? 0)) / HOUR).toBe(23);
  });

  it('R74 has a day without length where a zone left one out', () => {
    // Samoa had no 30 December 2011.
    const { borders } = monthOf('2011-12', 'Pacific/Apia');
    expect((borders[30] ?? 0) - (borders[29] ?? 0)).toBe(0);
  });

  it('R74 puts a time into the day that it is in, to the microsecond', () => {
    const month = monthOf('2026-10', 'Europe/London');
    const midnight = micros('2026-10-25T23:00:00Z') + HOUR;
    expect(dayIndex(month, midnight - 1)).toBe(24);
    expect(dayIndex(month, midnight)).toBe(25);
    expect(dayIndex(month, month.borders[0] ?? 0)).toBe(0);
    expect(dayIndex(month, (month.borders.at(-1) ?? 0) - 1)).toBe(30);
  });

  it.each([
    ['2026-11', [], '2026-11-02'],
    ['2026-11', ['2026-11-02', '2026-11-03'], '2026-11-04'],
    ['2026-10', [], '2026-10-01'],
    ['2026-08', [], '2026-08-03'],
    ['2027-01', ['2027-01-01'], '2027-01-04'],
  ])('R74 finds the first working day of %s without %j: %s', (month, holidays, day) => {
    const { days, firstWorkingDay } = monthOf(month, 'Europe/London', holidays);
    expect(days[firstWorkingDay ?? -1]).toBe(day);
  });

  it('R74 knows of a month without working days', () => {
    const { days } = monthOf('2026-11', 'UTC');
    expect(monthOf('2026-11', 'UTC', days).firstWorkingDay).toBeUndefined();
  });

  it.each(['2026', '2026-13', '2026-00', '26-11', '2026-11-01', '1969-12', ''])('R74 takes %j for no month', text => {
    expect(parseMonth(text)).toBeUndefined();
  });

  it('R74 writes a month as it reads it', () => {
    expect(monthText({ year: 2027, month: 1 })).toBe('2027-01');
  });
});
