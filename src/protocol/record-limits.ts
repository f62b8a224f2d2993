/** Limits of the journal's records. */

/** Entitlements, symbols and product codes listed in one record at most; `more` counts the others. */
export const LISTED_MAX = 64;

/** Characters of an id, a name or a reason that are recorded. */
export const RECORDED_TEXT_MAX = 256;

/** The first of them, and how many others there are. */
export function listedOf(all: readonly string[]): { readonly first: string[]; readonly more?: number } {
  const more = all.length - LISTED_MAX;
  return { first: all.slice(0, LISTED_MAX), ...(more > 0 ? { more } : undefined) };
}
