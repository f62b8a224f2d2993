/** One user: connections, use of limits, revocation. */
import type { ConnectionRow } from '../protocol/admin-rows.js';
import type { UserAnswer } from './api-types.js';
import { ALL } from './connection-columns.js';
import { messageOf } from './dialogs.js';
import { element, setText } from './dom.js';
import { Facts } from './facts.js';
import { count } from './format.js';
import type { Page, PageContext } from './page.js';
import { panel } from './panel.js';
import { Poller } from './poller.js';
import { DataTable, ROWS_MAX } from './table.js';

const EVERY_MS = 2_000;

export class UserPage implements Page {
  readonly title: string;
  readonly element: HTMLElement;
  readonly #facts = new Facts();
  readonly #connections = new DataTable<ConnectionRow>('Connections', ALL, ({ id }) => id, 'Not connected.');
  readonly #note = element('p', { class: 'note', attributes: { role: 'status' } });
  readonly #poller: Poller;

  constructor({ api }: PageContext, user: string) {
    this.title = `User ${user}`;
    this.element = element(
      'div',
      {},
      panel('What is known', '', this.#facts.element),
      panel('Connections', '', this.#connections.element, this.#note),
    );
    this.#poller = new Poller({
      everyMs: EVERY_MS,
      run: async signal => this.#show(await api.get<UserAnswer>(`/users/${encodeURIComponent(user)}`, {}, signal)),
      onFailure: cause => setText(this.#note, messageOf(cause)),
    });
  }

  start(): void {
    this.#poller.start();
  }

  stop(): void {
    this.#poller.stop();
  }

  #show({ total, connections, subscriptions, limits, revocation }: UserAnswer): void {
    const { used, max } = limits.connections;
    const { at, author, reason, expires } = revocation ?? {};
    this.#facts.update([
      { term: 'Connections', text: `${count(used)} of ${count(max)}`, tone: used >= max ? 'warn' : '' },
      { term: 'Subscriptions', text: count(subscriptions) },
      {
        term: 'Revoked',
        text: at === undefined ? 'no' : `issued before ${new Date(at).toLocaleString()}`,
        tone: at === undefined ? '' : 'bad',
      },
      ...(at === undefined
        ? []
        : [
            { term: 'Revoked by', text: author ?? 'unknown' },
            { term: 'Reason', text: reason ?? 'none given' },
            { term: 'Until', text: expires == null ? 'for good' : new Date(expires).toLocaleString() },
          ]),
    ]);
    this.#connections.update(connections);
    setText(this.#note, total > connections.length ? `${ROWS_MAX} of ${count(total)}` : count(total));
  }
}
