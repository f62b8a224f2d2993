/**
 * Makes outside text safe to print on a terminal. Control characters (Cc) move the cursor, rename the window or type in
 * the reader's name; format characters (Cf) reorder the text around them; line and paragraph separators (Zl, Zp) fake
 * line ends.
 */

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** Characters that JSON.stringify leaves alone and a terminal may obey. */
const UNPRINTABLE_IN_JSON = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu;
const HEXADECIMAL = 16;
const ESCAPE_DIGITS = 4;

/** The text on one line, with `?` for each control character. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '?');
}

/** Like {@link printable}, but for text whose line ends are our own. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** The same JSON with such characters escaped; they occur only in its strings. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE_IN_JSON, escaped);
}

function escaped(character: string): string {
  let text = '';
  for (let i = 0; i < character.length; i++) {
    text += `\\u${character.charCodeAt(i).toString(HEXADECIMAL).padStart(ESCAPE_DIGITS, '0')}`;
  }
  return text;
}
