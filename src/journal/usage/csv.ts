/** The report as RFC 4180 text: a table of users, or one of totals, with the members of the JSON form as columns. */
import { printable } from '../../observe/terminal-text.js';
import type { UsageReport } from './report-types.js';

const LINE_END = '\r\n';
/** Spreadsheets take a text that begins so for a formula, some behind blanks or with the wide signs of East Asian keyboards. */
const FORMULA = /^[\s\p{Cf}]*[=+\-@\uff1d\uff0b\uff0d\uff20]/u;
const NEEDS_QUOTES = /[",\r\n]/;

const USER_COLUMNS = [
  ...['vendor', 'product', 'data', 'firm', 'user', 'professional', 'use', 'entitled', 'entitled_first_working_day'],
  ...['first_use', 'last_use', 'days_used', 'peak_connections', 'locations'],
] as const;

const TOTAL_COLUMNS = [
  ...['scope', 'vendor', 'product', 'firm', 'data', 'users', 'users_gross', 'users_professional'],
  ...['users_non_professional', 'users_display', 'users_non_display', 'users_entitled_first_working_day', 'devices'],
  ...['locations', 'peak_connections'],
] as const;

export const usersCsv = ({ month, users }: UsageReport): string => table(month, USER_COLUMNS, users);

export const totalsCsv = ({ month, totals }: UsageReport): string => table(month, TOTAL_COLUMNS, totals);

function table<Column extends string>(
  month: string,
  columns: readonly Column[],
  rows: readonly Readonly<Record<Column, string | number | boolean | null>>[],
): string {
  const head = ['month', ...columns].join(',');
  const lines = rows.map(row => [month, ...columns.map(column => cell(row[column]))].join(','));
  return [head, ...lines].map(line => line + LINE_END).join('');
}

function cell(value: string | number | boolean | null): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const plain = printable(value);
  const text = FORMULA.test(value) || FORMULA.test(plain) ? `'${plain}` : plain;
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
