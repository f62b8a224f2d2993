/** The entry of the thread that makes a usage report, so that reading a month of records does not delay the gateway. */
import { parentPort, workerData } from 'node:worker_threads';
import { openProducts } from '../../auth/products.js';
import { usageReport } from './usage.js';
import type { CalendarMonth } from './zoned-days.js';

/** What the thread is started with. */
export interface UsageThreadData {
  readonly month: CalendarMonth;
  readonly journalFolder: string;
  readonly productsFile: string;
}

const { month, journalFolder, productsFile } = workerData as UsageThreadData;
const report = await usageReport({
  month,
  products: await openProducts(productsFile),
  folders: [journalFolder],
  // One node: its pseudonyms need no joining, and its keys stay closed.
  indexesOf: () => undefined,
});
parentPort?.postMessage(report);
