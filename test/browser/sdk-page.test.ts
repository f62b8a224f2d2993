/**
 * The example page in a real browser: the bundled client against a gateway.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { connect, headers } from 'nats';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectPublisher } from '../../src/publisher/index.js';
import { chromiumBinary } from '../support/chromium.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE_DIR = join(ROOT, 'ops/examples/browser');
const BUNDLE = '/millrace-client.js';
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };
const LIVE_TIMEOUT_MS = 30_000;
/** The SDK waits up to 30 s between two attempts, by its own default, once some of them have failed. */
const RETURN_TIMEOUT_MS = 45_000;
/** A market that moves all the time. */
const MARKET = { SYMBOLS: 'AAPL,MSFT', SIM_RATE: '50', WORKERS: '1', ENCODERS: '1' };

let server: Server;
let origin: string;
let browser: Browser;
const gateways: TestGateway[] = [];
const pages: Page[] = [];
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'src/client/index.ts')],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  });
  server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://page');
    const file = pathname === '/' ? '/index.html' : pathname;
    try {
      const content = file === BUNDLE ? (outputFiles[0]?.text ?? '') : await readFile(join(PAGE_DIR, file));
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'text/plain' }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await chromium.launch({ executablePath: chromiumBinary(), headless: true, args: ['--no-sandbox'] });
});

afterEach(async () => {
  await Promise.all(pages.splice(0).map(page => page.close()));
  await Promise.all(gateways.splice(0).map(gateway => gateway.stop('SIGKILL')));
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

afterAll(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});

async function gatewayWith(env: Readonly<Record<string, string>> = {}): Promise<TestGateway> {
  const gateway = await startGateway({ ...MARKET, ALLOWED_ORIGINS: origin, ...env });
  gateways.push(gateway);
  return gateway;
}

/** The page on quotes of that gateway; what goes wrong in it is collected. */
async function openPage(gateway: TestGateway, symbols = 'AAPL,MSFT'): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.newPage();
  pages.push(page);
  const faults: string[] = [];
  page.on('pageerror', error => faults.push(String(error)));
  const query = new URLSearchParams({ url: gateway.url, token: await testToken(), symbols });
  await page.goto(`${origin}/?${query}`);
  return { page, faults };
}

const status = (page: Page) => page.locator('#status');
const price = (page: Page, symbol: string) => page.locator(`tr[data-symbol="${symbol}"] .price`);

/** Waits until the page shows other text there than now. */
async function changed(page: Page, symbol: string): Promise<void> {
  const before = (await price(page, symbol).textContent()) ?? '';
  const same = new RegExp(`^${before.replaceAll('.', '\\.')}$`);
  await price(page, symbol).filter({ hasNotText: same }).waitFor({ timeout: LIVE_TIMEOUT_MS });
}

describe('R34 a page in a browser', () => {
  it('R34 shows quotes that go on changing', async () => {
    const gateway = await gatewayWith();
    const { page, faults } = await openPage(gateway);
    await price(page, 'AAPL')
      .filter({ hasText: /^\d+(\.\d+)?$/ })
      .waitFor({ timeout: LIVE_TIMEOUT_MS });
    await changed(page, 'AAPL');
    await changed(page, 'MSFT');
    expect(await status(page).textContent()).toBe('open, feed live');
    await page.locator('tr[data-symbol="AAPL"][data-old="false"]').waitFor({ timeout: LIVE_TIMEOUT_MS });
    expect(faults).toEqual([]);
  });

  it(
    'R34 sees the gateway die, says that its quotes are old, and goes on with the next',
    async () => {
      const gateway = await gatewayWith();
      const { page, faults } = await openPage(gateway);
      await changed(page, 'AAPL');
      await gateway.stop('SIGKILL');
      await status(page)
        .filter({ hasText: /^(waiting|connecting), attempts [1-9]/ })
        .waitFor({ timeout: LIVE_TIMEOUT_MS });
      await page.locator('tr[data-symbol="AAPL"][data-old="true"]').waitFor({ timeout: LIVE_TIMEOUT_MS });
      await gatewayWith({ PORT: new URL(gateway.url).port });
      await status(page).filter({ hasText: 'open, feed live' }).waitFor({ timeout: RETURN_TIMEOUT_MS });
      await changed(page, 'AAPL');
      expect(faults).toEqual([]);
    },
    RETURN_TIMEOUT_MS * 2,
  );

  it('D4: shows ids of trades above 2^53 with all their digits', async () => {
    const nats = await startNatsServer();
    ends.push(() => nats.stop());
    const gateway = await gatewayWith({ NATS_URL: nats.url });
    const publisher = await connectPublisher({ servers: nats.url });
    ends.push(() => publisher.close());
    const { page, faults } = await openPage(gateway);
    const trade = { symbol: 'AAPL', trade_id: 8389766145050670869n, price: '10.51', quantity: '50' };
    const shown = page.locator('#trades li');
    await until(
      async () => {
        void publisher.trade(trade);
        return (await shown.count()) > 0;
      },
      LIVE_TIMEOUT_MS,
      'a trade',
    );
    expect(await shown.first().textContent()).toBe('AAPL 8389766145050670869: 50 at 10.51');
    expect(faults).toEqual([]);
  });

  it('D6: shows that the quotes of a symbol are old while a message of its publisher is missing', async () => {
    const nats = await startNatsServer();
    ends.push(() => nats.stop());
    const gateway = await gatewayWith({ NATS_URL: nats.url });
    const connection = await connect({ servers: nats.url });
    ends.push(() => connection.close());
    const publish = (seq: number, quote: object) => {
      const numbered = headers();
      numbered.set('Epoch', 'p1');
      numbered.set('Seq', String(seq));
      connection.publish('md.quotes.AAPL', JSON.stringify({ symbol: 'AAPL', ...quote }), { headers: numbered });
    };
    publish(1, { current_price: 10 });
    await connection.flush();
    const { page } = await openPage(gateway);
    await price(page, 'AAPL').filter({ hasText: '10' }).waitFor({ timeout: LIVE_TIMEOUT_MS });
    publish(3, { bid: 9, partial: true });
    await page.locator('tr[data-symbol="AAPL"][data-stale="true"]').waitFor({ timeout: LIVE_TIMEOUT_MS });
    publish(4, { current_price: 12 });
    await page.locator('tr[data-symbol="AAPL"][data-stale="false"]').waitFor({ timeout: LIVE_TIMEOUT_MS });
    expect(await price(page, 'AAPL').textContent()).toBe('12');
  });

  it('R34 J8 of an origin that is not allowed says so, and does not try for ever', async () => {
    const gateway = await gatewayWith({ ALLOWED_ORIGINS: 'https://elsewhere.example.com' });
    const { page, faults } = await openPage(gateway);
    await status(page)
      .filter({ hasText: /closed: 4503 .*origin/ })
      .waitFor({ timeout: LIVE_TIMEOUT_MS });
    expect(faults).toEqual([]);
  });

  it('R34 is told of a symbol that is not known', async () => {
    const gateway = await gatewayWith();
    const { page } = await openPage(gateway, 'NOPE');
    await status(page).filter({ hasText: 'NOPE: unknown: NOPE' }).waitFor({ timeout: LIVE_TIMEOUT_MS });
  });
});
