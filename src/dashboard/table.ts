/** A table whose rows change in place: what has the focus keeps it, and what stays the same is not drawn again. */
import { element, setText } from './dom.js';

/** Tables of more columns need a wide screen; below it, their rows become cards. */
const NARROW_COLUMNS_MAX = 7;
/** The most rows in the page at once; the gateway has the rest. */
export const ROWS_MAX = 100;

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  /** Where the text leads. */
  readonly href?: (row: Row) => string | undefined;
  readonly isNumber?: boolean;
  readonly isMono?: boolean;
  /** Left out on a phone, in tables that lead to a page with all of it. */
  readonly isMinor?: boolean;
  /** What colours it. */
  readonly tone?: (row: Row) => 'good' | 'warn' | 'bad' | '';
  /** A bar under the text, 0 to 1. */
  readonly share?: (row: Row) => number | null;
}

interface Line {
  readonly row: HTMLTableRowElement;
  readonly texts: readonly HTMLElement[];
  readonly bars: readonly (HTMLElement | undefined)[];
}

export class DataTable<Row> {
  readonly element: HTMLElement;
  readonly #columns: readonly Column<Row>[];
  readonly #keyOf: (row: Row) => string;
  readonly #body = element('tbody', { attributes: { role: 'rowgroup' } });
  readonly #empty: HTMLElement;
  readonly #lines = new Map<string, Line>();

  /** @param emptyText said where there is no row */
  constructor(name: string, columns: readonly Column<Row>[], keyOf: (row: Row) => string, emptyText: string) {
    this.#columns = columns;
    this.#keyOf = keyOf;
    this.#empty = element('p', { class: 'empty note', text: emptyText });
    const heads = columns.map(({ title, isNumber }) =>
      element('th', {
        class: isNumber === true ? 'num' : '',
        text: title,
        attributes: { scope: 'col', role: 'columnheader' },
      }),
    );
    // The roles stay where a phone's style lays rows out as cards, which would undo them.
    const head = element(
      'thead',
      { attributes: { role: 'rowgroup' } },
      element('tr', { attributes: { role: 'row' } }, ...heads),
    );
    const table = element(
      'table',
      {
        class: columns.length > NARROW_COLUMNS_MAX ? 'reflow wide' : 'reflow',
        attributes: { role: 'table', 'aria-label': name },
      },
      head,
      this.#body,
    );
    this.element = element('div', { class: 'table' }, table, this.#empty);
  }

  update(all: readonly Row[]): void {
    const rows = all.slice(0, ROWS_MAX);
    const focused = document.activeElement;
    this.#empty.hidden = rows.length > 0;
    const keys = new Set(rows.map(row => this.#keyOf(row)));
    for (const [key, line] of this.#lines) {
      if (keys.has(key)) continue;
      line.row.remove();
      this.#lines.delete(key);
    }
    rows.forEach((row, i) => {
      const line = this.#lines.get(this.#keyOf(row)) ?? this.#add(this.#keyOf(row));
      if (this.#body.children[i] !== line.row) this.#body.insertBefore(line.row, this.#body.children[i] ?? null);
      this.#show(row, line);
    });
    // A moved element loses the focus.
    if (focused instanceof HTMLElement && this.#body.contains(focused) && focused !== document.activeElement)
      focused.focus();
  }

  #add(key: string): Line {
    const texts: HTMLElement[] = [];
    const bars: (HTMLElement | undefined)[] = [];
    const cells = this.#columns.map(({ title, href, isNumber, isMono, isMinor, share }) => {
      const text = element(href === undefined ? 'span' : 'a');
      const bar = share === undefined ? undefined : element('i', { class: 'load' });
      texts.push(text);
      bars.push(bar);
      const classes = { num: isNumber, mono: isMono, minor: isMinor };
      const className = Object.entries(classes)
        .flatMap(([name, has]) => (has === true ? [name] : []))
        .join(' ');
      const content =
        bar === undefined ? text : element('div', { class: 'loaded' }, element('div', { class: 'track' }, bar), text);
      return element('td', { class: className, attributes: { role: 'cell', 'data-title': title } }, content);
    });
    const line = { row: element('tr', { attributes: { role: 'row' } }, ...cells), texts, bars };
    this.#lines.set(key, line);
    return line;
  }

  #show(row: Row, { texts, bars }: Line): void {
    this.#columns.forEach(({ text, href, tone, share }, i) => {
      const cell = texts[i];
      if (cell === undefined) return;
      setText(cell, text(row));
      const target = href?.(row);
      if (cell instanceof HTMLAnchorElement && target !== undefined && cell.getAttribute('href') !== target)
        cell.href = target;
      if (tone !== undefined) cell.dataset.tone = tone(row);
      const bar = bars[i];
      if (bar === undefined) return;
      const part = share?.(row) ?? 0;
      bar.style.width = `${Math.round(Math.min(1, Math.max(0, part)) * 100)}%`;
      bar.dataset.tone = part >= 0.8 ? 'bad' : part >= 0.6 ? 'warn' : '';
    });
  }
}
