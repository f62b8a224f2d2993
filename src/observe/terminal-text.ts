/**
 * Text from outside on its way to a terminal. Control characters (Cc) move the cursor, rename the window or answer in the
 * reader's name; format characters (Cf) turn the order of what is read around; line and paragraph separators (Zl, Zp) end
 * lines that they are not the end of.
 */

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** Everything that JSON.stringify leaves as it is and a terminal may obey. */
const UNPRINTABLE_IN_JSON = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu;
const HEXADECIMAL = 16;
const ESCAPE_DIGITS = 4;

/** The text on one line, with a `?` for each character that is not to be seen but obeyed. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '?');
}

/** Text whose line ends are our own, each line printable. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** The same JSON, with escapes for what a terminal may obey: such characters are in its strings only. */
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
