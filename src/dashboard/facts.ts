/** Named figures: a list of terms whose values change in place. */
import { element, setText } from './dom.js';

export interface Fact {
  readonly term: string;
  readonly text: string;
  readonly href?: string | undefined;
  readonly tone?: 'good' | 'warn' | 'bad' | '';
  /** Takes the room of two, for paths. */
  readonly isWide?: boolean;
}

interface Entry {
  readonly group: HTMLElement;
  readonly text: HTMLElement;
}

export class Facts {
  readonly element: HTMLElement;
  readonly #entries = new Map<string, Entry>();

  constructor(className = 'facts') {
    this.element = element('dl', { class: className });
  }

  /** Shows these, in this order; terms that are not among them leave. */
  update(facts: readonly Fact[]): void {
    const terms = new Set(facts.map(({ term }) => term));
    for (const [term, { group }] of this.#entries) {
      if (terms.has(term)) continue;
      group.remove();
      this.#entries.delete(term);
    }
    facts.forEach((fact, i) => {
      const { group, text } = this.#entries.get(fact.term) ?? this.#add(fact);
      if (this.element.children[i] !== group) this.element.insertBefore(group, this.element.children[i] ?? null);
      setText(text, fact.text);
      if (text instanceof HTMLAnchorElement && fact.href !== undefined) text.href = fact.href;
      text.dataset.tone = fact.tone ?? '';
    });
  }

  #add({ term, href, isWide }: Fact): Entry {
    const text = element(href === undefined ? 'span' : 'a');
    const group = element(
      'div',
      { class: isWide === true ? 'wide-fact' : '' },
      element('dt', { text: term }),
      element('dd', {}, text),
    );
    const entry = { group, text };
    this.#entries.set(term, entry);
    return entry;
  }
}
