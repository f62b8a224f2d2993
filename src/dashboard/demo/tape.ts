/** The latest trades, newest first. */
import type { Trade } from '../../client/index.js';
import { BoundedMap } from '../../protocol/bounded-map.js';
import { element, everyFrame, setText } from '../dom.js';
import { timeOfDay } from '../format.js';
import { amount } from './amounts.js';

const ROWS = 20;
/** Most symbols whose last price is kept: a feed may have very many. */
const SYMBOLS_MAX = 1_000;

type Cells = readonly [time: HTMLElement, symbol: HTMLElement, price: HTMLElement, quantity: HTMLElement];

export class Tape {
  readonly #rows: readonly { readonly row: HTMLElement; readonly cells: Cells }[];
  readonly #trades: { readonly trade: Trade; readonly tone: string }[] = [];
  /** Price of the last trade by symbol. */
  readonly #lastPrice = new BoundedMap<string, number>(SYMBOLS_MAX);
  readonly #draw = everyFrame(() => this.#show());
  #count = 0;

  constructor(body: HTMLTableSectionElement) {
    this.#rows = Array.from({ length: ROWS }, () => {
      const cell = (name: string) => element('td', { class: name });
      const cells: Cells = [cell('quiet'), cell(''), cell('num'), cell('num')];
      const row = element('tr', {}, ...cells);
      row.hidden = true;
      body.append(row);
      return { row, cells };
    });
  }

  get count(): number {
    return this.#count;
  }

  add(trade: Trade): void {
    this.#count++;
    const price = Number(trade.price);
    const last = this.#lastPrice.get(trade.symbol) ?? price;
    this.#lastPrice.set(trade.symbol, price);
    const tone = price === last ? '' : price > last ? 'up' : 'down';
    this.#trades.unshift({ trade, tone });
    if (this.#trades.length > ROWS) this.#trades.pop();
    this.#draw();
  }

  #show(): void {
    this.#rows.forEach(({ row, cells: [time, symbol, price, quantity] }, i) => {
      const shown = this.#trades[i];
      if (shown === undefined) return;
      const { trade, tone } = shown;
      row.hidden = false;
      setText(time, trade.executed_at === undefined ? '' : timeOfDay(new Date(trade.executed_at)));
      setText(symbol, trade.symbol);
      setText(price, amount(trade.price));
      price.className = `num ${tone}`;
      setText(quantity, amount(trade.quantity));
    });
  }
}
