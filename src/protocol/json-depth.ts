/** The nesting depth of a JSON text, before it is parsed. */

const QUOTATION_MARK = 0x22;
const REVERSE_SOLIDUS = 0x5c;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** True if arrays and objects are nested deeper than `max`. Meaningless for text that is not JSON. */
export function isNestedDeeper(text: string, max: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTATION_MARK) i = endOfText(text, i);
    else if (c === OPENING_BRACKET || c === OPENING_BRACE) {
      if (++depth > max) return true;
    } else if (c === CLOSING_BRACKET || c === CLOSING_BRACE) depth--;
  }
  return false;
}

/** Index of a text's closing quotation mark. */
function endOfText(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let solidi = 0;
  while (text.charCodeAt(at - 1 - solidi) === REVERSE_SOLIDUS) solidi++;
  return solidi % 2 === 1;
}
