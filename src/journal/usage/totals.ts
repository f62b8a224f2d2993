/** Adds the rows of users up: by product and by vendor, over all firms and for each. */
import type { ProductMonth } from './product-months.js';
import type { UsageTotal } from './report-types.js';
import { type Group, groupName, groupsOf, type Row, type Tally } from './tally.js';

/** More than there can be subjects: makes one number of two. */
const PAIR_FACTOR = 2 ** 26;
/** Stands for an anonymous user in pairs with an address. */
const ANONYMOUS = -1;

class Sum {
  readonly group: Group;
  readonly #users = new Set<number>();
  readonly #byProduct = new Set<number>();
  readonly #professional = new Set<number>();
  readonly #nonProfessional = new Set<number>();
  readonly #display = new Set<number>();
  readonly #nonDisplay = new Set<number>();
  readonly #entitled = new Set<number>();
  readonly #devices = new Set<number>();
  readonly #locations = new Set<number>();

  constructor(group: Group) {
    this.group = group;
  }

  add({ product, account, firstMicros, locations, isEntitledOnFirstDay }: Row): void {
    const { user, professional, use } = account;
    if (isEntitledOnFirstDay && user !== undefined) this.#entitled.add(user);
    if (firstMicros === undefined) return;
    for (const location of locations) {
      this.#locations.add(location);
      this.#devices.add((user ?? ANONYMOUS) * PAIR_FACTOR + location);
    }
    if (user === undefined) return;
    this.#users.add(user);
    this.#byProduct.add(user * PAIR_FACTOR + product);
    if (professional !== undefined) (professional ? this.#professional : this.#nonProfessional).add(user);
    if (use === 'display') this.#display.add(user);
    else if (use === 'non-display') this.#nonDisplay.add(user);
  }

  total(tally: Tally): UsageTotal {
    const { scope, vendor, product, firm, isDelayed } = this.group;
    return {
      scope,
      vendor,
      product: product ?? null,
      firm: firm ?? null,
      data: isDelayed ? 'delayed' : 'realtime',
      users: this.#users.size,
      users_gross: this.#byProduct.size,
      users_professional: this.#professional.size,
      users_non_professional: this.#nonProfessional.size,
      users_display: this.#display.size,
      users_non_display: this.#nonDisplay.size,
      users_entitled_first_working_day: this.#entitled.size,
      devices: this.#devices.size,
      locations: this.#locations.size,
      peak_connections: tally.peakOf(groupName(this.group)),
    };
  }
}

/** @returns totals in no particular order */
export function totalsOf(tally: Tally, months: readonly ProductMonth[]): UsageTotal[] {
  const sums = new Map<string, Sum>();
  for (const row of tally.rows) {
    const month = months[row.product];
    if (month === undefined) continue;
    for (const group of groupsOf(month, row.isDelayed, row.account.firm)) {
      const name = groupName(group);
      const sum = sums.get(name) ?? new Sum(group);
      sums.set(name, sum);
      sum.add(row);
    }
  }
  return Array.from(sums.values(), sum => sum.total(tally));
}
