/** Counts access: by product and user, and at once over the connections of products, firms and vendors. */

import type { ProductMonth, Status } from './product-months.js';
import { ROW_LOCATIONS_MAX, ROWS_MAX, refuseBeyond } from './usage-bounds.js';
import { dayIndex } from './zoned-days.js';

/** Who uses data: what a connection counts under. Equal numbers are one user, one address. */
export interface Account extends Status {
  /** Undefined: anonymous. */
  readonly user: number | undefined;
  readonly firm: string | undefined;
}

/** A product as one account used it, in real time or delayed. */
export interface Row {
  readonly product: number;
  readonly isDelayed: boolean;
  readonly account: Account;
  readonly atOnce: Peak;
  /** Bit n: used on the day with index n. */
  days: number;
  /** µs since the Unix epoch; undefined: never used. */
  firstMicros: number | undefined;
  lastMicros: number | undefined;
  /** Since when it is in use without a break. */
  sinceMicros: number;
  /** Addresses it was used from. */
  readonly locations: Set<number>;
  isEntitled: boolean;
  isEntitledOnFirstDay: boolean;
}

/** How many connections are in use, now and at most. */
export class Peak {
  now = 0;
  max = 0;

  begin(): void {
    this.now++;
    if (this.now > this.max) this.max = this.now;
  }

  end(): void {
    this.now--;
  }
}

export class Tally {
  readonly #products: readonly ProductMonth[];
  readonly #rows = new Map<string, Row>();
  readonly #groups = new Map<string, Peak>();
  #locations = 0;

  constructor(products: readonly ProductMonth[]) {
    this.#products = products;
  }

  get rows(): Iterable<Row> {
    return this.#rows.values();
  }

  /** The most connections that a group had at once. @param group a name that {@link groupNames} gives */
  peakOf(group: string): number {
    return this.#groups.get(group)?.max ?? 0;
  }

  row(product: number, isDelayed: boolean, account: Account): Row {
    const { user, firm, professional, use } = account;
    const key = JSON.stringify([product, isDelayed, user, firm, professional, use]);
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const row: Row = {
      product,
      isDelayed,
      account,
      atOnce: new Peak(),
      days: 0,
      firstMicros: undefined,
      lastMicros: undefined,
      sinceMicros: 0,
      locations: new Set(),
      isEntitled: false,
      isEntitledOnFirstDay: false,
    };
    this.#rows.set(key, row);
    refuseBeyond(this.#rows.size, ROWS_MAX, 'rows of products and users');
    return row;
  }

  /** A connection begins to use a product. @param location number of its address */
  begin(row: Row, location: number, micros: number): void {
    if (row.atOnce.now === 0) row.sinceMicros = micros;
    row.atOnce.begin();
    row.firstMicros = Math.min(row.firstMicros ?? micros, micros);
    if (row.locations.has(location)) return;
    row.locations.add(location);
    this.#locations++;
    refuseBeyond(this.#locations, ROW_LOCATIONS_MAX, 'addresses of users');
  }

  /** A connection stops using a product; the moment of the end no longer counts. */
  end(row: Row, micros: number): void {
    row.atOnce.end();
    row.lastMicros = Math.max(row.lastMicros ?? micros, micros);
    if (row.atOnce.now > 0) return;
    const { month } = this.#products[row.product] as ProductMonth;
    const first = dayIndex(month, row.sinceMicros);
    const last = dayIndex(month, Math.max(row.sinceMicros, micros - 1));
    for (let day = first; day <= last; day++) row.days |= 1 << day;
  }

  /** Another connection counts in a group. */
  beginGroup(group: string): void {
    const peak = this.#groups.get(group) ?? new Peak();
    this.#groups.set(group, peak);
    peak.begin();
  }

  endGroup(group: string): void {
    this.#groups.get(group)?.end();
  }
}

/** What totals are made of: a product or a vendor, of all firms or of one. */
export interface Group {
  readonly scope: 'product' | 'product_firm' | 'vendor' | 'vendor_firm';
  readonly vendor: string;
  readonly product: string | undefined;
  readonly firm: string | undefined;
  readonly isDelayed: boolean;
}

/** The groups that a connection counts in while it uses a product: once in each, whatever the number of products. */
export function groupsOf(
  { product: { code, vendor } }: ProductMonth,
  isDelayed: boolean,
  firm: string | undefined,
): readonly Group[] {
  const all: Group[] = [
    { scope: 'product', vendor, product: code, firm: undefined, isDelayed },
    { scope: 'vendor', vendor, product: undefined, firm: undefined, isDelayed },
  ];
  if (firm === undefined) return all;
  return [
    ...all,
    { scope: 'product_firm', vendor, product: code, firm, isDelayed },
    { scope: 'vendor_firm', vendor, product: undefined, firm, isDelayed },
  ];
}

export const groupName = ({ scope, vendor, product, firm, isDelayed }: Group): string =>
  JSON.stringify([vendor, isDelayed, scope, product, firm]);
