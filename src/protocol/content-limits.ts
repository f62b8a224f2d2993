/** What a publisher's message may hold; limits-document.ts makes the table of ops/limits.md of it. */

/** Bytes of one message, unless `MESSAGE_BYTES_MAX` says otherwise: NATS's own default. */
export const MESSAGE_BYTES_DEFAULT = 1024 * 1024;
/** Levels of one side of a book. */
export const LEVELS_MAX = 20_000;
/** Levels of all books of one encoder, unless `BOOK_LEVELS_MAX` says otherwise: some 330 MB. */
export const BOOK_LEVELS_DEFAULT = 4_000_000;
/** Levels of arrays and objects in a member's value. */
export const NESTING_MAX = 8;
/** Members of a quote. */
export const QUOTE_MEMBERS_MAX = 64;
/** UTF-16 units of a quote's member's name. */
export const MEMBER_NAME_LENGTH_MAX = 128;
/** UTF-16 units of a quote's own member's value, as JSON. */
export const MEMBER_VALUE_LENGTH_MAX = 4096;
/** Bytes of a symbol, as UTF-8. */
export const SYMBOL_BYTES_MAX = 128;
/** UTF-16 units of the author and of the reason of a revocation. */
export const REVOCATION_NOTE_LENGTH_MAX = 256;
