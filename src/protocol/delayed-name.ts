/**
 * How threads name a topic whose data is held back: by its name, a blank and the delay, ms: `VOD.L 900000`. No name of a
 * feed or a client contains a blank.
 */

/** @param delayMs 0: not delayed */
export function delayedName(name: string, delayMs: number): string {
  return delayMs === 0 ? name : `${name} ${delayMs}`;
}

/** The parts of a name that {@link delayedName} returned. */
export function undelayedName(text: string): { readonly name: string; readonly delayMs: number } {
  const blank = text.lastIndexOf(' ');
  const delayMs = blank < 0 ? 0 : Number(text.slice(blank + 1));
  return delayMs > 0 ? { name: text.slice(0, blank), delayMs } : { name: text, delayMs: 0 };
}
