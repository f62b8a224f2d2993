/** Pages of long lists: their length, and where the next one begins. */
import { z } from 'zod';

const LIMIT_MAX = 1_000;
const LIMIT_DEFAULT = 100;
/** A topic may be named after a user of 512 bytes, each of which JSON may write as six characters, and base64 as eight. */
const CURSOR_LENGTH_MAX = 4_608;

export const limit = z
  .string()
  .regex(/^\d{1,4}$/, `must be a whole number from 1 to ${LIMIT_MAX}`)
  .transform(Number)
  .refine(value => value >= 1 && value <= LIMIT_MAX, `must be a whole number from 1 to ${LIMIT_MAX}`)
  .default(LIMIT_DEFAULT);

/** `next` of a page: what identifies its last entry in the order. */
export const cursorOf = (key: readonly unknown[]): string => Buffer.from(JSON.stringify(key)).toString('base64url');

/** @param key what such a cursor holds */
export function cursor<Key extends z.ZodType>(key: Key) {
  return z
    .string()
    .max(CURSOR_LENGTH_MAX)
    .transform((text, context): z.infer<Key> => {
      const parsed = key.safeParse(decoded(text));
      if (parsed.success) return parsed.data;
      context.addIssue({ code: 'custom', message: 'must be the next of a page' });
      return z.NEVER;
    });
}

function decoded(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    // The schema refuses it.
    return undefined;
  }
}
