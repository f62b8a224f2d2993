/** Texts of the gateway in which backticks mark what is typed, such as `millrace journal usage`. */
import { element } from './dom.js';

/** Shows the text, with what is between backticks as code. An unchanged text is not drawn again. */
export function setMarkedText(target: Element, text: string): void {
  if (target.textContent === text.replaceAll('`', '')) return;
  // Every second part stands between two backticks.
  const parts = text.split('`').map((part, i) => (i % 2 === 0 ? new Text(part) : element('code', { text: part })));
  target.replaceChildren(...parts);
}
