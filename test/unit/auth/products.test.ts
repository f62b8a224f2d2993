import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Credential, compileEntitlements, NO_POLICY } from '../../../src/auth/credential.js';
import { DELAYS_MAX, NO_PRODUCTS, type Product, productsOf } from '../../../src/auth/product.js';
import { openProducts, PRODUCTS_MAX } from '../../../src/auth/products.js';
import { ConfigError } from '../../../src/config/config-error.js';
import { newCredential } from '../../support/new-session.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-products-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function fileOf(text: string): Promise<string> {
  const path = join(folder, 'products.json');
  await writeFile(path, text);
  return path;
}
const read = async (...products: readonly object[]) => openProducts(await fileOf(JSON.stringify({ products })));
const L2 = { code: 'XLON-L2', vendor: 'LSEG', topics: ['depth:*.L', 'quotes:*.L'] };

describe('R74 the file of products', () => {
  it('R74 says which topics belong to which product, when it is delayed, and for whom it is', async () => {
    const { list, of } = await read(
      {
        ...L2,
        time_zone: 'Europe/London',
        holidays: ['2026-12-25'],
        delay: '15m',
        use: 'display',
        professional: false,
      },
      { code: 'ALL', vendor: 'V', topics: ['depth:*'] },
    );
    expect(list[0]).toEqual({
      code: 'XLON-L2',
      vendor: 'LSEG',
      topics: ['depth:*.L', 'quotes:*.L'],
      timeZone: 'Europe/London',
      holidays: ['2026-12-25'],
      delayMs: 900_000,
      use: 'display',
      professional: false,
    });
    expect(list[1]).toMatchObject({ timeZone: 'UTC', holidays: [], delayMs: undefined });
    const codes = (...at: Parameters<typeof of>) => of(...at).map(({ code }) => code);
    expect(codes('depth', 'VOD.L')).toEqual(['XLON-L2', 'ALL']);
    expect(codes('depth', 'AAPL')).toEqual(['ALL']);
    expect(codes('quotes', 'AAPL')).toEqual([]);
    expect(codes('orderbook', 'VOD.L')).toEqual([]);
    expect(codes('quotes', '*')).toEqual(['XLON-L2']);
  });

  it('R74 takes topics with their products, too', async () => {
    const xlon = { product: 'XLON-L2', vendor: 'LSEG', delay: '15m' };
    const file = { 'depth:*.L': xlon, 'quotes:*.O': { code: 'XNAS', vendor: 'Nasdaq' }, 'quotes:*.L': xlon };
    const { list } = await openProducts(await fileOf(JSON.stringify(file)));
    expect(list).toMatchObject([
      { ...L2, delayMs: 900_000 },
      { code: 'XNAS', vendor: 'Nasdaq', topics: ['quotes:*.O'] },
    ]);
    const wrong = await fileOf(JSON.stringify({ ...file, 'depth:*.L': { ...xlon, dealy: '1m' } }));
    await expect(openProducts(wrong)).rejects.toThrow('dealy');
    await expect(openProducts(await fileOf('{}'))).rejects.toThrow('products');
  });

  it.each<[string, object, string]>([
    ['an unknown member', { ...L2, dealy: '15m' }, 'dealy'],
    ['no vendor', { code: 'A', topics: ['quotes:*'] }, 'products[0].vendor'],
    ['a code with a blank', { ...L2, code: 'A B' }, 'products[0].code'],
    ['no topics', { ...L2, topics: [] }, 'products[0].topics'],
    ['a topic that is no market data', { ...L2, topics: ['rooms:*'] }, 'products[0].topics[0]: must be stream:pattern'],
    ['the full view of trades', { ...L2, topics: ['trades:full'] }, 'products[0].topics[0]'],
    ['no such time zone', { ...L2, time_zone: 'Europe/Atlantis' }, 'products[0].time_zone'],
    ['a holiday that is no day', { ...L2, holidays: ['2026-02-30'] }, 'products[0].holidays[0]'],
    ['a delay of nothing', { ...L2, delay: '0s' }, 'products[0].delay: must be a duration from 1s to 60m'],
    ['a delay of a day', { ...L2, delay: '1d' }, 'products[0].delay'],
    ['an unknown use', { ...L2, use: 'print' }, 'products[0].use'],
  ])('R74 is refused with %s, and the place is named', async (_what, product, text) => {
    const failure = await read(product).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(ConfigError);
    expect((failure as Error).message).toMatch(/^PRODUCTS_FILE="/);
    expect((failure as Error).message).toContain(text);
  });

  it('R74 names each product once, and at most so many', async () => {
    await expect(read(L2, L2)).rejects.toThrow('products[1].code: XLON-L2 is there twice');
    const many = Array.from({ length: PRODUCTS_MAX + 1 }, (_, n) => ({ ...L2, code: `P${n}` }));
    await expect(read(...many)).rejects.toThrow('products');
    const delays = Array.from({ length: DELAYS_MAX + 1 }, (_, n) => ({ ...L2, code: `P${n}`, delay: `${n + 1}m` }));
    await expect(read(...delays)).rejects.toThrow(`has ${DELAYS_MAX + 1} delays`);
    await expect(openProducts(await fileOf('{'))).rejects.toThrow('is not JSON');
  });
});

describe('R74 entitlements to products', () => {
  const rest = { vendor: 'V', timeZone: 'UTC', holidays: [], delayMs: undefined };
  const late: Product = { ...rest, code: 'LATE', topics: ['depth:*.L', 'trades:*.L'], delayMs: 900_000 };
  const later: Product = { ...rest, code: 'LATER', topics: ['depth:X.L'], delayMs: 1_800_000 };
  const shown: Product = { ...rest, code: 'SHOWN', topics: ['quotes:*'], use: 'display', professional: false };
  const hard: Product = { ...rest, code: 'HARD', topics: ['depth:H.L'] };
  const products = productsOf([late, later, shown, hard]);
  const of = (more: Partial<Credential>) =>
    compileEntitlements({ ...newCredential({ sub: 'alice', tier: 'retail' }), ...more }, NO_POLICY, [], products);

  it('R74 let a user with the product have it in real time, and one with its delayed form late', () => {
    const full = of({ entitlements: ['depth:*', 'delayed:*'] });
    expect(full.maySubscribe('depth', 'VOD.L')).toBe(true);
    expect(full.delayMsOf('depth', 'VOD.L')).toBe(0);
    expect(full.lacksProduct('depth', 'VOD.L')).toBeUndefined();
    const delayed = of({ entitlements: ['delayed:LATE'] });
    expect(delayed.maySubscribe('depth', 'VOD.L')).toBe(false);
    expect(delayed.delayMsOf('depth', 'VOD.L')).toBe(900_000);
    expect(delayed.lacksProduct('depth', 'VOD.L')).toBe(late);
  });

  it('R74 take the longest delay of a topic’s products, and all of them must be granted and have one', () => {
    expect(of({ entitlements: ['delayed:*'] }).delayMsOf('depth', 'X.L')).toBe(1_800_000);
    expect(of({ entitlements: ['delayed:LATE'] }).delayMsOf('depth', 'X.L')).toBe(0);
    expect(of({ entitlements: ['delayed:*'] }).delayMsOf('depth', 'H.L')).toBe(0);
  });

  it('R74 delay nothing that belongs to no product, and never all trades at once', () => {
    const delayed = of({ entitlements: ['delayed:*'] });
    expect(delayed.delayMsOf('depth', 'AAPL')).toBe(0);
    expect(delayed.delayMsOf('trades', 'VOD.L')).toBe(900_000);
    expect(delayed.delayMsOf('trades', '*')).toBe(0);
    expect(delayed.maySubscribe('trades', '*')).toBe(false);
  });

  it('R74 hold only for the use that is declared; who declares nothing meets no condition', () => {
    const entitlements = ['quotes:*'];
    expect(of({ entitlements, use: 'display', professional: false }).maySubscribe('quotes', 'A')).toBe(true);
    for (const declared of [
      {},
      { use: 'display' },
      { professional: false },
      { use: 'non-display', professional: false },
    ] as const) {
      const user = of({ entitlements, ...declared });
      expect(user.maySubscribe('quotes', 'A')).toBe(false);
      expect(user.lacksProduct('quotes', 'A')).toBe(shown);
    }
  });

  it('R74 give strangers no product in real time that can be delayed', () => {
    const stranger = of({ sub: '', entitlements: ['depth:*', 'delayed:*'] });
    expect(stranger.maySubscribe('depth', 'VOD.L')).toBe(false);
    expect(stranger.delayMsOf('depth', 'VOD.L')).toBe(900_000);
    expect(stranger.maySubscribe('depth', 'AAPL')).toBe(true);
  });

  it('R74 are as before where there are no products', () => {
    const user = compileEntitlements(newCredential({ sub: 'a', tier: 'retail' }), NO_POLICY, ['quotes:*'], NO_PRODUCTS);
    expect(user.maySubscribe('quotes', 'A')).toBe(true);
    expect(user.lacksProduct('depth', 'A')).toBeUndefined();
    expect(user.delayMsOf('depth', 'A')).toBe(0);
  });
});
