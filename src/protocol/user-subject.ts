/**
 * A user (the `sub` of a credential) as part of a NATS subject, `orders.<user>`. Whatever an identity provider calls
 * its users (names, DNs, SPIFFE ids, addresses), each has a subject, and no two share one.
 *
 * Written as `%XX` (upper-case hex): each UTF-8 byte of a control character (U+0000–U+001F, U+007F–U+009F), of white
 * space (Unicode's White_Space, and U+FEFF), and of `*`, `>` and `%`; and each dot that is first, last, or follows
 * another dot. Everything else stays unchanged.
 */

/** Longest user, in bytes of UTF-8. */
export const USER_BYTES_MAX = 512;
/** What a user must be, in words. */
export const USER_RULE = `must be 1 to ${USER_BYTES_MAX} bytes of UTF-8`;

const DOT = 0x2e;
const PERCENT = 0x25;
const WHITE_SPACE = /^\s$/u;
const encoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** True for text that has 1 to 512 bytes in valid UTF-8. */
export function isUser(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value.length > USER_BYTES_MAX) return false;
  return hasNoLoneSurrogate(value) && encoder.encode(value).length <= USER_BYTES_MAX;
}

/** The user in its subject. @param user accepted by {@link isUser} */
export function userToken(user: string): string {
  let token = '';
  let previous = DOT;
  let at = 0;
  for (const character of user) {
    const code = character.codePointAt(0) as number;
    at += character.length;
    const isEmptyToken = code === DOT && (previous === DOT || at === user.length);
    token += isEmptyToken || isEscaped(code, character) ? escaped(character) : character;
    previous = code;
  }
  return token;
}

/** The user of a subject; undefined if it is not written as {@link userToken} does: a user has only one subject. */
export function userOfToken(token: string): string | undefined {
  const user = token.includes('%') ? unescaped(token) : token;
  return user !== undefined && isUser(user) && userToken(user) === token ? user : undefined;
}

function isEscaped(code: number, character: string): boolean {
  if (code <= 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  return code === 0x2a || code === 0x3e || code === PERCENT || (code > 0x9f && WHITE_SPACE.test(character));
}

function escaped(character: string): string {
  let text = '';
  for (const byte of encoder.encode(character)) text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return text;
}

function unescaped(token: string): string | undefined {
  const bytes = encoder.encode(token);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at] as number;
    if (byte === PERCENT) {
      const hex = String.fromCharCode(bytes[at + 1] ?? 0, bytes[at + 2] ?? 0);
      if (!/^[0-9A-F]{2}$/.test(hex)) return undefined;
      byte = Number.parseInt(hex, 16);
      at += 2;
    }
    bytes[length++] = byte;
  }
  try {
    return strictDecoder.decode(bytes.subarray(0, length));
  } catch {
    return undefined;
  }
}

function hasNoLoneSurrogate(text: string): boolean {
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code >= 0xd800 && code <= 0xdfff) return false;
  }
  return true;
}
