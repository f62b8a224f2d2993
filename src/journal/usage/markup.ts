/** HTML texts in which everything that is filled in is escaped. */

const SPECIAL = /[&<>"']/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export class Markup {
  constructor(readonly text: string) {}
}

type Filling = string | number | Markup | readonly Markup[];

/** A template tag: markup is taken as it is, other texts are escaped. */
export function markup(parts: TemplateStringsArray, ...fillings: readonly Filling[]): Markup {
  const text = parts.map((part, at) => {
    const filling = fillings[at];
    return filling === undefined ? part : part + textOf(filling);
  });
  return new Markup(text.join(''));
}

function textOf(filling: Filling): string {
  if (filling instanceof Markup) return filling.text;
  if (typeof filling === 'string' || typeof filling === 'number') {
    return String(filling).replace(SPECIAL, character => ENTITIES[character] ?? character);
  }
  return filling.map(({ text }) => text).join('');
}
