/** Comparison of secrets. */
import { timingSafeEqual } from 'node:crypto';

/** Takes a time that reveals whether the lengths are equal, but not where the texts differ. */
export function isSameText(given: string, expected: string): boolean {
  const [givenBytes, expectedBytes] = [Buffer.from(given), Buffer.from(expected)];
  return givenBytes.length === expectedBytes.length && timingSafeEqual(givenBytes, expectedBytes);
}
