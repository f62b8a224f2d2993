/** The file that `PRODUCTS_FILE` names (ops/products.md). */
import { z } from 'zod';
import { ConfigError } from '../config/config-error.js';
import { parseDurationMs } from '../config/duration.js';
import { isEntitlement } from '../protocol/entitlement.js';
import { topicParts } from '../protocol/topic-parts.js';
import { isMarketData, isStream } from '../protocol/topics.js';
import { USES } from './declared-use.js';
import { placeOf, readJsonFile } from './json-file.js';
import { DELAYS_MAX, type Products, productsOf } from './product.js';

export type { Product, Products } from './product.js';

/** Bounded, because a subscribe may check all of them. */
export const PRODUCTS_MAX = 256;
const PRODUCT_TOPICS_MAX = 256;
const HOLIDAYS_MAX = 1_000;
const TEXT_LENGTH_MAX = 128;
/** Longest delay: every delayed topic keeps this much of its past. */
const DELAY_MS_MAX = 60 * 60_000;
const DELAY_MS_MIN = 1_000;

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
/** The short form: `stream:pattern` → product. */
const byTopicSchema = z.record(z.string().regex(/:/), z.looseObject({}));

/**
 * Reads `{"products":[{"code":"XLON-L2","vendor":"LSEG","topics":["depth:*.L"],"delay":"15m",…}]}`, or the short form
 * `{"depth:*.L":{"code":"XLON-L2","vendor":"LSEG",…},…}`.
 * @throws {ConfigError} naming PRODUCTS_FILE and the invalid entry.
 */
export async function openProducts(path: string): Promise<Products> {
  const shown = `PRODUCTS_FILE=${JSON.stringify(path)}`;
  const parsed = fileSchema.safeParse(inFull(await readJsonFile(shown, path)));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConfigError(`${shown}: ${placeOf(issue?.path ?? [])}${issue?.message ?? 'cannot be used'}`);
  }
  const codes = new Set<string>();
  for (const [at, { code }] of parsed.data.products.entries()) {
    if (codes.has(code)) throw new ConfigError(`${shown}: products[${at}].code: ${code} is there twice`);
    codes.add(code);
  }
  const delays = new Set(parsed.data.products.flatMap(({ delay: ms = 0 }) => (ms > 0 ? [ms] : [])));
  if (delays.size > DELAYS_MAX)
    throw new ConfigError(`${shown}: has ${delays.size} delays; at most ${DELAYS_MAX} are allowed`);
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

/** The short form as the long one. Topics whose products say the same belong to one product, which may be called `product`. */
function inFull(file: unknown): unknown {
  const short = byTopicSchema.safeParse(file);
  if (!short.success || Object.keys(short.data).length === 0) return file;
  const products = new Map<string, { readonly topics: string[] }>();
  for (const [topicText, { product, code = product, ...others }] of Object.entries(short.data)) {
    const members = { code, ...others };
    const key = JSON.stringify(members);
    const known = products.get(key);
    if (known === undefined) products.set(key, { ...members, topics: [topicText] });
    else known.topics.push(topicText);
  }
  return { products: [...products.values()] };
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
