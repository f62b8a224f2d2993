/**
 * What a credential declares about the use of data, as vendors ask for it: the firm, whether the user is a
 * professional, and whether data is displayed to people or used by programs. Undeclared is a value of its own.
 */

/** `display`: people look at it. `non-display`: programs use it. */
export const USES = ['display', 'non-display'] as const;
export type Use = (typeof USES)[number];

export interface DeclaredUse {
  readonly firm?: string | undefined;
  readonly professional?: boolean | undefined;
  readonly use?: Use | undefined;
}

/** Only the declared members, for records. */
export function declaredOf({ firm, professional, use }: DeclaredUse): DeclaredUse {
  return {
    ...(firm === undefined ? undefined : { firm }),
    ...(professional === undefined ? undefined : { professional }),
    ...(use === undefined ? undefined : { use }),
  };
}

export const FIRM_RULE = 'must be 1 to 128 characters without control characters';
const FIRM_LENGTH_MAX = 128;
const CONTROL = /\p{Cc}/u;

const PROFESSIONAL: ReadonlyMap<string, boolean> = new Map([
  ['pro', true],
  ['professional', true],
  ['true', true],
  ['yes', true],
  ['nonpro', false],
  ['nonprofessional', false],
  ['false', false],
  ['no', false],
]);

export function isFirm(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= FIRM_LENGTH_MAX && !CONTROL.test(value);
}

/** `true`, `pro`, `Non-Professional`, …; anything else → undefined. */
export function professionalOf(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  return typeof value === 'string' ? PROFESSIONAL.get(plain(value)) : undefined;
}

/** `display`, `non-display`, `Non_Display`, …; anything else → undefined. */
export function useOf(value: unknown): Use | undefined {
  if (typeof value !== 'string') return undefined;
  return USES.find(use => plain(use) === plain(value));
}

function plain(text: string): string {
  return text.toLowerCase().replaceAll(/[-_ ]/g, '');
}
