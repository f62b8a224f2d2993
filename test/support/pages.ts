/** The product's own pages in a real browser, with an eye on what must never happen in them. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { chromiumBinary } from './chromium.js';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
/** A phone's width in CSS pixels. */
export const PHONE = { width: 390, height: 844 };
export const DESK = { width: 1440, height: 900 };
const SCHEMES = ['light', 'dark'] as const;

export interface OpenedPage {
  readonly page: Page;
  /** Errors of scripts, and what the content-security policy blocked. */
  readonly faults: string[];
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumBinary(), headless: true, args: ['--no-sandbox'] });
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: DESK, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', error => faults.push(String(error)));
  page.on('console', message => {
    if (/content.security.policy|trusted/i.test(message.text())) faults.push(message.text());
  });
  await page.goto(url);
  return { page, faults };
}

/** What axe finds that is serious or worse, as `rule: elements`, in both colour schemes. */
export async function accessibilityFindings(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(AXE, 'utf8'));
  const found: string[] = [];
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    found.push(
      ...(await page.evaluate<string[]>(`
        axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
          .filter(({ impact }) => impact === 'serious' || impact === 'critical')
          .map(({ id, nodes }) => '${colorScheme} ' + id + ': ' + nodes.map(({ target }) => target).join(' | ')))`)),
    );
  }
  return found;
}

/** Pixels by which the page is wider than its window, or a table than its place, which cuts it off. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate<number>(`
    Math.max(...[document.documentElement, ...document.querySelectorAll('.table')]
      .map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth))`);
}
