/** FNV-1a, 32 bits: a fast hash, the same on every machine, and no protection against attackers. */

const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/** Hash of the bytes from `start` up to `end`; never 0, which stands for none. */
export function fnv1a(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  let hash = OFFSET;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), PRIME);
  return hash >>> 0 || 1;
}

/** Hash of the UTF-16 code units of a text. */
export function fnv1aOfText(text: string): number {
  let hash = OFFSET;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return hash >>> 0;
}
