/** Environment variables that are no settings but resemble one. */

/** Shorter names resemble too many words. */
const LENGTH_MIN = 6;
const EDITS_MAX = 2;

/** The setting that a name most likely stands for; undefined if it resembles none. @param name not a setting itself */
export function likelyMeant(name: string, settings: Iterable<string>): string | undefined {
  if (name.length < LENGTH_MIN) return undefined;
  const written = name.toUpperCase();
  let nearest: string | undefined;
  let least = EDITS_MAX + 1;
  for (const setting of settings) {
    if (Math.abs(setting.length - written.length) > EDITS_MAX) continue;
    const edits = editDistance(written, setting);
    if (edits >= least) continue;
    least = edits;
    nearest = setting;
  }
  return nearest;
}

/**
 * True for a name of several words, as most settings have. If such a name resembles a setting, it is a misspelling;
 * a single word such as `SYMBOL` may belong to another program.
 */
export function hasSeveralWords(name: string): boolean {
  return name.includes('_');
}

/** Letters to insert, delete, replace or swap with their neighbour to turn `a` into `b` (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let edits = Math.min(replaced, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) edits = Math.min(edits, (beforeLast[j - 2] ?? 0) + 1);
      row.push(edits);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
