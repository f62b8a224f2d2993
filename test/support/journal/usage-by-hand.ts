/**
 * The figures of a usage report by brute force over the generator's log: every hour of every access is looked at, every
 * access is compared with every other. It shares no code with the report.
 */
import type { Product } from '../../../src/auth/products.js';
import type { LoggedAccess, LoggedGrant } from './usage-month.js';
import { type Person, TOPICS } from './usage-people.js';

const HOUR = 3_600_000_000;

interface Figures {
  readonly entitled: boolean;
  readonly entitledFirstDay: boolean;
  readonly first: number | null;
  readonly last: number | null;
  readonly days: number;
  readonly peak: number;
  readonly locations: number;
}

interface Totals {
  readonly users: number;
  readonly gross: number;
  readonly professional: number;
  readonly nonProfessional: number;
  readonly display: number;
  readonly nonDisplay: number;
  readonly entitledFirstDay: number;
  readonly devices: number;
  readonly locations: number;
  readonly peak: number;
}

/** An access within the month of one product. */
interface Clipped {
  readonly product: Product;
  readonly access: LoggedAccess;
  readonly from: number;
  readonly to: number;
  readonly days: ReadonlySet<string>;
  readonly user: string;
  readonly groups: readonly string[];
}

interface Granted {
  readonly product: Product;
  readonly grant: LoggedGrant;
  readonly days: ReadonlySet<string>;
  readonly user: string;
  readonly groups: readonly string[];
}

/** By `[product, delayed, firm, user, professional, use]`, and by `[scope, vendor, product, firm, delayed]`, as JSON. */
interface ByHand {
  readonly users: ReadonlyMap<string, Figures>;
  readonly totals: ReadonlyMap<string, Totals>;
}

export function usageByHand(
  month: string,
  products: readonly Product[],
  accesses: readonly LoggedAccess[],
  grants: readonly LoggedGrant[],
): ByHand {
  const dates = new LocalDates();
  const used = products.flatMap(product =>
    accesses
      .filter(({ topic }) => product.topics.some(pattern => matches(pattern, topic)))
      .map(access => clip(product, access, month, dates))
      .filter(one => one !== undefined),
  );
  const granted = products.flatMap(product =>
    grants
      .filter(({ person }) => person.user !== undefined && isGranted(product, person))
      .map(grant => ({
        product,
        grant,
        days: hours(grant, product, dates, month).days,
        user: userKey(product, false, grant.person),
        groups: groupKeys(product, false, grant.person),
      }))
      .filter(({ days }) => days.size > 0),
  );
  return { users: userFigures(month, used, granted), totals: totalFigures(month, used, granted) };
}

function userFigures(month: string, used: readonly Clipped[], granted: readonly Granted[]): Map<string, Figures> {
  const names = new Set([...used, ...granted].map(({ user }) => user));
  return new Map(
    Array.from(names, name => {
      const uses = used.filter(({ user }) => user === name);
      const grants = granted.filter(({ user }) => user === name);
      const days = new Set(uses.flatMap(one => [...one.days]));
      const product = (uses[0] ?? grants[0])?.product as Product;
      const firstDay = firstWorkingDay(month, product);
      const isKnown = uses.some(({ access }) => access.person.user !== undefined && !access.isDelayed);
      return [
        name,
        {
          entitled: grants.length > 0 || isKnown,
          entitledFirstDay: grants.some(one => one.days.has(firstDay)) || (isKnown && days.has(firstDay)),
          first: uses.length === 0 ? null : Math.min(...uses.map(({ from }) => from)),
          last: uses.length === 0 ? null : Math.max(...uses.map(({ to }) => to)),
          days: days.size,
          peak: peakOf(uses),
          locations: new Set(uses.map(({ access }) => access.address)).size,
        },
      ];
    }),
  );
}

function totalFigures(month: string, used: readonly Clipped[], granted: readonly Granted[]): Map<string, Totals> {
  const names = new Set([...used, ...granted].flatMap(({ groups }) => groups));
  return new Map(
    Array.from(names, name => {
      const uses = used.filter(({ groups }) => groups.includes(name));
      const grants = granted.filter(({ groups }) => groups.includes(name));
      const known = uses.filter(({ access }) => access.person.user !== undefined);
      const users = (of: (one: Clipped) => boolean): number =>
        new Set(known.filter(of).map(({ access }) => access.person.user)).size;
      const entitled = [
        ...grants.filter(one => one.days.has(firstWorkingDay(month, one.product))).map(one => one.grant.person.user),
        ...known
          .filter(one => !one.access.isDelayed && one.days.has(firstWorkingDay(month, one.product)))
          .map(one => one.access.person.user),
      ];
      return [
        name,
        {
          users: users(() => true),
          gross: new Set(known.map(({ product, access }) => `${product.code} ${access.person.user}`)).size,
          professional: users(({ access }) => access.person.professional === true),
          nonProfessional: users(({ access }) => access.person.professional === false),
          display: users(({ access }) => access.person.use === 'display'),
          nonDisplay: users(({ access }) => access.person.use === 'non-display'),
          entitledFirstDay: new Set(entitled).size,
          devices: new Set(uses.map(({ access }) => `${access.person.user} ${access.address}`)).size,
          locations: new Set(uses.map(({ access }) => access.address)).size,
          peak: peakOf(uses),
        },
      ];
    }),
  );
}

function userKey({ code }: Product, isDelayed: boolean, { firm, user, professional, use }: Person): string {
  return JSON.stringify([code, isDelayed, firm, user, professional, use]);
}

function groupKeys({ code, vendor }: Product, isDelayed: boolean, { firm }: Person): string[] {
  const of = (scope: string, product: string | null, group: string | null): string =>
    JSON.stringify([scope, vendor, product, group, isDelayed]);
  const all = [of('product', code, null), of('vendor', null, null)];
  return firm === undefined ? all : [...all, of('product_firm', code, firm), of('vendor_firm', null, firm)];
}

/** The most connections at any beginning of an access: only then can there be more than before. */
function peakOf(uses: readonly Clipped[]): number {
  let peak = 0;
  for (const { from } of uses) {
    const open = new Set<string>();
    for (const one of uses) {
      const isOpen = one.from <= from && (from < one.to || (one.from === from && one.to === from));
      if (isOpen) open.add(one.access.connection);
    }
    peak = Math.max(peak, open.size);
  }
  return peak;
}

/** Looks at both ends and at every hour in between: in the zones of these products, days begin with an hour of UTC. */
function hours(
  { from, to }: { readonly from: number; readonly to: number },
  { timeZone }: Product,
  dates: LocalDates,
  month: string,
): { readonly days: Set<string>; readonly inside: readonly number[]; readonly isOpenEnd: boolean } {
  const looked = [from];
  for (let t = (Math.floor(from / HOUR) + 1) * HOUR; t < to; t += HOUR) looked.push(t);
  const inside = looked.filter(t => dates.at(t, timeZone).startsWith(month));
  const last = Math.max(from, to - 1);
  const isOpenEnd = dates.at(last, timeZone).startsWith(month);
  return { days: new Set(inside.map(t => dates.at(t, timeZone))), inside, isOpenEnd };
}

function clip(product: Product, access: LoggedAccess, month: string, dates: LocalDates): Clipped | undefined {
  const { days, inside, isOpenEnd } = hours(access, product, dates, month);
  const [from] = inside;
  if (from === undefined) return undefined;
  // The month ends with an hour: the one behind the last that is in it.
  const to = isOpenEnd ? access.to : (Math.floor((inside.at(-1) ?? from) / HOUR) + 1) * HOUR;
  const { isDelayed, person } = access;
  const user = userKey(product, isDelayed, person);
  return { product, access, from, to, days, user, groups: groupKeys(product, isDelayed, person) };
}

class LocalDates {
  readonly #known = new Map<string, string>();

  at(micros: number, timeZone: string): string {
    const hour = Math.floor(micros / HOUR);
    const key = `${timeZone} ${hour}`;
    const known = this.#known.get(key) ?? new Date((hour * HOUR) / 1000).toLocaleDateString('en-CA', { timeZone });
    this.#known.set(key, known);
    return known;
  }
}

function firstWorkingDay(month: string, { holidays }: Product): string {
  for (let day = 1; ; day++) {
    const date = `${month}-${String(day).padStart(2, '0')}`;
    const weekday = new Date(`${date}T12:00:00Z`).toLocaleDateString('en-GB', { weekday: 'short', timeZone: 'UTC' });
    if (!['Sat', 'Sun'].includes(weekday) && !holidays.includes(date)) return date;
  }
}

function matches(pattern: string, topic: string): boolean {
  const [stream, name = ''] = topic.split(':');
  if (name === '*') return pattern.startsWith(`${stream}:`);
  const text = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${text}$`).test(topic);
}

/** One topic for each product that an entitlement of a person meets, whether it is published or not. */
const NAMED = [...TOPICS.filter(topic => !topic.endsWith('*')), 'quotes:AAPL.T'];

/** Some topic is both in the product and in the entitlements. */
function isGranted(product: Product, { entitlements, professional, use }: LoggedGrant['person']): boolean {
  if (product.professional !== undefined && product.professional !== professional) return false;
  if (product.use !== undefined && product.use !== use) return false;
  return NAMED.some(
    topic =>
      product.topics.some(pattern => matches(pattern, topic)) &&
      entitlements.some(text => matches(text === 'trades:full' ? 'trades:*' : text, topic)),
  );
}
