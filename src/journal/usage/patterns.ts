/** What patterns have in common. In a pattern, `*` stands for any run of characters. */

/** Steps of a search at most. Beyond it, a name is assumed to exist: ordinary patterns need some hundred steps. */
const STEPS_MAX = 50_000;
/** Stands for every character that no pattern names. */
const OTHER = '\0';

/** True if some name matches both patterns. */
export function patternsOverlap(one: string, other: string): boolean {
  // overlaps[j]: what is left of `one` from i, and of `other` from j, have a name in common.
  let below: readonly boolean[] = [];
  for (let i = one.length; i >= 0; i--) {
    const row: boolean[] = [];
    for (let j = other.length; j >= 0; j--) {
      if (i === one.length && j === other.length) row[j] = true;
      else if (one[i] === '*') row[j] = below[j] === true || (j < other.length && row[j + 1] === true);
      else if (other[j] === '*') row[j] = row[j + 1] === true || (i < one.length && below[j] === true);
      else row[j] = i < one.length && j < other.length && one[i] === other[j] && below[j + 1] === true;
    }
    below = row;
  }
  return below[0] === true;
}

/** True if some name matches both patterns and none of the others. */
export function overlapOutside(one: string, other: string, excluded: readonly string[]): boolean {
  if (!patternsOverlap(one, other)) return false;
  const near = excluded.filter(pattern => patternsOverlap(pattern, one) && patternsOverlap(pattern, other));
  if (near.length === 0) return true;
  if (near.some(pattern => pattern === '*' || pattern === one || pattern === other)) return false;
  return isNameOutside([one, other].map(shortest), near.map(shortest));
}

/** Walks all patterns at once, character by character, until a name is found or there are no more places to reach. */
function isNameOutside(wanted: readonly string[], excluded: readonly string[]): boolean {
  const patterns = [...wanted, ...excluded];
  const characters = [...new Set([...patterns.join(''), OTHER])].filter(character => character !== '*');
  const start = patterns.map(pattern => reached(pattern, [0]));
  const seen = new Set([nameOf(start)]);
  const waiting = [start];
  let steps = 0;
  for (let places = waiting.pop(); places !== undefined; places = waiting.pop()) {
    if (places.every((of, at) => isWhole(patterns[at] ?? '', of) === at < wanted.length)) return true;
    for (const character of characters) {
      if (++steps > STEPS_MAX) return true;
      const next = places.map((of, at) => step(patterns[at] ?? '', of, character));
      const isDead = next.some((of, at) => at < wanted.length && of.length === 0);
      const name = nameOf(next);
      if (isDead || seen.has(name)) continue;
      seen.add(name);
      waiting.push(next);
    }
  }
  return false;
}

const nameOf = (places: readonly (readonly number[])[]): string => places.join(' ');

const isWhole = (pattern: string, places: readonly number[]): boolean => places.includes(pattern.length);

function step(pattern: string, places: readonly number[], character: string): readonly number[] {
  const next: number[] = [];
  for (const at of places) {
    if (pattern[at] === '*') next.push(at);
    else if (pattern[at] === character) next.push(at + 1);
  }
  return reached(pattern, next);
}

/** Adds the place behind each `*`. Whatever matches from a place before a `*` matches from there, too. */
function reached(pattern: string, places: readonly number[]): readonly number[] {
  const all = new Set(places);
  for (const at of places) if (pattern[at] === '*') all.add(at + 1);
  let last = 0;
  for (const at of all) if (pattern[at] === '*' && at > last) last = at;
  return [...all].filter(at => at >= last).sort((a, b) => a - b);
}

const shortest = (pattern: string): string => pattern.replaceAll(/\*+/g, '*');
