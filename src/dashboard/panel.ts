import { element } from './dom.js';
import { setMarkedText } from './marked-text.js';

/** A part of a page under its heading. @param note may mark code by backticks */
export function panel(
  title: string,
  note: string,
  content: HTMLElement,
  ...tools: readonly HTMLElement[]
): HTMLElement {
  const notes = note === '' ? [] : [element('p', { class: 'note' })];
  for (const line of notes) setMarkedText(line, note);
  return element(
    'section',
    { class: 'panel' },
    element('header', {}, element('h2', { text: title }), ...notes, ...tools),
    content,
  );
}
