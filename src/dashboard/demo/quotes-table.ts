/** The table of quotes: a row for each symbol, which lights up where it changes. */
import type { AssetQuote, Numeric } from '../../client/index.js';
import { element, everyFrame, setText } from '../dom.js';
import { UNKNOWN } from '../format.js';
import { amount, signed } from './amounts.js';

interface Row {
  readonly element: HTMLTableRowElement;
  readonly price: HTMLTableCellElement;
  readonly change: HTMLTableCellElement;
  readonly bid: HTMLTableCellElement;
  readonly ask: HTMLTableCellElement;
  /** The newest quote; undefined once it is shown. */
  pending: AssetQuote | undefined;
  shownPrice: number;
  flashes: number;
}

export class QuotesTable {
  readonly #body: HTMLTableSectionElement;
  readonly #onChoose: (symbol: string) => void;
  readonly #rows = new Map<string, Row>();
  readonly #draw = everyFrame(() => this.#show());

  /** @param onChoose called when the reader chooses a symbol */
  constructor(body: HTMLTableSectionElement, onChoose: (symbol: string) => void) {
    this.#body = body;
    this.#onChoose = onChoose;
  }

  get size(): number {
    return this.#rows.size;
  }

  update(symbol: string, quote: AssetQuote): void {
    const row = this.#rows.get(symbol) ?? this.#add(symbol);
    // The client changes the document in place.
    row.pending = { ...quote };
    this.#draw();
  }

  choose(symbol: string): void {
    for (const [name, { element }] of this.#rows) {
      const isChosen = name === symbol;
      element.dataset.chosen = String(isChosen);
      element.querySelector('button')?.setAttribute('aria-pressed', String(isChosen));
    }
  }

  /** Whether the quotes are those of a connection that is down. */
  setOld(isOld: boolean): void {
    for (const { element } of this.#rows.values()) element.dataset.old = String(isOld);
  }

  #add(symbol: string): Row {
    const button = element('button', { text: symbol, attributes: { type: 'button', 'aria-pressed': 'false' } });
    button.title = `Show the order book of ${symbol}`;
    button.addEventListener('click', () => this.#onChoose(symbol));
    const cell = (name: string) => element('td', { class: name, text: UNKNOWN });
    const [price, change] = [cell('num'), cell('num')] as const;
    const [bid, ask] = [cell('num wide'), cell('num wide')] as const;
    const line = element('tr', {}, element('td', {}, button), price, change, bid, ask);
    line.dataset.symbol = symbol;
    this.#body.append(line);
    const row: Row = { element: line, price, change, bid, ask, pending: undefined, shownPrice: Number.NaN, flashes: 0 };
    this.#rows.set(symbol, row);
    return row;
  }

  #show(): void {
    for (const row of this.#rows.values()) {
      const quote = row.pending;
      if (quote === undefined) continue;
      row.pending = undefined;
      const price = Number(quote.current_price ?? Number.NaN);
      setText(row.price, amount(quote.current_price));
      setText(row.bid, amount(quote.bid));
      setText(row.ask, amount(quote.ask));
      setText(row.change, changeText(quote.change, quote.change_percent));
      row.change.className = `num ${toneOf(Number(quote.change ?? 0))}`;
      if (price !== row.shownPrice && !Number.isNaN(row.shownPrice)) flash(row, price > row.shownPrice);
      row.shownPrice = price;
    }
  }
}

function flash(row: Row, isUp: boolean): void {
  row.flashes++;
  row.price.dataset.flash = `${isUp ? 'up' : 'down'}-${row.flashes % 2}`;
}

function toneOf(change: number): string {
  if (change === 0) return '';
  return change > 0 ? 'up' : 'down';
}

function changeText(change: Numeric | null | undefined, percent: Numeric | null | undefined): string {
  return percent === undefined || percent === null ? signed(change) : `${signed(percent)} %`;
}
