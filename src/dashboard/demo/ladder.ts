/** The order book of one symbol: ten levels a side, and the checksum that proves them. */
import { type Book, bestLevels } from '../../client/index.js';
import { byId, element, everyFrame, setText } from '../dom.js';
import { count } from '../format.js';
import { amount } from './amounts.js';

const LEVELS = 10;

interface Level {
  readonly price: HTMLTableCellElement;
  readonly size: HTMLSpanElement;
  readonly bar: HTMLElement;
}

interface BookState {
  readonly book: Book;
  readonly seq: number;
  readonly sent: number | undefined;
  readonly own: number;
}

export class Ladder {
  readonly #asks: Level[] = [];
  readonly #bids: Level[] = [];
  readonly #spread: HTMLTableCellElement;
  readonly #note = byId('book-note', HTMLElement);
  readonly #sent = byId('checksum-sent', HTMLElement);
  readonly #own = byId('checksum-own', HTMLElement);
  readonly #count = byId('checksum-count', HTMLElement);
  readonly #books = new Map<string, BookState>();
  readonly #draw = everyFrame(() => this.#show());
  #symbol = '';
  #verified = 0;
  #wrong = 0;

  constructor(body: HTMLTableSectionElement) {
    for (let i = 0; i < LEVELS; i++) this.#asks.unshift(newLevel(body, 'asks'));
    this.#spread = element('td', { attributes: { colspan: '3' } });
    body.append(element('tr', { class: 'spread' }, this.#spread));
    for (let i = 0; i < LEVELS; i++) this.#bids.push(newLevel(body, 'bids'));
  }

  get symbol(): string {
    return this.#symbol;
  }

  choose(symbol: string): void {
    this.#symbol = symbol;
    this.#draw();
  }

  update(symbol: string, state: BookState): void {
    this.#books.set(symbol, state);
    if (state.sent !== undefined && state.sent === state.own) this.#verified++;
    this.#draw();
  }

  /** The client refused a book whose checksum differs, and asks for it again. */
  mismatch(): void {
    this.#wrong++;
    this.#draw();
  }

  #show(): void {
    const counted = `${count(this.#verified)} books${this.#wrong === 0 ? '' : `, ${count(this.#wrong)} wrong`}`;
    setText(this.#count, counted);
    this.#count.dataset.tone = this.#wrong === 0 ? 'good' : 'bad';
    const state = this.#books.get(this.#symbol);
    if (state === undefined) return;
    const { book, seq, sent, own } = state;
    const asks = bestLevels(book, 'asks', LEVELS);
    const bids = bestLevels(book, 'bids', LEVELS);
    const largest = Math.max(...[...asks, ...bids].map(([, size]) => Number(size)), 0);
    for (let i = 0; i < LEVELS; i++) {
      showLevel(this.#asks[i], asks[i], largest);
      showLevel(this.#bids[i], bids[i], largest);
    }
    setText(this.#spread, spreadText(asks[0]?.[0], bids[0]?.[0]));
    setText(this.#note, `${this.#symbol}, message ${count(seq)}`);
    setText(this.#sent, sent === undefined ? '–' : String(sent));
    setText(this.#own, String(own));
    this.#own.dataset.tone = sent === own ? 'good' : 'bad';
  }
}

function newLevel(body: HTMLTableSectionElement, side: 'asks' | 'bids'): Level {
  const price = element('td', { class: 'mid' });
  const size = element('span');
  const bar = element('i');
  const sized = element('td', { class: 'num size' }, bar, size);
  const empty = element('td');
  const row = element('tr', {}, ...(side === 'bids' ? [sized, price, empty] : [empty, price, sized]));
  row.dataset.side = side;
  body.append(row);
  return { price, size, bar };
}

function showLevel(level: Level | undefined, found: readonly [string, string] | undefined, largest: number): void {
  if (level === undefined) return;
  const [price = '', size = ''] = found ?? [];
  setText(level.price, price === '' ? '' : amount(price));
  setText(level.size, size === '' ? '' : amount(size));
  level.bar.style.width = largest === 0 ? '0' : `${(100 * Number(size)) / largest}%`;
}

function spreadText(ask: string | undefined, bid: string | undefined): string {
  if (ask === undefined || bid === undefined) return 'one side is empty';
  const digits = Math.max(...[ask, bid].map(price => price.split('.')[1]?.length ?? 0));
  return `Spread ${(Number(ask) - Number(bid)).toFixed(digits)}`;
}
