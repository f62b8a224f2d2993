/** NATS subject patterns: tokens between dots; `*` stands for one token, `>` at the end for one or more. */

const DOT = '.';

/** True if the pattern matches `subject`. Allocates nothing. */
export function matches(pattern: string, subject: string): boolean {
  return covers(pattern, subject);
}

/** True if `pattern` matches every subject that `narrower` matches. */
export function covers(pattern: string, narrower: string): boolean {
  let at = 0;
  let other = 0;
  for (;;) {
    const end = endOfToken(pattern, at);
    const otherEnd = endOfToken(narrower, other);
    const length = end - at;
    const isWildcard = length === 1 && (pattern[at] === '*' || pattern[at] === '>');
    if (isWildcard && pattern[at] === '>') return true;
    const isOtherRest = otherEnd - other === 1 && narrower[other] === '>';
    if (isOtherRest) return false;
    if (!isWildcard && (otherEnd - other !== length || !isSameText(pattern, at, narrower, other, length))) return false;
    const isEnd = end === pattern.length;
    if (isEnd !== (otherEnd === narrower.length)) return false;
    if (isEnd) return true;
    at = end + 1;
    other = otherEnd + 1;
  }
}

/** The pattern of the subjects that both match; undefined if there are none. */
export function intersection(a: string, b: string): string | undefined {
  const [left, right] = [a.split(DOT), b.split(DOT)];
  const both: string[] = [];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [l, r] = [left[i], right[i]];
    if (l === undefined || r === undefined) return undefined;
    if (l === '>') return [...both, ...right.slice(i)].join(DOT);
    if (r === '>') return [...both, ...left.slice(i)].join(DOT);
    if (l !== r && l !== '*' && r !== '*') return undefined;
    both.push(l === '*' ? r : l);
  }
  return both.join(DOT);
}

/** The pattern of a subject mapping's destination: what it takes from the original may be any token. */
export function destinationPattern(destination: string): string {
  return destination
    .split(DOT)
    .map(token => (token.includes('{{') || /^\$\d+$/.test(token) ? '*' : token))
    .join(DOT);
}

function isSameText(a: string, aAt: number, b: string, bAt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a.charCodeAt(aAt + i) !== b.charCodeAt(bAt + i)) return false;
  return true;
}

function endOfToken(pattern: string, at: number): number {
  const dot = pattern.indexOf(DOT, at);
  return dot < 0 ? pattern.length : dot;
}
