/** Settings of data products: which topics they are, and how many connections of a user may use them at once. */
import { optional, setting, type ValuesOf } from '../setting.js';
import { bytes, file, integer, oneOf } from '../values.js';

const DELAYED_BYTES_MAX = 64 * 1024 ** 3;
const USE_MAX_MAX = 10_000;
const KEEPS_DEFAULT = 'newest';

const products = {
  title: 'Products and use',
  about: 'Data products that vendors bill, and the limit on their simultaneous use.',
  settings: {
    PRODUCTS_FILE: optional(file, {
      means:
        'JSON file of data products: which topics belong to which product and vendor, and how late users without real-time access may get ' +
        'them. The gateway rereads a changed file within seconds.',
      unset: 'no products',
      see: 'ops/products.md',
    }),
    DELAYED_BYTES: setting(bytes(0, DELAYED_BYTES_MAX), '256MiB', {
      means:
        'Memory for delayed data that is not due yet: half for documents, half for trades. If it is used up, documents are captured ' +
        'less often, and trades are lost and announced as a `gap`.',
      see: 'ops/products.md#delayed-data',
    }),
    USE_MAX: optional(integer(1, USE_MAX_MAX), {
      means:
        'Most connections, over WebSocket and FIX, on which one user may receive market data at once. Other connections do not count.',
      unset: 'no limit of its own',
      see: 'ops/products.md#simultaneous-use',
    }),
    USE_MAX_KEEPS: setting(oneOf(['newest', 'oldest']), KEEPS_DEFAULT, {
      means:
        'Which connections keep their data at the limit `USE_MAX`: `newest` closes the connection with the oldest use; `oldest` refuses a new use.',
    }),
  },
} as const;

export const productGroups = [products];

export type ProductVariables = ValuesOf<typeof products.settings>;

export interface ProductsConfig {
  /** Undefined: there are no products. */
  readonly file: string | undefined;
  /** Memory for delayed data. */
  readonly delayedBytesMax: number;
  /** Undefined: no limit. */
  readonly useMax: number | undefined;
  readonly useMaxKeeps: 'newest' | 'oldest';
}

export const productsConfig = (v: ProductVariables): ProductsConfig => ({
  file: v.PRODUCTS_FILE,
  delayedBytesMax: v.DELAYED_BYTES,
  useMax: v.USE_MAX,
  useMaxKeeps: v.USE_MAX_KEEPS,
});

/** Conflicts between these settings. */
export function productProblems(v: ProductVariables): string[] {
  return v.USE_MAX === undefined && v.USE_MAX_KEEPS !== KEEPS_DEFAULT ? ['USE_MAX_KEEPS: needs USE_MAX'] : [];
}
