import { element } from './dom.js';

/** A part of a page under its heading. */
export function panel(
  title: string,
  note: string,
  content: HTMLElement,
  ...tools: readonly HTMLElement[]
): HTMLElement {
  const notes = note === '' ? [] : [element('p', { class: 'note', text: note })];
  return element(
    'section',
    { class: 'panel' },
    element('header', {}, element('h2', { text: title }), ...notes, ...tools),
    content,
  );
}
