/** Rows in columns, for people. */

export interface Column<Row> {
  readonly title: string;
  /** Numbers are right-aligned; null: there is none. */
  readonly of: (row: Row) => string | number | boolean | null;
}

const GAP = '  ';
const NONE = '-';

/** Lines without line ends: the titles, then one per row. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = rows.map(row => columns.map(({ of }) => of(row)));
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...cells.map(line => textOf(line[at] ?? null).length)),
  );
  const isNumber = columns.map((_, at) => cells.some(line => typeof line[at] === 'number'));
  const lineOf = (texts: readonly string[]) =>
    texts
      .map((text, at) => (isNumber[at] ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)))
      .join(GAP)
      .trimEnd();
  return [lineOf(columns.map(({ title }) => title)), ...cells.map(line => lineOf(line.map(cell => textOf(cell))))];
}

/** Names and values, one per line. */
export function pairLines(
  pairs: readonly (readonly [name: string, value: string | number | boolean | null])[],
): string[] {
  const width = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}${GAP}${textOf(value, String)}`);
}

const grouped = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 1 });

function textOf(value: string | number | boolean | null, numberText = grouped): string {
  if (value === null || value === '') return NONE;
  return typeof value === 'number' ? numberText(value) : String(value);
}
