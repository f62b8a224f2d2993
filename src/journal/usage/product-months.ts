/** The products of a report, each with its month, and what an entitlement grants of them. */
import type { Product } from '../../auth/products.js';
import { BoundedMap } from '../../protocol/bounded-map.js';
import { topicParts } from '../../protocol/topic-parts.js';
import { overlapOutside } from './patterns.js';
import { type CalendarMonth, type ZonedMonth, zonedMonth } from './zoned-days.js';

/** Most combinations of entitlements and status whose products are remembered. */
const REMEMBERED_MAX = 10_000;
/** Grants all trades (src/auth/credential.ts). */
const FULL_TRADES = 'trades:full';
const ALL_TRADES = ['trades', '*'] as const;

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

/** Market data that a credential opens, as the journal has it. */
interface Rights {
  readonly entitlements: readonly string[];
  /** Of it, what is kept for roles that the credential lacks. */
  readonly reserved: readonly string[];
}

/** Finds the products that a credential grants in real time, at least in part. */
export class EntitledProducts {
  readonly #products: readonly Product[];
  readonly #remembered = new BoundedMap<string, readonly number[]>(REMEMBERED_MAX);

  constructor(products: readonly Product[]) {
    this.#products = products;
  }

  /** @returns places in the list of products */
  of({ entitlements, reserved }: Rights, status: Status): readonly number[] {
    const name = JSON.stringify([entitlements, reserved, status.professional ?? null, status.use ?? null]);
    const known = this.#remembered.get(name);
    if (known !== undefined) return known;
    const fitting = this.#products.filter(product => fits(product, status));
    // A topic of several products is open only if it is in each of them.
    const closed = this.#products.flatMap(product => (fitting.includes(product) ? [] : product.topics));
    const granted = patternsByStream(entitlements);
    const withheld = patternsByStream([...reserved, ...closed]);
    const found = this.#products.flatMap((product, at) =>
      fitting.includes(product) && isGranted(product, granted, withheld) ? [at] : [],
    );
    this.#remembered.set(name, found);
    return found;
  }
}

const fits = (product: Product, { professional, use }: Status): boolean =>
  (product.use === undefined || product.use === use) &&
  (product.professional === undefined || product.professional === professional);

type Patterns = ReadonlyMap<string, readonly string[]>;

function patternsByStream(topics: readonly string[]): Patterns {
  const found = new Map<string, string[]>();
  for (const topic of topics) {
    const [stream, pattern] = topic === FULL_TRADES ? ALL_TRADES : topicParts(topic);
    found.set(stream, [...(found.get(stream) ?? []), pattern]);
  }
  return found;
}

const isGranted = ({ topics }: Product, granted: Patterns, withheld: Patterns): boolean =>
  topics.some(topic => {
    const [stream, pattern] = topicParts(topic);
    const excluded = withheld.get(stream) ?? [];
    return (granted.get(stream) ?? []).some(entitlement => overlapOutside(pattern, entitlement, excluded));
  });
