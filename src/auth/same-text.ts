/** Comparing what is secret. */
import { timingSafeEqual } from 'node:crypto';

/** In a time that does not tell where they differ, only whether they are of one length. */
export function isSameText(given: string, expected: string): boolean {
  const [givenBytes, expectedBytes] = [Buffer.from(given), Buffer.from(expected)];
  return givenBytes.length === expectedBytes.length && timingSafeEqual(givenBytes, expectedBytes);
}
