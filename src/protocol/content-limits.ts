/** Limits of a publisher's message; limits-document.ts builds the table of ops/limits.md from them. */

/** Default of `MESSAGE_BYTES_MAX`, bytes of one message: NATS's own default. */
export const MESSAGE_BYTES_DEFAULT = 1024 * 1024;
/** Levels of one side of a book. */
export const LEVELS_MAX = 20_000;
/** Default of `BOOK_LEVELS_MAX`, levels of all books of one encoder: some 330 MB. */
export const BOOK_LEVELS_DEFAULT = 4_000_000;
/** Nesting of arrays and objects in a member's value. */
export const NESTING_MAX = 8;
/** Members of a quote. */
export const QUOTE_MEMBERS_MAX = 64;
/** Length of a quote member's name, in UTF-16 units. */
export const MEMBER_NAME_LENGTH_MAX = 128;
/** Length of the value of a publisher's own quote member as JSON, in UTF-16 units. */
export const MEMBER_VALUE_LENGTH_MAX = 4096;
/** Bytes of a symbol, as UTF-8. */
export const SYMBOL_BYTES_MAX = 128;
/** Length of a revocation's author and of its reason, in UTF-16 units. */
export const REVOCATION_NOTE_LENGTH_MAX = 256;
