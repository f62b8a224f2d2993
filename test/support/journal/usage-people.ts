/** Who uses which data in a generated month. */
import type { Product } from '../../../src/auth/products.js';
import type { SeededRandom } from '../../../src/feed/simulator/seeded-random.js';

export interface Person {
  /** Undefined: anonymous. */
  readonly user: string | undefined;
  readonly tier: 'retail' | 'institutional';
  readonly firm: string | undefined;
  readonly professional: boolean | undefined;
  readonly use: 'display' | 'non-display' | undefined;
  readonly entitlements: readonly string[];
  /** Who it is after the next credential. */
  readonly later?: Person;
}

const product = (code: string, vendor: string, topics: readonly string[], timeZone: string): Product => ({
  code,
  vendor,
  topics,
  timeZone,
  holidays: [],
  delayMs: 900_000,
  use: undefined,
  professional: undefined,
});

/** Of three zones, with and without daylight saving; two products share a vendor, and two a topic. */
export const PRODUCTS: readonly Product[] = [
  {
    ...product('XLON-L2', 'LSEG', ['depth:*.L', 'orderbook:*.L'], 'Europe/London'),
    holidays: ['2026-03-02', '2026-10-01', '2026-11-03'],
  },
  product('XLON-T', 'LSEG', ['trades:*.L', 'depth:VOD.*'], 'Europe/London'),
  {
    ...product('XNAS-BASIC', 'Nasdaq', ['quotes:*.O', 'trades:*.O'], 'America/New_York'),
    professional: false,
    use: 'display',
  },
  product('XTKS', 'JPX, "Tokyo"', ['quotes:*.T'], 'Asia/Tokyo'),
];

export const TOPICS: readonly string[] = [
  ...['depth:VOD.L', 'depth:BP.L', 'orderbook:VOD.L', 'trades:VOD.L', 'trades:*', 'trades:AAPL.O'],
  ...['quotes:AAPL.O', 'quotes:MSFT.O', 'quotes:7203.T', 'quotes:BTC/USD'],
];

export const ADDRESSES: readonly string[] = Array.from({ length: 12 }, (_, i) => `192.0.2.${i + 1}`);

const ENTITLEMENTS: readonly (readonly string[])[] = [
  ['depth:*', 'orderbook:*', 'trades:*', 'quotes:*'],
  ['depth:BP.*'],
  ['trades:full'],
  ['quotes:AAPL*', 'delayed:XLON-L2'],
  ['quotes:*.T', 'orderbook:V*'],
  [],
];
const FIRMS = [undefined, 'Acme', 'Smith, "Jones" & Co', '=cmd'] as const;
const PEOPLE = 18;

export function peopleOf(random: SeededRandom): Person[] {
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
  const status = () => ({
    professional: pick([true, false, undefined]),
    use: pick(['display', 'non-display', undefined] as const),
    entitlements: pick(ENTITLEMENTS),
  });
  const anonymous: Person = {
    user: undefined,
    tier: 'retail',
    firm: undefined,
    professional: undefined,
    use: undefined,
    entitlements: ['trades:*', 'orderbook:*', 'depth:*'],
  };
  const known = Array.from({ length: PEOPLE }, (_, i): Person => {
    const person: Person = {
      user: `user-${i}`,
      tier: pick(['retail', 'institutional']),
      firm: pick(FIRMS),
      ...status(),
    };
    return i % 3 === 0 ? { ...person, later: { ...person, ...status(), firm: pick([person.firm, 'Acme']) } } : person;
  });
  return [...known, anonymous];
}
