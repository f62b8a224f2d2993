/** Texts of environment variables → values, each with the message that says what would be right. */
import { z } from 'zod';
import { isSymbol } from '../protocol/topics.js';
import { parseDurationMs } from './duration.js';

/** Most threads of a kind: which workers a frame is for is a bit mask of 32 bits. */
export const THREADS_MAX = 32;
/** Who besides its owner may be able to read a secret file: its group, or everybody. */
export const SECRET_READERS = ['group', 'all'] as const;
export type SecretReaders = (typeof SECRET_READERS)[number];
/** Longest delay a Node timer keeps; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const list = z.string().transform(text =>
  text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== ''),
);
export const integer = (min: number, max: number) =>
  z.string().regex(/^\d+$/, 'must be a whole number').transform(Number).pipe(z.number().min(min).max(max));
export const decimal = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a number')
    .transform(Number)
    .pipe(z.number().min(min).max(max));
export const threads = z
  .string()
  .refine(text => text === 'auto' || (/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= THREADS_MAX), {
    error: `must be auto or a whole number from 1 to ${THREADS_MAX}`,
  })
  .transform(text => (text === 'auto' ? text : Number(text)));
export const bytes = z
  .string()
  .regex(/^\d+\s*(KiB|MiB|GiB|B)?$/, 'must be a size such as 1048576 or 1MiB')
  .transform(text => {
    const unit = text.replace(/[\d\s]/g, '');
    return (
      Number.parseInt(text, 10) * (unit === 'KiB' ? 1024 : unit === 'MiB' ? 1024 ** 2 : unit === 'GiB' ? 1024 ** 3 : 1)
    );
  });
export const durationMs = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms <= TIMER_MS_MAX) return ms;
  context.addIssue({ code: 'custom', message: 'must be a duration such as 250ms, 4s, 30m or 1h, and at most 24d' });
  return z.NEVER;
});
/** A symbol in which `*` may stand for any characters. */
export const isSymbolPattern = (text: string) => isSymbol(text.replaceAll('*', 'x'));
export const onOff = z.enum(['on', 'off']).transform(text => text === 'on');
export const port = integer(0, 65_535);
