/** Products: what a vendor licenses as one, and the topics that belong to it (ops/products.md). */
import { BoundedMap } from '../protocol/bounded-map.js';
import { listedOf } from '../protocol/record-limits.js';
import { topicParts } from '../protocol/topic-parts.js';
import { ALL_SYMBOLS, type Stream, symbolMatcher, topicOf } from '../protocol/topics.js';
import type { DeclaredUse } from './declared-use.js';

/** `use`, `professional`: real time is only for users that declare this; undefined: for all. */
export interface Product extends Pick<DeclaredUse, 'use' | 'professional'> {
  readonly code: string;
  readonly vendor: string;
  /** `stream:pattern` texts of market data. */
  readonly topics: readonly string[];
  /** Where its days and months begin: an IANA time zone. */
  readonly timeZone: string;
  /** Days on which its market is closed, `YYYY-MM-DD`. */
  readonly holidays: readonly string[];
  /** Users without real-time access may get it so many ms late; undefined: they get nothing. */
  readonly delayMs: number | undefined;
}

export interface Products {
  readonly list: readonly Product[];
  /** Those that a topic belongs to, in the file's order; for `*`, all that have topics of the stream. */
  of(stream: Stream, name: string): readonly Product[];
}

/** Different delays of one gateway: each keeps a past of its own. */
export const DELAYS_MAX = 16;

/** Topics whose products are cached: many clients follow the same ones, and a changed file checks all of them again. */
const KNOWN_MAX = 16_384;

const NONE: readonly Product[] = [];
/** For gateways without a file. */
export const NO_PRODUCTS: Products = { list: NONE, of: () => NONE };

/** Compiles the patterns of these products. */
export function productsOf(list: readonly Product[]): Products {
  const byStream = new Map<string, { readonly product: Product; readonly matches: (name: string) => boolean }[]>();
  for (const product of list) {
    const patterns = new Map<string, string[]>();
    for (const text of product.topics) {
      const [stream, pattern] = topicParts(text);
      patterns.set(stream, [...(patterns.get(stream) ?? []), pattern]);
    }
    for (const [stream, of] of patterns) {
      byStream.set(stream, [...(byStream.get(stream) ?? []), { product, matches: symbolMatcher(of) }]);
    }
  }
  const known = new BoundedMap<string, readonly Product[]>(KNOWN_MAX);
  return {
    list,
    of(stream, name) {
      const candidates = byStream.get(stream);
      if (candidates === undefined) return NONE;
      const topic = topicOf(stream, name);
      let found = known.get(topic);
      if (found === undefined) {
        found = candidates.filter(({ matches }) => name === ALL_SYMBOLS || matches(name)).map(({ product }) => product);
        known.set(topic, found);
      }
      return found;
    },
  };
}

/** How records name the products of a topic; nothing where there are none. */
export function productMembers(products: readonly Product[]) {
  if (products.length === 0) return undefined;
  const { first: product, ...more } = listedOf(products.map(({ code }) => code));
  return { product, ...more };
}

/** How refusals name a product. */
export function productText({ code, vendor }: Product): string {
  return `product ${code} of ${vendor}`;
}
