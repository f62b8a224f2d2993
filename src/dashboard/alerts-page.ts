/** What surveillance found: the newest alerts, each with the figures and ids that it rests on. */
import type { AlertRow } from '../protocol/admin-rows.js';
import type { AlertsAnswer } from './api-types.js';
import { messageOf } from './dialogs.js';
import { element, setText } from './dom.js';
import { count, plural } from './format.js';
import type { Page, PageContext } from './page.js';
import { panel } from './panel.js';
import { Poller } from './poller.js';
import { type Column, DataTable } from './table.js';

const EVERY_MS = 2_000;
/** Ids of one alert in the page; the journal has all. */
const EVIDENCE_SHOWN = 12;

const COLUMNS: readonly Column<AlertRow>[] = [
  { title: 'Time', text: ({ time }) => new Date(time).toLocaleString() },
  { title: 'Detector', text: ({ detector }) => detector.replaceAll('_', ' ') },
  { title: 'Symbol', text: ({ symbol }) => symbol ?? 'all' },
  { title: 'Users', text: ({ users }) => users.join(', '), isMono: true },
  { title: 'What was found', text: ({ summary }) => summary },
  { title: 'Figures', text: ({ figures }) => figuresText(figures) },
  { title: 'Evidence', text: ({ evidence }) => evidenceText(evidence), isMono: true },
];

export class AlertsPage implements Page {
  readonly title = 'Alerts';
  readonly element: HTMLElement;
  readonly #table = new DataTable<AlertRow>('Alerts', COLUMNS, ({ id, time }) => `${id} ${time}`, 'No alerts.');
  readonly #note = element('p', { class: 'note', text: 'Asking the gateway.', attributes: { role: 'status' } });
  readonly #poller: Poller;

  constructor({ api }: PageContext) {
    this.element = element('div', {}, panel('Surveillance', 'the newest first', this.#table.element, this.#note));
    this.#poller = new Poller({
      everyMs: EVERY_MS,
      run: async signal => this.#show(await api.get<AlertsAnswer>('/alerts', {}, signal)),
      onFailure: cause => setText(this.#note, messageOf(cause)),
    });
  }

  start(): void {
    this.#poller.start();
  }

  stop(): void {
    this.#poller.stop();
  }

  #show({ state, detail, alerts }: AlertsAnswer): void {
    this.#table.update(alerts);
    const text = detail === '' ? state.replaceAll('_', ' ') : `${state.replaceAll('_', ' ')}: ${detail}`;
    setText(this.#note, alerts.length === 0 ? text : `${text}, ${plural(alerts.length, 'alert', 'alerts')}`);
  }
}

const figuresText = (figures: AlertRow['figures']): string =>
  Object.entries(figures)
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${count(value)}`)
    .join(', ');

function evidenceText(evidence: readonly string[]): string {
  const shown = evidence.slice(0, EVIDENCE_SHOWN).join(' ');
  return evidence.length > EVIDENCE_SHOWN ? `${shown} and ${count(evidence.length - EVIDENCE_SHOWN)} more` : shown;
}
