/** What is kept for others: the state of the journal, and what clients used of licensed data this month. */
import type { JournalRow, UsageAnswer, UsageRow } from '../protocol/admin-rows.js';
import { messageOf } from './dialogs.js';
import { element, setText } from './dom.js';
import { Facts } from './facts.js';
import { count } from './format.js';
import { journalFacts } from './journal-facts.js';
import type { Page, PageContext } from './page.js';
import { panel } from './panel.js';
import { Poller } from './poller.js';
import { type Column, DataTable } from './table.js';

const JOURNAL_EVERY_MS = 2_000;
const USAGE_EVERY_MS = 5_000;

const COLUMNS: readonly Column<UsageRow>[] = [
  { title: 'Product', text: ({ product, vendor }) => `${product}, ${vendor}` },
  { title: 'Firm', text: ({ firm }) => firm ?? 'all' },
  { title: 'Data', text: ({ data }) => (data === 'realtime' ? 'real time' : data) },
  { title: 'Users', isNumber: true, text: ({ users }) => count(users) },
  {
    title: 'Professional',
    isNumber: true,
    text: row => `${count(row.professional)} of ${count(row.professional + row.non_professional)}`,
  },
  {
    title: 'Display',
    isNumber: true,
    text: row => `${count(row.display)} of ${count(row.display + row.non_display)}`,
  },
  { title: 'Devices', isNumber: true, text: ({ devices }) => count(devices) },
  { title: 'Most at once', isNumber: true, text: row => count(row.peak_connections) },
];

const keyOf = ({ vendor, product, firm, data }: UsageRow): string => JSON.stringify([vendor, product, firm, data]);

export class RecordsPage implements Page {
  readonly title = 'Records';
  readonly element: HTMLElement;
  readonly #facts = new Facts();
  readonly #journalNote = element('p', { class: 'note', attributes: { role: 'status' } });
  readonly #usage = new DataTable<UsageRow>('Usage', COLUMNS, keyOf, 'No use to show.');
  readonly #usageNote = element('p', { class: 'note', attributes: { role: 'status' } });
  readonly #reservations = element('ul', { class: 'notes' });
  readonly #pollers: readonly Poller[];

  constructor({ api }: PageContext) {
    this.element = element(
      'div',
      {},
      panel('Journal', 'who was sent what, so that it can be proved later', this.#facts.element, this.#journalNote),
      panel(
        'Usage this month',
        'by the journal of this gateway; millrace journal usage reports all gateways together',
        element('div', {}, this.#usage.element, this.#reservations),
        this.#usageNote,
      ),
    );
    this.#pollers = [
      new Poller({
        everyMs: JOURNAL_EVERY_MS,
        run: async signal => this.#showJournal(await api.get<JournalRow>('/journal', {}, signal)),
        onFailure: cause => setText(this.#journalNote, messageOf(cause)),
      }),
      new Poller({
        everyMs: USAGE_EVERY_MS,
        run: async signal => this.#showUsage(await api.get<UsageAnswer>('/usage', {}, signal)),
        onFailure: cause => setText(this.#usageNote, messageOf(cause)),
      }),
    ];
  }

  start(): void {
    for (const poller of this.#pollers) poller.start();
  }

  stop(): void {
    for (const poller of this.#pollers) poller.stop();
  }

  #showJournal(answer: JournalRow): void {
    setText(this.#journalNote, '');
    this.#facts.update(journalFacts(answer));
  }

  #showUsage({ month, state, reason, made_at: madeAt, rows, more, reservations }: UsageAnswer): void {
    this.#usage.update(rows);
    this.#reservations.replaceChildren(...reservations.map(text => element('li', { text })));
    const made = madeAt === null ? '' : `, as of ${new Date(madeAt).toLocaleTimeString()}`;
    const left = more === 0 ? '' : `, ${count(more)} rows left out`;
    const words = { off: 'No report', making: 'The report is being made', ready: month, failed: 'No report' };
    setText(this.#usageNote, `${words[state]}${reason === null ? '' : `: ${reason}`}${made}${left}`);
  }
}
