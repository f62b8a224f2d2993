/** Usage reports for the admin API: made from the gateway's own journal on request, and kept for a while. */

import { join } from 'node:path';
import { textOf } from '../feed-contract/error-text.js';
import { TAKEOVER_FOLDER } from '../journal/chains.js';
import { bytesOf, listSegments } from '../journal/segments.js';
import type { UsageReport } from '../journal/usage/report-types.js';
import { reservations } from '../journal/usage/reservations.js';
import type { UsageThreadData } from '../journal/usage/usage-thread.js';
import type { CalendarMonth } from '../journal/usage/zoned-days.js';
import type { UsageAnswer, UsageRow } from '../protocol/admin-rows.js';

/** How long a report is reused. */
const FRESH_MS = 5 * 60_000;
/** How long a failure is: enough that a page which asks each second does not keep the gateway reading a broken journal. */
const FAILED_MS = 5_000;
/** Most months kept; beyond that, the oldest report is dropped. */
const MONTHS_MAX = 12;
const ROWS_MAX = 500;
/** Compressed and open segments. Reading more would compete with clients for too long. */
const JOURNAL_BYTES_MAX = 2 * 1024 ** 3;

/** Where the report comes from; undefined where not set. */
interface UsageSources {
  readonly journalFolder: string | undefined;
  readonly productsFile: string | undefined;
}

interface UsageReportsOptions {
  readonly sources: () => UsageSources;
  /** Makes a report, on another thread. */
  readonly make: (job: UsageThreadData) => Promise<UsageReport>;
  /** A monotonic clock. */
  readonly nowMs: () => number;
  readonly timeOfDay: () => Date;
  readonly onFault: (what: string, cause: unknown) => void;
}

type Made = Pick<UsageAnswer, 'state' | 'reason' | 'rows' | 'more' | 'reservations'> & {
  readonly atMs: number;
  readonly madeAt: string;
};

/** No report. Every answer has its members in this order. */
const NOTHING = { state: 'off', reason: null, made_at: null, rows: [], more: 0, reservations: [] } as const;

export class UsageReports {
  readonly #options: UsageReportsOptions;
  readonly #made = new Map<string, Made>();
  /** The month that is being made. */
  #making: string | undefined;

  constructor(options: UsageReportsOptions) {
    this.#options = options;
  }

  /** The newest report of the month. Starts another one if there is none, or it is old. */
  of(month: string, calendarMonth: CalendarMonth): UsageAnswer {
    const { sources, nowMs } = this.#options;
    const { journalFolder, productsFile } = sources();
    if (journalFolder === undefined || productsFile === undefined) {
      const missing = journalFolder === undefined ? 'JOURNAL_DIR' : 'PRODUCTS_FILE';
      return { month, ...NOTHING, reason: `${missing} is not set` };
    }
    const made = this.#made.get(month);
    const isFresh = made !== undefined && nowMs() - made.atMs < (made.state === 'failed' ? FAILED_MS : FRESH_MS);
    if (!isFresh && this.#making === undefined) {
      const reason = tooLarge(journalFolder);
      if (reason !== undefined) return { month, ...NOTHING, state: 'failed', reason };
      void this.#make(month, { month: calendarMonth, journalFolder, productsFile });
    }
    if (made === undefined) return { month, ...NOTHING, state: 'making' };
    const { atMs: _, madeAt, ...answer } = made;
    return { month, ...NOTHING, ...answer, made_at: madeAt };
  }

  async #make(month: string, job: UsageThreadData): Promise<void> {
    const { make, onFault } = this.#options;
    this.#making = month;
    try {
      const report = await make(job);
      this.#keep(month, answerOf(report));
    } catch (cause) {
      onFault('the usage report was not made', cause);
      const reason = textOf(cause);
      this.#keep(month, { state: 'failed', reason, rows: [], more: 0, reservations: [] });
    } finally {
      this.#making = undefined;
    }
  }

  #keep(month: string, answer: Omit<Made, 'atMs' | 'madeAt'>): void {
    const { nowMs, timeOfDay } = this.#options;
    this.#made.delete(month);
    this.#made.set(month, { ...answer, atMs: nowMs(), madeAt: timeOfDay().toISOString() });
    const [oldest] = this.#made.keys();
    if (this.#made.size > MONTHS_MAX && oldest !== undefined) this.#made.delete(oldest);
  }
}

function answerOf(report: UsageReport): Omit<Made, 'atMs' | 'madeAt'> {
  const rows = report.totals.flatMap((total): UsageRow[] => {
    const { vendor, product, firm, data, users, devices, peak_connections } = total;
    if (product === null) return [];
    return [
      {
        vendor,
        product,
        firm,
        data,
        users,
        professional: total.users_professional,
        non_professional: total.users_non_professional,
        display: total.users_display,
        non_display: total.users_non_display,
        devices,
        peak_connections,
      },
    ];
  });
  return {
    state: 'ready',
    reason: null,
    rows: rows.slice(0, ROWS_MAX),
    more: Math.max(0, rows.length - ROWS_MAX),
    reservations: reservations(report),
  };
}

/** Why the journal is not read here; undefined when it is. */
function tooLarge(folder: string): string | undefined {
  // The second chain is one that a process wrote while another held the folder.
  const bytes = bytesIn(folder) + bytesIn(join(folder, TAKEOVER_FOLDER));
  if (bytes <= JOURNAL_BYTES_MAX) return undefined;
  return 'the journal is too large to be read beside clients; run `millrace journal usage` on another machine';
}

/** 0 for a folder that cannot be read: the report says why. */
function bytesIn(folder: string): number {
  try {
    return bytesOf(listSegments(folder));
  } catch {
    return 0;
  }
}
