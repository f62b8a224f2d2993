/** Limits of the journal's records. */

/** Entitlements and symbols listed in one record at most; `more` counts the others. */
export const LISTED_MAX = 64;
