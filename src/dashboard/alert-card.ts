/** One alert: what was found, by whom, the figures that it rests on, and its evidence when the reader wants it. */
import type { AlertRow } from '../protocol/admin-rows.js';
import { element } from './dom.js';
import { Facts } from './facts.js';
import { figure, plural } from './format.js';
import { userHash } from './page.js';

/** An alert never changes, so neither does its card: what the reader opened stays open. */
export function alertCard({ time, node, detector, symbol, users, summary, figures, evidence }: AlertRow): HTMLElement {
  const facts = new Facts('facts');
  facts.update(Object.entries(figures).map(([name, value]) => ({ term: asWords(name), text: figure(value) })));
  return element(
    'li',
    { class: 'alert' },
    element(
      'header',
      {},
      element('h3', { text: asWords(detector) }),
      ...(symbol === null ? [] : [element('span', { class: 'pill', text: symbol })]),
      element(
        'p',
        { class: 'note' },
        element('time', { text: new Date(time).toLocaleString(), attributes: { datetime: time } }),
        new Text(` by ${node}`),
      ),
    ),
    element('p', { text: capitalised(summary) }),
    usersLine(users),
    facts.element,
    ...(evidence.length === 0 ? [] : [evidencePart(evidence)]),
  );
}

function usersLine(users: readonly string[]): HTMLElement {
  if (users.length === 0) return element('p', { class: 'quiet', text: 'A client without a credential' });
  const links = users.flatMap((user, i) => [
    new Text(i === 0 ? ' ' : ', '),
    element('a', { text: user, attributes: { href: userHash(user) } }),
  ]);
  return element('p', {}, element('span', { class: 'quiet', text: users.length === 1 ? 'User' : 'Users' }), ...links);
}

const evidencePart = (evidence: readonly string[]): HTMLElement =>
  element(
    'details',
    {},
    element('summary', { text: `Evidence: ${plural(evidence.length, 'id', 'ids')}` }),
    element('ul', { class: 'ids' }, ...evidence.map(id => element('li', { text: id }))),
  );

/** `order_to_trade` as `Order to trade`. */
const asWords = (name: string): string => capitalised(name.replaceAll('_', ' '));
const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
