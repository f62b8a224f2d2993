/** The products of a report, each with its month, and what an entitlement grants of them. */
import type { Product } from '../../auth/products.js';
import { BoundedMap } from '../../protocol/bounded-map.js';
import { topicParts } from '../../protocol/topic-parts.js';
import { type CalendarMonth, type ZonedMonth, zonedMonth } from './zoned-days.js';

/** Most combinations of entitlements and status whose products are remembered. */
const REMEMBERED_MAX = 10_000;
/** Grants all trades (src/auth/credential.ts). */
const FULL_TRADES = 'trades:full';

export interface ProductMonth {
  readonly product: Product;
  readonly month: ZonedMonth;
  /** The month, µs since the Unix epoch: from the first, up to and without the second. */
  readonly fromMicros: number;
  readonly toMicros: number;
  /** The first working day likewise; undefined if the month has none. */
  readonly firstDay: { readonly fromMicros: number; readonly toMicros: number } | undefined;
}

export function productMonths(products: readonly Product[], month: CalendarMonth): readonly ProductMonth[] {
  return products.map(product => {
    const zoned = zonedMonth(month, product.timeZone, product.holidays);
    const { borders, firstWorkingDay: day } = zoned;
    const at = (index: number): number => borders[index] ?? 0;
    return {
      product,
      month: zoned,
      fromMicros: at(0),
      toMicros: at(borders.length - 1),
      firstDay: day === undefined ? undefined : { fromMicros: at(day), toMicros: at(day + 1) },
    };
  });
}

/** What a credential says of its user. */
export interface Status {
  readonly professional: boolean | undefined;
  readonly use: string | undefined;
}

/** Finds the products that a credential grants in real time, at least in part. */
export class EntitledProducts {
  readonly #products: readonly Product[];
  readonly #remembered = new BoundedMap<string, readonly number[]>(REMEMBERED_MAX);

  constructor(products: readonly Product[]) {
    this.#products = products;
  }

  /** @returns places in the list of products */
  of(entitlements: readonly string[], status: Status): readonly number[] {
    const name = JSON.stringify([entitlements, status.professional ?? null, status.use ?? null]);
    const known = this.#remembered.get(name);
    if (known !== undefined) return known;
    const found = this.#products.flatMap((product, at) => (isGranted(product, entitlements, status) ? [at] : []));
    this.#remembered.set(name, found);
    return found;
  }
}

function isGranted(product: Product, entitlements: readonly string[], { professional, use }: Status): boolean {
  if (product.use !== undefined && product.use !== use) return false;
  if (product.professional !== undefined && product.professional !== professional) return false;
  return product.topics.some(topic => entitlements.some(text => patternsMeet(topic, text)));
}

function patternsMeet(topic: string, entitlement: string): boolean {
  const [stream, pattern] = topicParts(topic);
  const [granted, grantedPattern] = topicParts(entitlement);
  if (stream !== granted) return false;
  return patternsOverlap(pattern, entitlement === FULL_TRADES ? '*' : grantedPattern);
}

/** True if some name matches both patterns, in which `*` stands for any run of characters. */
export function patternsOverlap(one: string, other: string): boolean {
  // overlaps[j]: what is left of `one` from i, and of `other` from j, have a name in common.
  let below: readonly boolean[] = [];
  for (let i = one.length; i >= 0; i--) {
    const row: boolean[] = [];
    for (let j = other.length; j >= 0; j--) {
      if (i === one.length && j === other.length) row[j] = true;
      else if (one[i] === '*') row[j] = below[j] === true || (j < other.length && row[j + 1] === true);
      else if (other[j] === '*') row[j] = row[j + 1] === true || (i < one.length && below[j] === true);
      else row[j] = i < one.length && j < other.length && one[i] === other[j] && below[j + 1] === true;
    }
    below = row;
  }
  return below[0] === true;
}
