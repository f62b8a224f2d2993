/** Lists that the gateway pages: a form of filters, a table of at most 100 rows, and a way to the next page. */
import { messageOf } from './dialogs.js';
import { element, setText } from './dom.js';
import { count } from './format.js';
import { listHash, type Page, type PageContext } from './page.js';
import { panel } from './panel.js';
import { Poller } from './poller.js';
import { type Column, DataTable, ROWS_MAX } from './table.js';

const EVERY_MS = 2_000;

export interface Filter {
  /** Of the API's query. */
  readonly name: string;
  readonly label: string;
  /** Values and what they are called; undefined: any text. */
  readonly options?: readonly (readonly [value: string, label: string])[];
}

interface Answer {
  readonly total: number;
  readonly next: string | null;
  readonly silent_threads: readonly string[];
}

interface ListOptions<Row, A extends Answer> {
  readonly title: string;
  /** Path of the API, and name in the page's address. */
  readonly list: string;
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  readonly filters: readonly Filter[];
  readonly rowsOf: (answer: A) => readonly Row[];
  readonly emptyText: string;
}

export class ListPage<Row, A extends Answer> implements Page {
  readonly title: string;
  readonly element: HTMLElement;
  readonly #context: PageContext;
  readonly #options: ListOptions<Row, A>;
  readonly #query: Readonly<Record<string, string>>;
  readonly #table: DataTable<Row>;
  readonly #count = element('p', { class: 'note', attributes: { role: 'status' } });
  readonly #next = element('button', { text: 'Next page', attributes: { type: 'button' } });
  readonly #first = element('button', { text: 'First page', attributes: { type: 'button' } });
  readonly #poller: Poller;
  #after = '';

  /** @param query filters, as in the page's address */
  constructor(context: PageContext, options: ListOptions<Row, A>, query: Readonly<Record<string, string>>) {
    this.#context = context;
    this.#options = options;
    this.#query = query;
    this.title = options.title;
    this.#table = new DataTable<Row>(options.title, options.columns, options.keyOf, options.emptyText);
    this.#after = query.after ?? '';
    this.#first.disabled = this.#after === '';
    this.#next.disabled = true;
    this.#first.addEventListener('click', () => context.go(listHash(options.list, { ...query, after: '' })));
    const pages = element('div', { class: 'pages' }, this.#first, this.#next);
    this.element = element('div', {}, this.#form(), panel(options.title, '', this.#table.element, this.#count), pages);
    this.#poller = new Poller({
      everyMs: EVERY_MS,
      run: signal => this.#ask(signal),
      onFailure: cause => setText(this.#count, messageOf(cause)),
    });
  }

  start(): void {
    this.#poller.start();
  }

  stop(): void {
    this.#poller.stop();
  }

  #form(): HTMLElement {
    const fields = this.#options.filters.map(filter => {
      const field = fieldOf(filter, this.#query[filter.name] ?? '');
      return {
        name: filter.name,
        field,
        label: element('label', { class: 'field' }, element('span', { text: filter.label }), field),
      };
    });
    const apply = element('button', { class: 'primary', text: 'Apply', attributes: { type: 'submit' } });
    const form = element('form', {
      class: 'filters',
      attributes: { role: 'search', 'aria-label': this.#options.title },
    });
    form.append(...fields.map(({ label }) => label), apply);
    const submit = () => {
      const query = Object.fromEntries(fields.map(({ name, field }) => [name, field.value.trim()]));
      this.#context.go(listHash(this.#options.list, query));
    };
    form.addEventListener('submit', event => {
      event.preventDefault();
      submit();
    });
    return form;
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { list, rowsOf } = this.#options;
    const answer = await this.#context.api.get<A>(`/${list}`, { ...this.#query, limit: ROWS_MAX }, signal);
    const rows = rowsOf(answer);
    this.#table.update(rows);
    const silent = answer.silent_threads.length === 0 ? '' : `; no answer from ${answer.silent_threads.join(', ')}`;
    setText(this.#count, `${count(rows.length)} of ${count(answer.total)}${silent}`);
    const { next } = answer;
    this.#next.disabled = next === null;
    this.#next.onclick = next === null ? null : () => this.#context.go(listHash(list, { ...this.#query, after: next }));
  }
}

function fieldOf({ options }: Filter, value: string): HTMLInputElement | HTMLSelectElement {
  if (options === undefined) {
    const input = element('input', { attributes: { type: 'text', autocomplete: 'off', spellcheck: 'false' } });
    input.value = value;
    return input;
  }
  const select = element(
    'select',
    {},
    ...options.map(([of, label]) => element('option', { text: label, attributes: { value: of } })),
  );
  select.value = value;
  return select;
}
