/** What surveillance found: the newest alerts, each with the figures and ids that it rests on. */
import type { AlertRow } from '../protocol/admin-rows.js';
import { alertCard } from './alert-card.js';
import type { AlertsAnswer } from './api-types.js';
import { messageOf } from './dialogs.js';
import { element, setText } from './dom.js';
import { Facts } from './facts.js';
import { count, milliseconds, plural } from './format.js';
import { setMarkedText } from './marked-text.js';
import type { Page, PageContext } from './page.js';
import { panel } from './panel.js';
import { Poller } from './poller.js';

const EVERY_MS = 2_000;
/** The colour of each state, and its text where the gateway gives no detail. */
const STATES: Readonly<Record<AlertsAnswer['state'], { readonly tone: string; readonly detail: string }>> = {
  off: { tone: '', detail: 'Surveillance is off: `SURVEILLANCE=on` turns it on.' },
  watching: { tone: 'good', detail: '' },
  standby: { tone: '', detail: 'Another gateway watches.' },
  connecting: { tone: 'warn', detail: 'This gateway does not watch yet.' },
  unavailable: { tone: 'bad', detail: 'This gateway cannot watch.' },
};

export class AlertsPage implements Page {
  readonly title = 'Alerts';
  readonly element: HTMLElement;
  readonly #state = element('span', { class: 'pill', text: 'Asking the gateway' });
  readonly #detail = element('p', { class: 'empty note' });
  readonly #facts = new Facts();
  readonly #list = element('ol', { class: 'alerts', attributes: { 'aria-label': 'Alerts' } });
  readonly #empty = element('p', { class: 'empty note' });
  readonly #total = element('p', { class: 'note', attributes: { role: 'status' } });
  readonly #cards = new Map<string, HTMLElement>();
  readonly #poller: Poller;

  constructor({ api }: PageContext) {
    this.#empty.hidden = true;
    this.#detail.hidden = true;
    this.#facts.element.hidden = true;
    this.element = element(
      'div',
      {},
      panel('Surveillance', '', element('div', {}, this.#detail, this.#facts.element), this.#state),
      panel('Alerts', '', element('div', {}, this.#list, this.#empty), this.#total),
    );
    this.#poller = new Poller({
      everyMs: EVERY_MS,
      run: async signal => this.#show(await api.get<AlertsAnswer>('/alerts', {}, signal)),
      onFailure: cause => this.#tell(messageOf(cause)),
    });
  }

  start(): void {
    this.#poller.start();
  }

  stop(): void {
    this.#poller.stop();
  }

  #show({ state, detail, events, dropped, lag_ms: lagMs, alerts }: AlertsAnswer): void {
    const isWatching = state === 'watching';
    setText(this.#state, state);
    this.#state.dataset.tone = STATES[state].tone;
    this.#tell(detail === '' ? STATES[state].detail : detail);
    this.#facts.element.hidden = !isWatching;
    this.#facts.update([
      { term: 'Events judged', text: count(events) },
      { term: 'Not judged', text: count(dropped), tone: dropped === 0 ? '' : 'bad' },
      { term: 'Lag', text: milliseconds(lagMs) },
    ]);
    const order = alerts.length > 1 ? ', newest first' : '';
    setText(this.#total, alerts.length === 0 ? '' : `${plural(alerts.length, 'alert', 'alerts')}${order}`);
    setText(this.#empty, isWatching ? 'Nothing was found since the start.' : 'No alerts.');
    this.#empty.hidden = alerts.length > 0;
    this.#update(alerts);
  }

  #tell(text: string): void {
    setMarkedText(this.#detail, text);
    this.#detail.hidden = text === '';
  }

  /** Adds and removes cards; those that stay are not touched. */
  #update(alerts: readonly AlertRow[]): void {
    const kept = new Set(alerts.map(keyOf));
    for (const [key, card] of this.#cards) {
      if (kept.has(key)) continue;
      card.remove();
      this.#cards.delete(key);
    }
    alerts.forEach((alert, i) => {
      const card = this.#cards.get(keyOf(alert)) ?? alertCard(alert);
      this.#cards.set(keyOf(alert), card);
      if (this.#list.children[i] !== card) this.#list.insertBefore(card, this.#list.children[i] ?? null);
    });
  }
}

/** A pattern that is found again has the same id. */
const keyOf = ({ id, time }: AlertRow): string => `${id} ${time}`;
