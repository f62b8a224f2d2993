/** Limits of the journal's records. */

/** Entitlements, symbols and product codes listed in one record at most; `more` counts the others. */
export const LISTED_MAX = 64;
