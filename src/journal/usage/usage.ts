/** Makes the usage report of a month from the journals of all nodes. Equal journals and products give an equal report. */

import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Product, Products } from '../../auth/products.js';
import { textOf } from '../../feed-contract/error-text.js';
import { printable } from '../../observe/terminal-text.js';
import { type Chain, listChains, startOf } from '../chains.js';
import { listSegments } from '../segments.js';
import { verifyJournal } from '../verify.js';
import { Access } from './access.js';
import { type ProductMonth, productMonths } from './product-months.js';
import type { ReportedJournal, ReportedProduct, UsageReport, UserUsage } from './report-types.js';
import { type SubjectIndexes, Subjects } from './subjects.js';
import { type Period, type Survey, surveyChain } from './survey.js';
import { type Row, Tally } from './tally.js';
import { totalsOf } from './totals.js';
import { JOURNALS_MAX, refuseBeyond, UsageBoundError } from './usage-bounds.js';
import { mergeEvents, usageEvents } from './usage-events.js';
import { type CalendarMonth, monthText } from './zoned-days.js';

/** Faults that a report lists for each journal; `journal verify` lists more. */
const FAULTS_LISTED = 5;
const MICROS_PER_MS = 1000;
const MICROS_DIGITS = 3;

interface UsageOptions {
  readonly month: CalendarMonth;
  readonly products: Products;
  /** Folders of journals. */
  readonly folders: readonly string[];
  /** The indexes of a journal's subjects; undefined where its keys cannot be read. */
  readonly indexesOf: (folder: string) => SubjectIndexes | undefined;
}

/** There can be no report: no journal, a damaged one, the same one twice, or no product. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

interface SurveyedChain {
  readonly name: string;
  readonly chain: Chain;
  readonly survey: Survey;
  readonly indexes: SubjectIndexes | undefined;
}

/** @throws {UsageError | UsageBoundError} when there can be no report; {Error} when a file cannot be read */
export async function usageReport({ month, products, folders, indexesOf }: UsageOptions): Promise<UsageReport> {
  if (products.list.length === 0) throw new UsageError('there are no products to report');
  const months = productMonths(products.list, month);
  const period = {
    fromMicros: Math.min(...months.map(({ fromMicros }) => fromMicros)),
    toMicros: Math.max(...months.map(({ toMicros }) => toMicros)),
  };
  const chains = await surveyAll(folders, period, indexesOf);
  const users = new Subjects(chains.map(({ indexes }) => indexes ?? new Map()));
  const addresses = new Subjects(chains.map(({ indexes }) => indexes ?? new Map()));
  const tally = new Tally(months);
  const access = new Access({ products, months, users, addresses, tally, chains: chains.length });
  const events = chains.map(({ survey }, at) => usageEvents(at, survey, period));
  for await (const event of mergeEvents(events)) access.take(event);
  access.finish();
  for (const row of tally.rows) noteUseOnFirstDay(row, months[row.product]);
  return {
    month: monthText(month),
    complete: chains.some(({ survey }) => survey.isComplete),
    users_joined: chains.some(({ indexes }) => indexes !== undefined),
    products: months.map(reportedProduct),
    journals: await Promise.all(chains.map(reportedJournal)),
    totals: totalsOf(tally, months).sort((a, b) => compare(totalOrder(a), totalOrder(b))),
    users: Array.from(tally.rows, row => userUsage(row, products.list, users)).sort((a, b) =>
      compare(userOrder(a), userOrder(b)),
    ),
    not_counted: {
      subscriptions_without_product: access.doubts.withoutProduct,
      subscriptions_without_connection: access.doubts.withoutConnection,
      credentials_with_cut_entitlements: access.doubts.cutEntitlements,
    },
  };
}

/** In the order of node and folder: the report does not depend on the order of the arguments. */
async function surveyAll(
  folders: readonly string[],
  period: Period,
  indexesOf: UsageOptions['indexesOf'],
): Promise<readonly SurveyedChain[]> {
  refuseBeyond(folders.length, JOURNALS_MAX, 'folders');
  const found: SurveyedChain[] = [];
  const real = new Set<string>();
  for (const folder of folders) {
    const path = realpathSync(folder);
    if (real.has(path)) throw new UsageError(`${folder} is given twice`);
    real.add(path);
    const chains = listChains(folder);
    if (chains.length === 0) throw new UsageError(`${folder} holds no journal`);
    const indexes = indexesOf(folder);
    for (const chain of chains) {
      const name = chain.prefix === '' ? folder : join(folder, chain.prefix.replace(/\/$/, ''));
      const survey = await surveyOf(name, chain, period);
      const same = found.find(({ survey: other }) => isSameJournal(survey, other));
      if (same !== undefined) throw new UsageError(`${name} and ${same.name} hold the same journal`);
      found.push({ name, chain, survey, indexes });
    }
  }
  return found.sort((a, b) => compare([a.survey.node, a.name], [b.survey.node, b.name]));
}

async function surveyOf(name: string, { folder }: Chain, period: Period): Promise<Survey> {
  try {
    return await surveyChain(listSegments(folder), period);
  } catch (cause) {
    if (cause instanceof UsageBoundError) throw cause;
    const reason = textOf(cause);
    throw new UsageError(`${name} cannot be read: ${reason}; see millrace journal verify`, { cause });
  }
}

const isSameJournal = (a: Survey, b: Survey): boolean =>
  a.lastBlock !== undefined && a.lastBlock.hash === b.lastBlock?.hash;

/** Whoever used real-time data was entitled to it, even where the journal does not list all entitlements. */
function noteUseOnFirstDay(row: Row, month: ProductMonth | undefined): void {
  if (row.isDelayed || row.account.user === undefined || row.firstMicros === undefined) return;
  row.isEntitled = true;
  const day = month?.month.firstWorkingDay;
  if (day !== undefined && (row.days & (1 << day)) !== 0) row.isEntitledOnFirstDay = true;
}

function userUsage(row: Row, products: readonly Product[], users: Subjects): UserUsage {
  const { user, firm, professional, use } = row.account;
  const product = products[row.product];
  return {
    vendor: product?.vendor ?? '',
    product: product?.code ?? '',
    data: row.isDelayed ? 'delayed' : 'realtime',
    firm: firm ?? null,
    user: user === undefined ? null : users.nameOf(user),
    professional: professional ?? null,
    use: use ?? null,
    entitled: row.isEntitled,
    entitled_first_working_day: row.isEntitledOnFirstDay,
    first_use: timeText(row.firstMicros),
    last_use: timeText(row.lastMicros),
    days_used: bitsIn(row.days),
    peak_connections: row.atOnce.max,
    locations: row.locations.size,
  };
}

function reportedProduct({ product, month, fromMicros, toMicros }: ProductMonth): ReportedProduct {
  const { firstWorkingDay } = month;
  return {
    code: product.code,
    vendor: product.vendor,
    topics: product.topics,
    time_zone: product.timeZone,
    from: timeText(fromMicros) ?? '',
    to: timeText(toMicros) ?? '',
    first_working_day: firstWorkingDay === undefined ? null : (month.days[firstWorkingDay] ?? null),
  };
}

async function reportedJournal({ name, chain, survey }: SurveyedChain): Promise<ReportedJournal> {
  const { folder } = chain;
  const { faults } = await verifyJournal({ folder, start: startOf(chain), notes: [], key: undefined });
  return {
    folder: name,
    node: printable(survey.node),
    from: timeText(survey.fromMicros),
    to: timeText(survey.toMicros),
    records: survey.records,
    last_block: survey.lastBlock?.block ?? null,
    last_hash: survey.lastBlock?.hash ?? null,
    verified: faults.length === 0,
    faults: faults.slice(0, FAULTS_LISTED).map(({ where, what }) => `${where}: ${what}`),
    dropped_records: survey.dropped,
    unreadable_lines: survey.unreadable,
    clock_set_back: survey.clockSetBack,
  };
}

const SCOPES: readonly string[] = ['vendor', 'vendor_firm', 'product', 'product_firm'];
const DATA: readonly string[] = ['realtime', 'delayed'];
type Sortable = readonly (string | number)[];

const totalOrder = ({ scope, vendor, product, firm, data }: UsageReport['totals'][number]): Sortable => [
  SCOPES.indexOf(scope),
  vendor,
  product ?? '',
  firm ?? '',
  DATA.indexOf(data),
];

const userOrder = ({ vendor, product, data, firm, user, professional, use }: UserUsage): Sortable => [
  vendor,
  product,
  DATA.indexOf(data),
  firm ?? '',
  user ?? '',
  String(professional),
  use ?? '',
];

/** By code units, so that it is the same in every locale. */
function compare(a: Sortable, b: Sortable): number {
  for (const [at, one] of a.entries()) {
    const other = b[at] ?? '';
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

function bitsIn(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** RFC 3339 with six digits of the second. */
function timeText(micros: number | undefined): string | null {
  if (micros === undefined) return null;
  const ms = Math.floor(micros / MICROS_PER_MS);
  const rest = String(Math.floor(micros - ms * MICROS_PER_MS)).padStart(MICROS_DIGITS, '0');
  return new Date(ms).toISOString().replace('Z', `${rest}Z`);
}
