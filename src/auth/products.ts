/**
 * Products: what a vendor licenses as one, and the topics that belong to it. `PRODUCTS_FILE` names them (ops/products.md).
 */
import { z } from 'zod';
import { ConfigError } from '../config/config-error.js';
import { parseDurationMs } from '../config/duration.js';
import { isEntitlement } from '../protocol/entitlement.js';
import { topicParts } from '../protocol/topic-parts.js';
import { ALL_SYMBOLS, isMarketData, isStream, type Stream, symbolMatcher } from '../protocol/topics.js';
import { placeOf, readJsonFile } from './json-file.js';

/** Few, because every subscribe may check them all. */
export const PRODUCTS_MAX = 256;
export const PRODUCT_TOPICS_MAX = 256;
const HOLIDAYS_MAX = 1_000;
const TEXT_LENGTH_MAX = 128;
/** Longest delay: every delayed topic keeps this much of its past. */
export const DELAY_MS_MAX = 60 * 60_000;
const DELAY_MS_MIN = 1_000;

/** How a user uses data, as declared by the credential. */
export const USES = ['display', 'non-display'] as const;
export type Use = (typeof USES)[number];

const CODE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const topic = z.string().refine(isProductTopic, 'must be stream:pattern of market data, such as depth:*.L');
const delay = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms >= DELAY_MS_MIN && ms <= DELAY_MS_MAX) return ms;
  context.addIssue('must be a duration from 1s to 60m, such as 15m');
  return z.NEVER;
});
/** Strict: a misspelt `professional` would let everyone in. */
const productSchema = z.strictObject({
  code: z.string().regex(CODE, 'must be 1 to 64 letters, digits, dots, hyphens and underscores'),
  vendor: z.string().min(1).max(TEXT_LENGTH_MAX),
  topics: z.array(topic).min(1).max(PRODUCT_TOPICS_MAX),
  time_zone: z.string().refine(isTimeZone, 'must be a time zone such as Europe/London').default('UTC'),
  holidays: z.array(z.iso.date('must be a day such as 2026-12-25')).max(HOLIDAYS_MAX).default([]),
  delay: delay.optional(),
  use: z.enum(USES).optional(),
  professional: z.boolean().optional(),
});
const fileSchema = z.strictObject({ products: z.array(productSchema).max(PRODUCTS_MAX) });

export interface Product {
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
  /** Real time is for this use only; undefined: for both. */
  readonly use: Use | undefined;
  /** Real time is for professionals only, or for others only; undefined: for all. */
  readonly professional: boolean | undefined;
}

export interface Products {
  readonly list: readonly Product[];
  /** Those that a topic belongs to, in the file's order; for `*`, all that have topics of the stream. */
  of(stream: Stream, name: string): readonly Product[];
}

const NONE: readonly Product[] = [];
/** For gateways without a file. */
export const NO_PRODUCTS: Products = { list: NONE, of: () => NONE };

/**
 * Reads `{"products":[{"code":"XLON-L2","vendor":"LSEG","topics":["depth:*.L"],"delay":"15m",…}]}`.
 * @param path undefined: there are no products
 * @throws {ConfigError} naming PRODUCTS_FILE and the invalid entry.
 */
export async function openProducts(path: string | undefined): Promise<Products> {
  if (path === undefined) return NO_PRODUCTS;
  const shown = `PRODUCTS_FILE=${JSON.stringify(path)}`;
  const parsed = fileSchema.safeParse(await readJsonFile(shown, path));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConfigError(`${shown}: ${placeOf(issue?.path ?? [])}${issue?.message ?? 'cannot be used'}`);
  }
  const codes = new Set<string>();
  for (const [at, { code }] of parsed.data.products.entries()) {
    if (codes.has(code)) throw new ConfigError(`${shown}: products[${at}].code: ${code} is there twice`);
    codes.add(code);
  }
  return productsOf(
    parsed.data.products.map(entry => ({
      code: entry.code,
      vendor: entry.vendor,
      topics: entry.topics,
      timeZone: entry.time_zone,
      holidays: entry.holidays,
      delayMs: entry.delay,
      use: entry.use,
      professional: entry.professional,
    })),
  );
}

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
  return {
    list,
    of(stream, name) {
      const candidates = byStream.get(stream);
      if (candidates === undefined) return NONE;
      return candidates.filter(({ matches }) => name === ALL_SYMBOLS || matches(name)).map(({ product }) => product);
    },
  };
}

function isProductTopic(text: string): boolean {
  const [stream] = topicParts(text);
  return isStream(stream) && isMarketData(stream) && isEntitlement(text) && text !== 'trades:full';
}

function isTimeZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
