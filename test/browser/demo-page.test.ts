/**
 * The demonstration page in a real browser, as a newcomer opens it.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { accessibilityFindings, launchBrowser, type OpenedPage, openPage, overflow, PHONE } from '../support/pages.js';
import { until } from '../support/until.js';

/** No source of credentials: the gateway makes its own key. */
const OWN_KEY = { AUTH_JWT_SECRET: '', AUTH_ANONYMOUS: '', AUTH_DEFAULT_ENTITLEMENTS: '' };
const LIVE_MARKET = { ...OWN_KEY, SIM_RATE: '100', WORKERS: '1', ENCODERS: '1' };

let gateway: TestGateway;
let browser: Browser;
let opened: OpenedPage;

const pageOf = ({ url }: TestGateway) => url.replace('ws:', 'http:');
const text = (page: Page, selector: string) => page.locator(selector).first().textContent();

async function changes(page: Page, selector: string): Promise<void> {
  await page.locator(selector).first().waitFor();
  const before = await text(page, selector);
  await until(async () => (await text(page, selector)) !== before, undefined, `another text of ${selector}`);
}

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(LIVE_MARKET), launchBrowser()]);
  opened = await openPage(browser, pageOf(gateway));
});

afterAll(async () => {
  await browser?.close();
  await gateway?.stop('SIGKILL');
});

describe('R64 the demonstration page', () => {
  it('R64 is named where the gateway starts', () => {
    expect(gateway.stdout()).toContain(`  demo       ${pageOf(gateway)}/\n`);
  });

  it('R64 is worked with the keyboard alone', async () => {
    const { page } = opened;
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the market');
    await page.locator('tr[data-symbol="MSFT"] button').focus();
    await page.keyboard.press('Enter');
    await page.locator('#book-note', { hasText: 'MSFT' }).waitFor();
  });

  it('R64 shows prices, trades and frames that move', async () => {
    const { page } = opened;
    await changes(page, 'tr[data-symbol="AAPL"] td:nth-child(2)');
    await changes(page, '#tape tr td:nth-child(3)');
    await changes(page, '#wire li code');
    expect(await text(page, '#wire li code')).toMatch(/^\{"type":"/);
    expect(await text(page, '#state')).toBe('Connected');
    expect(await text(page, '#feed')).toBe('Feed live');
  });

  it('R64 verifies the checksum of every book', async () => {
    const { page } = opened;
    await changes(page, '#checksum-count');
    expect(await text(page, '#checksum-count')).not.toContain('wrong');
    expect(await page.locator('#book tr[data-side="asks"] .mid').first().textContent()).toMatch(/^[\d.,]+$/);
    // Both come from one frame.
    expect(await page.evaluate('document.querySelector("#checksum-sent").textContent')).toMatch(/^\d+$/);
    expect(await page.locator('#checksum-own').getAttribute('data-tone')).toBe('good');
  });

  it('R64 measures the bytes of both formats', async () => {
    const { page } = opened;
    await page.locator('#formats-about', { hasText: /MessagePack saves \d+ %/ }).waitFor();
    const perFrame = await page.locator('#formats td:nth-child(2)').allTextContents();
    const [json, msgpack] = perFrame.map(figure => Number.parseInt(figure, 10));
    expect(msgpack).toBeGreaterThan(0);
    expect(json).toBeGreaterThan(msgpack as number);
    await page.locator('#wire-msgpack').click();
    await page
      .locator('#wire li code', { hasText: /^[0-9a-f]{2}( [0-9a-f]{2})+/ })
      .first()
      .waitFor();
    await page.locator('#wire-json').click();
  });

  it('R64 has no serious finding of axe, in either scheme, and breaks no policy', async () => {
    expect(await accessibilityFindings(opened.page)).toEqual([]);
    expect(opened.faults).toEqual([]);
  });

  it('R64 fits a phone: symbol, price and change', async () => {
    const { page } = await openPage(browser, pageOf(gateway), { viewport: PHONE });
    await page.locator('tr[data-symbol="AAPL"]').waitFor();
    await page.locator('#wire li').first().waitFor();
    expect(await overflow(page)).toBe(0);
    expect(await page.locator('.quotes th:visible').allTextContents()).toEqual(['Symbol', 'Price', 'Change']);
    await page.context().close();
  });

  it('R64 says that the gateway is gone, and goes on with the next one', async () => {
    const { page, faults } = opened;
    const { url } = gateway;
    await gateway.stop('SIGKILL');
    await page.locator('#state', { hasText: 'reconnecting' }).waitFor();
    await page.locator('tr[data-symbol="AAPL"][data-old="true"]').waitFor();
    gateway = await startGateway({ ...LIVE_MARKET, PORT: new URL(url).port });
    await page.locator('#state', { hasText: 'Connected' }).waitFor();
    await changes(page, 'tr[data-symbol="AAPL"] td:nth-child(2)');
    expect(faults).toEqual([]);
  });
});
