/** Records: the state of the journal, and what clients used of licensed data this month. */
import type { JournalRow, UsageAnswer, UsageRow } from '../protocol/admin-rows.js';
import { messageOf } from './dialogs.js';
import { element, setText } from './dom.js';
import { Facts } from './facts.js';
import { count, plural, timeOfDay } from './format.js';
import { journalFacts } from './journal-facts.js';
import { setMarkedText } from './marked-text.js';
import type { Page, PageContext } from './page.js';
import { panel } from './panel.js';
import { Poller } from './poller.js';
import { type Column, DataTable, ROWS_MAX } from './table.js';

const JOURNAL_EVERY_MS = 2_000;
const USAGE_EVERY_MS = 5_000;

const WHAT = 'what each client was sent, so that you can prove it later';

const COLUMNS: readonly Column<UsageRow>[] = [
  { title: 'Product', text: ({ product, vendor }) => `${product}, ${vendor}` },
  { title: 'Firm', text: ({ firm }) => firm ?? 'all firms' },
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

/** The colour of each state of the journal. */
const TONES: Readonly<Record<JournalRow['state'], string>> = { off: '', writing: 'good', failing: 'bad' };
const MAKING = 'The report is being made.';

export class RecordsPage implements Page {
  readonly title = 'Records';
  readonly element: HTMLElement;
  readonly #state = element('span', { class: 'pill', text: 'Asking the gateway', attributes: { role: 'status' } });
  readonly #facts = new Facts();
  readonly #problem = element('p', { class: 'problem empty', attributes: { role: 'status' } });
  readonly #usage = new DataTable<UsageRow>('Usage', COLUMNS, keyOf, 'No product was used.');
  readonly #made = element('p', { class: 'note' });
  readonly #noReport = element('p', { class: 'empty note', text: MAKING, attributes: { role: 'status' } });
  readonly #cautions = element('ul', { class: 'cautions', attributes: { 'aria-label': 'Read with care' } });
  readonly #pollers: readonly Poller[];

  constructor({ api }: PageContext) {
    const about = 'from this gateway’s journal; `millrace journal usage` reports several gateways together';
    this.#problem.hidden = true;
    this.#usage.element.hidden = true;
    this.element = element(
      'div',
      {},
      panel('Journal', WHAT, element('div', {}, this.#problem, this.#facts.element), this.#state),
      panel(
        'Usage this month',
        about,
        element('div', {}, this.#usage.element, this.#cautions, this.#noReport),
        this.#made,
      ),
    );
    this.#pollers = [
      new Poller({
        everyMs: JOURNAL_EVERY_MS,
        run: async signal => this.#showJournal(await api.get<JournalRow>('/journal', {}, signal)),
        onFailure: cause => this.#showProblem(messageOf(cause)),
      }),
      new Poller({
        everyMs: USAGE_EVERY_MS,
        run: async signal => this.#showUsage(await api.get<UsageAnswer>('/usage', {}, signal)),
        onFailure: cause => this.#showNoReport(messageOf(cause)),
      }),
    ];
  }

  start(): void {
    for (const poller of this.#pollers) poller.start();
  }

  stop(): void {
    for (const poller of this.#pollers) poller.stop();
  }

  #showJournal(journal: JournalRow): void {
    const { state, failure, maintenance_failure } = journal;
    setText(this.#state, state);
    this.#state.dataset.tone = TONES[state];
    const problem = failure ?? maintenance_failure ?? '';
    this.#showProblem(state === 'off' ? '`JOURNAL_DIR` is not set: nothing is recorded.' : problem);
    this.#problem.classList.toggle('note', state === 'off');
    this.#problem.classList.toggle('problem', state !== 'off');
    this.#facts.update(journalFacts(journal));
    this.#facts.element.hidden = state === 'off';
  }

  #showProblem(text: string): void {
    setMarkedText(this.#problem, text);
    this.#problem.hidden = text === '';
  }

  #showUsage({ month, state, reason, made_at: madeAt, rows, more, reservations }: UsageAnswer): void {
    const isReady = state === 'ready';
    this.#usage.element.hidden = !isReady;
    this.#usage.update(rows.toSorted(byProduct));
    const leftOut = more + Math.max(0, rows.length - ROWS_MAX);
    const left = leftOut === 0 ? '' : `, ${plural(leftOut, 'row', 'rows')} left out`;
    const asOf = madeAt === null ? '' : `, as of ${timeOfDay(new Date(madeAt))}`;
    setText(this.#made, `${month}${asOf}${left}`);
    this.#showNoReport(isReady ? '' : state === 'making' ? MAKING : `There is no report: ${reason ?? state}.`);
    this.#caution(reservations);
  }

  #showNoReport(text: string): void {
    setMarkedText(this.#noReport, text);
    this.#noReport.hidden = text === '';
  }

  /** Sentences that are the same as before are not drawn again, so a selection in them stays. */
  #caution(sentences: readonly string[]): void {
    sentences.forEach((text, i) => {
      const line = this.#cautions.children[i] ?? this.#cautions.appendChild(element('li'));
      setMarkedText(line, text);
    });
    while (this.#cautions.children.length > sentences.length) this.#cautions.lastElementChild?.remove();
  }
}

/** All firms of a product first, then one by one. */
function byProduct(a: UsageRow, b: UsageRow): number {
  return (
    a.vendor.localeCompare(b.vendor) ||
    a.product.localeCompare(b.product) ||
    a.data.localeCompare(b.data) * -1 ||
    (a.firm ?? '').localeCompare(b.firm ?? '')
  );
}
