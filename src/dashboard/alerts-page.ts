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
/** What colours the state, and what it means where there is no alert. */
const STATES: Readonly<Record<AlertsAnswer['state'], { readonly tone: string; readonly empty: string }>> = {
  off: { tone: '', empty: 'Nothing watches here: `SURVEILLANCE=on` starts it.' },
  watching: { tone: 'good', empty: 'Nothing was found since the start.' },
  standby: { tone: '', empty: 'The gateway that watches has reported nothing.' },
  connecting: { tone: 'warn', empty: 'No gateway has reported anything yet.' },
  unavailable: { tone: 'bad', empty: 'This gateway cannot watch, and no other has reported anything.' },
};

export class AlertsPage implements Page {
  readonly title = 'Alerts';
  readonly element: HTMLElement;
  readonly #state = element('span', { class: 'pill', text: 'Asking the gateway' });
  readonly #detail = element('p', { class: 'note' });
  readonly #facts = new Facts();
  readonly #list = element('ol', { class: 'alerts', attributes: { 'aria-label': 'Alerts' } });
  readonly #empty = element('p', { class: 'empty note' });
  readonly #total = element('p', { class: 'note', attributes: { role: 'status' } });
  readonly #cards = new Map<string, HTMLElement>();
  readonly #poller: Poller;

  constructor({ api }: PageContext) {
    this.#empty.hidden = true;
    this.element = element(
      'div',
      {},
      panel('Surveillance', '', this.#facts.element, this.#state, this.#detail),
      panel('Alerts', '', element('div', {}, this.#list, this.#empty), this.#total),
    );
    this.#poller = new Poller({
      everyMs: EVERY_MS,
      run: async signal => this.#show(await api.get<AlertsAnswer>('/alerts', {}, signal)),
      onFailure: cause => setText(this.#detail, messageOf(cause)),
    });
  }

  start(): void {
    this.#poller.start();
  }

  stop(): void {
    this.#poller.stop();
  }

  #show({ state, detail, events, dropped, lag_ms: lagMs, alerts }: AlertsAnswer): void {
    const { tone, empty } = STATES[state];
    setText(this.#state, state);
    this.#state.dataset.tone = tone;
    setMarkedText(this.#detail, detail);
    this.#facts.update(
      state !== 'watching'
        ? []
        : [
            { term: 'Events judged', text: count(events) },
            { term: 'Not judged', text: count(dropped), tone: dropped === 0 ? '' : 'bad' },
            { term: 'Behind events by', text: milliseconds(lagMs) },
          ],
    );
    const order = alerts.length > 1 ? ', the newest first' : '';
    setText(this.#total, alerts.length === 0 ? '' : `${plural(alerts.length, 'alert', 'alerts')}${order}`);
    setMarkedText(this.#empty, empty);
    this.#empty.hidden = alerts.length > 0;
    this.#update(alerts);
  }

  /** Adds and removes cards; those that stay are not touched. */
  #update(alerts: readonly AlertRow[]): void {
    const keys = alerts.map(({ id, time }) => `${id} ${time}`);
    const kept = new Set(keys);
    for (const [key, card] of this.#cards) {
      if (kept.has(key)) continue;
      card.remove();
      this.#cards.delete(key);
    }
    alerts.forEach((alert, i) => {
      const key = keys[i] as string;
      const card = this.#cards.get(key) ?? alertCard(alert);
      this.#cards.set(key, card);
      if (this.#list.children[i] !== card) this.#list.insertBefore(card, this.#list.children[i] ?? null);
    });
  }
}
