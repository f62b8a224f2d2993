/** Settings of data products: which topics they are, and how many connections of a user may use them at once. */
import { optional, setting, type ValuesOf } from '../setting.js';
import { file, integer, oneOf } from '../values.js';

const USE_MAX_MAX = 10_000;

const products = {
  title: 'Products and use',
  about: 'Data products that vendors bill, and the limit on their simultaneous use.',
  settings: {
    PRODUCTS_FILE: optional(file, {
      means: 'JSON file of data products: which topics belong to which product and vendor.',
      unset: 'no products',
    }),
    USE_MAX: optional(integer(1, USE_MAX_MAX), {
      means: 'Most connections on which one user may receive market data at once.',
      unset: 'no limit of its own',
    }),
    USE_MAX_KEEPS: setting(oneOf(['newest', 'oldest']), 'newest', {
      means:
        'Which connections keep their data beyond `USE_MAX`: `newest` ends the use of the oldest one; `oldest` refuses the new one.',
    }),
  },
} as const;

export const productGroups = [products];

export type ProductVariables = ValuesOf<typeof products.settings>;

export interface ProductsConfig {
  /** Undefined: there are no products. */
  readonly file: string | undefined;
  /** Undefined: no limit. */
  readonly useMax: number | undefined;
  readonly useMaxKeeps: 'newest' | 'oldest';
}

export const productsConfig = (v: ProductVariables): ProductsConfig => ({
  file: v.PRODUCTS_FILE,
  useMax: v.USE_MAX,
  useMaxKeeps: v.USE_MAX_KEEPS,
});

/** Conflicts between these settings. @param isGiven whether a variable is set */
export function productProblems(v: ProductVariables, isGiven: (name: string) => boolean): string[] {
  return v.USE_MAX === undefined && isGiven('USE_MAX_KEEPS') ? ['USE_MAX_KEEPS: needs USE_MAX'] : [];
}
