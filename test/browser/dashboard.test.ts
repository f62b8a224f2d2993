/**
 * The dashboard in a real browser, in front of a gateway with clients.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { JournalFolder } from '../support/journal/folder.js';
import {
  accessibilityFindings,
  DESK,
  launchBrowser,
  type OpenedPage,
  openPage,
  overflow,
  PHONE,
} from '../support/pages.js';
import { until } from '../support/until.js';

const MARKET = { SYMBOLS: 'AAPL,MSFT,BTC/USDT', SIM_RATE: '100', WORKERS: '1', ENCODERS: '1', NODE_NAME: 'gw-test' };
const ADMIN_TOKEN = 'an-admin-token-of-more-than-32-bytes';
const TABLET = { width: 800, height: 900 };
const LAPTOP = { width: 1280, height: 800 };
/** A user’s name is a text from outside. */
const HOSTILE = '<img src=x onerror=alert(1)>';

let gateway: TestGateway;
let browser: Browser;
let opened: OpenedPage;
let clients: TestClient[];

const dashboard = ({ adminUrl }: TestGateway, hash = '') => `${adminUrl}/dashboard${hash}`;
const factOf = (page: Page, term: string) => page.locator(`dt:text-is("${term}") + dd`).first();
const main = (page: Page) => page.locator('main');

async function changes(page: Page, term: string): Promise<void> {
  const fact = factOf(page, term);
  const before = await fact.textContent();
  await until(async () => (await fact.textContent()) !== before, undefined, `another ${term}`);
}

async function visit(page: Page, hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
}

async function connect(sub: string): Promise<TestClient> {
  return TestClient.connect(`${gateway.url}/ws/quotes?symbols=AAPL,MSFT&token=${await testToken({ sub })}`);
}

/** For axe in both schemes, and without scrolling sideways at any width. */
async function readsWell({ page, faults }: OpenedPage): Promise<void> {
  expect(await accessibilityFindings(page)).toEqual([]);
  for (const size of [PHONE, TABLET, LAPTOP, DESK]) {
    await page.setViewportSize(size);
    expect(await overflow(page), `at ${size.width} px`).toBe(0);
  }
  expect(faults).toEqual([]);
}

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(MARKET), launchBrowser()]);
  clients = [await connect('alice'), await connect('bob'), await connect(HOSTILE)];
  opened = await openPage(browser, dashboard(gateway));
});

afterAll(async () => {
  for (const { socket } of clients ?? []) socket.terminate();
  await browser?.close();
  await gateway?.stop('SIGKILL');
});

describe('R64 the dashboard', () => {
  it('R64 is named where the gateway starts', () => {
    expect(gateway.stdout()).toContain(`  dashboard  ${dashboard(gateway)}\n`);
  });

  it('R64 shows connections, messages, threads and feed, as they change', async () => {
    const { page } = opened;
    await page.locator('#state', { hasText: 'Ready, feed live' }).waitFor();
    await factOf(page, 'Open of 10,000').filter({ hasText: /^3$/ }).waitFor();
    await factOf(page, 'Messages out/s')
      .filter({ hasText: /^[1-9]/ })
      .waitFor();
    await changes(page, 'Messages');
    await page.getByRole('cell', { name: 'gateway-0', exact: true }).waitFor();
    expect(await factOf(page, 'Source').textContent()).toBe('simulator');
    expect(await page.locator('figure.chart canvas').count()).toBe(8);
  });

  it('R64 says that the gateway is gone, and goes on with the next one', async () => {
    const page = opened.page;
    const { url, adminUrl } = gateway;
    await gateway.stop('SIGKILL');
    await page.locator('#outage', { hasText: 'has not answered since' }).waitFor();
    gateway = await startGateway({ ...MARKET, PORT: new URL(url).port, ADMIN_PORT: new URL(adminUrl).port });
    clients = [await connect('alice'), await connect('bob'), await connect(HOSTILE)];
    await page.locator('#outage').waitFor({ state: 'hidden' });
    await page.locator('#uptime', { hasText: 'Restarted' }).waitFor();
    await factOf(page, 'Open of 10,000').filter({ hasText: /^3$/ }).waitFor();
    expect(opened.faults).toEqual([]);
  });

  it('R64 lists connections, filtered, with texts from outside as texts', async () => {
    const { page } = opened;
    await visit(page, '#/connections');
    await page.getByRole('link', { name: HOSTILE, exact: true }).waitFor();
    expect(await page.locator('main img').count()).toBe(0);
    await page.getByLabel('User', { exact: true }).fill('bob');
    await page.keyboard.press('Enter');
    await page.locator('.note', { hasText: '1 of 1' }).waitFor();
    expect(await page.getByRole('link', { name: 'alice' }).count()).toBe(0);
  });

  it('R64 shows a connection with its last events, and ends it with a reason', async () => {
    const { page } = opened;
    const ours = clients[1] as TestClient;
    await page.locator('main td a').first().click();
    await page.locator('h1', { hasText: 'Connection ' }).waitFor();
    await page.getByRole('cell', { name: 'quotes:AAPL' }).first().waitFor();
    expect(await page.getByRole('region', { name: 'Events' }).getByRole('row').count()).toBeGreaterThan(1);
    const end = page.getByRole('button', { name: 'End this connection' });
    await end.click();
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    expect(ours.closed).toBeUndefined();
    await end.click();
    await page.getByLabel('Reason, for the log').fill('test of the dashboard');
    await page.getByRole('button', { name: 'End it' }).click();
    await until(() => ours.closed, undefined, 'the end of the connection');
    expect(ours.closed?.code).toBe(1001);
    await page.locator('main', { hasText: 'No longer connected' }).waitFor();
    await until(() => gateway.log().includes('test of the dashboard'), undefined, 'the reason in the log');
  });

  it('R64 R34 follows a topic live through the SDK', async () => {
    const { page, faults } = opened;
    await visit(page, '#/topics');
    await page.getByRole('link', { name: 'quotes:AAPL', exact: true }).click();
    await factOf(page, 'State').filter({ hasText: 'live' }).waitFor();
    await main(page).locator('dd', { hasText: 'connected, feed live' }).waitFor();
    await changes(page, 'current_price');
    await page.locator('.frames li code', { hasText: '"quotes_patch"' }).first().waitFor();
    expect(await factOf(page, 'Lag from the gateway').textContent()).toMatch(/ m?s$/);
    await visit(page, '#/topics/depth%3ABTC%2FUSDT');
    await page.locator('dt', { hasText: /^Ask / }).first().waitFor();
    expect(faults).toEqual([]);
  });

  it('R64 sends a notice after asking', async () => {
    const { page } = opened;
    await visit(page, '#/actions');
    await page.getByLabel('Message').fill('Maintenance at 22:00 UTC');
    await page.getByLabel('Severity').selectOption('warning');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.getByRole('button', { name: 'Send it' }).click();
    await page.locator('#said', { hasText: 'Sent to' }).waitFor();
    const notice = () => clients[0]?.frames.find(({ type }) => type === 'notice');
    expect(await until(notice, undefined, 'the notice')).toMatchObject({
      severity: 'warning',
      message: 'Maintenance at 22:00 UTC',
    });
  });

  it('R64 drains only for someone who types the name of the node', async () => {
    const { page } = opened;
    await page.getByRole('button', { name: 'Drain this gateway' }).click();
    const drain = page.getByRole('button', { name: 'Drain it' });
    expect(await drain.isDisabled()).toBe(true);
    await page.getByLabel('Type gw-test to confirm').fill('gw-test');
    expect(await drain.isEnabled()).toBe(true);
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
  });

  it.each([
    ['overview', '#/', 'figure.chart'],
    ['connections', '#/connections', 'main td a'],
    ['a user', '#/users/alice', 'main td a'],
    ['topics', '#/topics', 'main td a'],
    ['a topic', '#/topics/quotes%3AMSFT', '.frames li'],
    ['alerts, of which there is none', '#/alerts', 'main .empty'],
    ['records, without a journal', '#/records', 'main code:text-is("JOURNAL_DIR")'],
    ['actions', '#/actions', 'textarea'],
  ])(
    'R64 %s: nothing serious for axe, in either scheme, and no scrolling sideways at any width',
    async (_, hash, ready) => {
      const { page } = opened;
      await visit(page, hash);
      await page.locator(ready).first().waitFor();
      await readsWell(opened);
    },
  );

  it('R64 asks for the token, once it is needed, and keeps it for the tab alone', async () => {
    const guarded = await startGateway({ ...MARKET, ADMIN_TOKEN });
    const { page, faults } = await openPage(browser, dashboard(guarded));
    await page.getByLabel('ADMIN_TOKEN').fill('not-the-token');
    await page.keyboard.press('Enter');
    await page.locator('dialog', { hasText: 'refused' }).waitFor();
    await page.getByLabel('ADMIN_TOKEN').fill(ADMIN_TOKEN);
    await page.keyboard.press('Enter');
    await page.locator('#state', { hasText: 'Ready' }).waitFor();
    expect(await page.evaluate('localStorage.length + document.cookie.length')).toBe(0);
    await page.reload();
    await page.locator('#state', { hasText: 'Ready' }).waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
    await guarded.stop('SIGKILL');
  });
});

describe('R64 the dashboard of a gateway with a journal and surveillance', () => {
  const folder = new JournalFolder();
  let watched: TestGateway;
  let at: OpenedPage;
  let nervous: TestClient;

  beforeAll(async () => {
    const products = [{ code: 'SIM', vendor: 'Simulated', topics: ['quotes:*'] }];
    const productsFile = join(folder.base, 'products.json');
    writeFileSync(productsFile, JSON.stringify({ products }), { mode: 0o600 });
    watched = await startGateway({ ...MARKET, ...folder.env, PRODUCTS_FILE: productsFile, SURVEILLANCE: 'on' });
    const token = await testToken({ sub: HOSTILE, firm: HOSTILE, professional: true, use: 'display' });
    nervous = await TestClient.connect(`${watched.url}/ws/quotes?symbols=AAPL&token=${token}`);
    at = await openPage(browser, dashboard(watched, '#/alerts'));
  });
  afterAll(async () => {
    nervous?.socket.terminate();
    await watched?.stop('SIGKILL');
    folder.remove();
  });

  it('R64 R72 shows an alert as it comes, its figures, and its evidence when the reader opens it', async () => {
    const { page } = at;
    await page.locator('main .empty', { hasText: 'Nothing was found' }).waitFor();
    for (let n = 0; n < 8; n++) {
      nervous.send({ action: 'unsubscribe', stream: 'quotes', symbols: ['MSFT'] });
      nervous.send({ action: 'subscribe', stream: 'quotes', symbols: ['MSFT'] });
    }
    const card = page.getByRole('list', { name: 'Alerts' }).getByRole('listitem').first();
    await card.getByRole('heading', { name: 'Client churn' }).waitFor();
    expect(await factOf(page, 'Changes').textContent()).toMatch(/^\d+$/);
    expect(await card.getByRole('link', { name: HOSTILE, exact: true }).count()).toBe(1);
    expect(await page.locator('main img').count()).toBe(0);
    const evidence = card.locator('.ids li', { hasText: 'quotes:MSFT' });
    expect(await evidence.isVisible()).toBe(false);
    await card.locator('summary').focus();
    await page.keyboard.press('Enter');
    await evidence.waitFor();
    // The next answers of the gateway leave what is open, and what has the focus.
    const another = changes(page, 'Events judged');
    nervous.send({ action: 'unsubscribe', stream: 'quotes', symbols: ['MSFT'] });
    await another;
    expect(await evidence.isVisible()).toBe(true);
    expect(await page.evaluate('document.activeElement.tagName')).toBe('SUMMARY');
    await readsWell(at);
  });

  it('R64 R74 shows the state of the journal, and the usage of the month', async () => {
    const { page } = at;
    await visit(page, '#/records');
    await page.locator('.pill', { hasText: /^writing$/ }).waitFor();
    expect(await factOf(page, 'New connections').textContent()).toBe('admitted');
    await changes(page, 'Records since the start');
    const usage = page.getByRole('table', { name: 'Usage' });
    await usage.getByRole('cell', { name: 'SIM, Simulated' }).first().waitFor();
    expect(await usage.getByRole('row').nth(1).textContent()).toBe('SIM, Simulatedall firmsreal time11 of 11 of 111');
    expect(await usage.getByRole('cell', { name: HOSTILE, exact: true }).count()).toBe(1);
    expect(await page.locator('.note code', { hasText: /^millrace journal usage$/ }).count()).toBe(1);
    await page.locator('.cautions li', { hasText: 'The month is not complete' }).waitFor();
    await readsWell(at);
  });

  it('R64 R70 says that the journal fails, and why', async () => {
    const { page } = at;
    renameSync(folder.path, `${folder.path}-gone`);
    writeFileSync(folder.path, '');
    await page.locator('.pill', { hasText: /^failing$/ }).waitFor();
    await page.locator('.problem', { hasText: 'ENOTDIR' }).waitFor();
    await readsWell(at);
  });
});
