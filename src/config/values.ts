/**
 * Types of settings: how to parse the text of an environment variable, describe what it accepts, and show its value.
 */
import { z } from 'zod';
import { isSymbol } from '../protocol/topics.js';
import { durationText, parseDurationMs } from './duration.js';
import { parseSize, sizeText } from './size.js';
import { withoutSecrets } from './url-text.js';

export interface ValueType<T> {
  readonly schema: z.ZodType<T, string>;
  /** `a whole number from 1 to 32`. */
  readonly takes: string;
  /** The text as logs, errors and `millrace check` show it. */
  show(text: string): string;
  /** Never shown, not even in part. */
  readonly isSecret: boolean;
}

/** Most threads of a kind: a 32-bit mask says which workers get a frame. */
export const THREADS_MAX = 32;
/** Who besides its owner may be able to read a secret file: its group, or all users. */
export const SECRET_READERS = ['group', 'all'] as const;
export type SecretReaders = (typeof SECRET_READERS)[number];
/** Longest delay a Node timer keeps; a longer one would fire at once. */
const TIMER_MS_MAX = 24 * 86_400_000;
/** 100 years, longer than any age that matters. */
const AGE_MS_MAX = 36_500 * 86_400_000;
const HIDDEN = '(hidden)';

function valueType<T>(takes: string, schema: z.ZodType<T, string>, show = (text: string) => text): ValueType<T> {
  return { schema, takes, show, isSecret: false };
}

/** A type with its own parser: `read` returns undefined for text it does not accept. */
export function readable<T>(takes: string, read: (text: string) => T | undefined, why = ''): ValueType<T> {
  const schema = z.string().transform((text, context) => {
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${takes}${why}` });
    return z.NEVER;
  });
  return valueType(takes, schema);
}

export const text = valueType('text', z.string());
export const file = valueType('the path of a file', z.string());
export const folder = valueType('the path of a folder', z.string());
export const secret: ValueType<string> = { ...valueType('a secret', z.string(), () => HIDDEN), isSecret: true };
export const secretMatching = (pattern: RegExp, takes: string): ValueType<string> => ({
  ...valueType(takes, z.string().regex(pattern, `must be ${takes}`), () => HIDDEN),
  isSecret: true,
});
/** URLs, which may contain a password. */
export const urls = valueType('URLs, separated by commas', z.string(), withoutSecrets);
export const url = valueType('a URL', z.string(), withoutSecrets);
export const matching = (pattern: RegExp, takes: string) =>
  valueType(takes, z.string().regex(pattern, `must be ${takes}`));

export function oneOf<const V extends string>(values: readonly [V, ...V[]]): ValueType<V> {
  const takes = `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
  return valueType(takes, z.enum(values, `must be ${takes}`) as unknown as z.ZodType<V, string>);
}

export const onOff: ValueType<boolean> = readable('on or off', value =>
  value === 'on' ? true : value === 'off' ? false : undefined,
);

const items = (value: string) =>
  value
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '');

/** A comma-separated list; `isItem` must accept each item, and `isList` the whole. */
export function list(
  takes: string,
  isItem: (item: string) => boolean = () => true,
  isList: (list: readonly string[]) => boolean = () => true,
): ValueType<readonly string[]> {
  return readable(takes, value => {
    const found = items(value);
    return found.every(isItem) && isList(found) ? found : undefined;
  });
}

/** The same with at least one item, or `none`. */
export function listOrNone(takes: string, isItem: (item: string) => boolean): ValueType<readonly string[]> {
  return readable(`none, or ${takes}`, value => {
    if (value === 'none') return [];
    const found = items(value);
    return found.length > 0 && found.every(isItem) ? found : undefined;
  });
}

/** A comma-separated list of what `read` makes of each item; undefined for an item that it does not accept. */
export function listOf<T>(takes: string, read: (item: string) => T | undefined): ValueType<readonly T[]> {
  const schema = z.string().transform((value, context) => {
    const accepted: T[] = [];
    for (const item of items(value)) {
      const result = read(item);
      if (result !== undefined) {
        accepted.push(result);
        continue;
      }
      context.addIssue({ code: 'custom', message: `must be ${takes}; ${JSON.stringify(item)} is not` });
      return z.NEVER;
    }
    return accepted;
  });
  return valueType<readonly T[]>(takes, schema);
}

/** At least one of `values`, separated by commas. @param rule the message for invalid text */
export function someOf<const V extends string>(values: readonly V[], rule: string): ValueType<readonly V[]> {
  const isValue = (item: string): item is V => (values as readonly string[]).includes(item);
  const schema = z.string().transform((value, context) => {
    const chosen = items(value);
    if (chosen.length > 0 && chosen.every(isValue)) return chosen;
    context.addIssue({ code: 'custom', message: rule });
    return z.NEVER;
  });
  return valueType('a list', schema);
}

const count = (value: number) => value.toLocaleString('en-US');
const within = (value: number, min: number, max: number) => (value >= min && value <= max ? value : undefined);

export const integer = (min: number, max: number): ValueType<number> =>
  readable(`a whole number from ${count(min)} to ${count(max)}`, value =>
    /^\d+$/.test(value) ? within(Number(value), min, max) : undefined,
  );

export const decimal = (min: number, max: number): ValueType<number> =>
  readable(`a number from ${count(min)} to ${count(max)}`, value =>
    /^\d+(\.\d+)?$/.test(value) ? within(Number(value), min, max) : undefined,
  );

export const port = readable('a port from 0 to 65535', value =>
  /^\d+$/.test(value) ? within(Number(value), 0, 65_535) : undefined,
);

export const threads = readable<number | 'auto'>(`auto or a whole number from 1 to ${THREADS_MAX}`, value => {
  if (value === 'auto') return value;
  return /^\d{1,2}$/.test(value) ? within(Number(value), 1, THREADS_MAX) : undefined;
});

export const bytes = (min: number, max: number): ValueType<number> =>
  readable(
    `a size from ${sizeText(min)} to ${sizeText(max)}`,
    value => {
      const size = parseSize(value);
      return size === undefined ? undefined : within(size, min, max);
    },
    ', such as 1048576 or 1MiB',
  );

interface DurationBounds {
  readonly minMs?: number;
  readonly maxMs?: number;
  /** What a value out of range would cause. */
  readonly otherwise?: string;
}

export function duration({ minMs, maxMs = TIMER_MS_MAX, otherwise }: DurationBounds = {}): ValueType<number> {
  const least = minMs === undefined ? '' : `from ${durationText(minMs)} `;
  return readable(
    `a duration ${least}${least === '' ? 'up ' : ''}to ${durationText(maxMs)}`,
    value => {
      const ms = parseDurationMs(value);
      return ms === undefined ? undefined : within(ms, minMs ?? 0, maxMs);
    },
    otherwise === undefined ? ', such as 250ms, 4s, 30m or 1h' : `: ${otherwise}`,
  );
}

/** A duration up to this, or 0. */
export const durationUpTo = (maxMs: number): ValueType<number> =>
  readable(`0 or a duration up to ${durationText(maxMs)}`, value => {
    if (value === '0') return 0;
    const ms = parseDurationMs(value);
    return ms === undefined ? undefined : within(ms, 0, maxMs);
  });

/** A duration, or 0 for never. */
export const durationOrNever = durationUpTo(TIMER_MS_MAX);

/** May exceed the longest timer. */
export const age = duration({ maxMs: AGE_MS_MAX });
export const ageOrZero = durationUpTo(AGE_MS_MAX);

/** A symbol in which `*` stands for any characters. */
export const isSymbolPattern = (value: string) => isSymbol(value.replaceAll('*', 'x'));
