/** What clients used of licensed data, month by month. */
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import type { UsageReport } from '../journal/usage/report-types.js';
import type { UsageThreadData } from '../journal/usage/usage-thread.js';
import { monthText, parseMonth } from '../journal/usage/zoned-days.js';
import { USAGE_THREAD } from '../programs.js';
import { json } from './answers.js';
import type { ApiParts } from './api.js';
import { type Route, read } from './route.js';
import { UsageReports } from './usage-reports.js';

const month = z
  .string()
  .refine(text => parseMonth(text) !== undefined, 'must be a month such as 2026-11')
  .optional();

export function usageRoutes(
  { config }: Pick<ApiParts, 'config'>,
  onFault: (what: string, cause: unknown) => void,
  timeOfDay: () => Date = () => new Date(),
): Route[] {
  const reports = new UsageReports({
    sources: () => ({ journalFolder: config().journal?.folder, productsFile: config().products.file }),
    make: reportOnThread,
    nowMs: () => performance.now(),
    timeOfDay,
    onFault,
  });
  return [
    read('/usage', { query: z.strictObject({ month }) }, ({ query }) => {
      const today = timeOfDay();
      const asked = parseMonth(query.month ?? '') ?? { year: today.getUTCFullYear(), month: today.getUTCMonth() + 1 };
      return json(reports.of(monthText(asked), asked));
    }),
  ];
}

function reportOnThread(data: UsageThreadData): Promise<UsageReport> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(USAGE_THREAD, { name: 'usage', workerData: data });
    thread.once('message', resolve);
    thread.once('error', reject);
    // After an answer, this changes nothing.
    thread.once('exit', () => reject(new Error('the thread ended without a report')));
  });
}
