/** What `millrace admin` prints for people. The texts may come from clients: `say` cleans them of control characters. */
import type { AlertRow, ConnectionRow, SubscriptionRow, UsageAnswer, UsageRow } from '../protocol/admin-rows.js';
import type { ConnectionDetail } from '../threads/admin-messages.js';
import { type Column, pairLines, tableLines } from './text-table.js';

interface Silent {
  readonly silent_threads: readonly string[];
}

interface Page extends Silent {
  readonly total: number;
  readonly next: string | null;
}

type Cell = string | number | boolean | null;
type Cells = Readonly<Record<string, Cell>>;

const silentLines = ({ silent_threads: silent }: Silent): string[] =>
  silent.length === 0 ? [] : ['', `no answer from ${silent.join(', ')}: what they serve is missing`];

function footLines(page: Page, shown: number): string[] {
  const more = page.next === null ? '' : `; more with --after ${page.next}`;
  return ['', `${shown} of ${page.total}${more}`, ...silentLines(page)];
}

const columnsOf = (titles: Readonly<Record<string, string>>): Column<Cells>[] =>
  Object.entries(titles).map(([name, title]) => ({ title, of: row => row[name] ?? null }));

/** Numbers and texts of nested objects, each with its path. */
function flat(value: object, path = ''): (readonly [string, Cell])[] {
  return Object.entries(value).flatMap(([name, member]): (readonly [string, Cell])[] => {
    const at = path === '' ? name : `${path}.${name}`;
    if (Array.isArray(member)) return flatList(member, at);
    if (typeof member === 'object' && member !== null) return flat(member, at);
    return [[at, member as Cell]];
  });
}

/** Texts share a line; objects have one for each member, under their number from 0. */
function flatList(list: readonly unknown[], at: string): (readonly [string, Cell])[] {
  if (!list.some(one => typeof one === 'object')) return [[at, list.join(', ') || null]];
  return list.flatMap((one, place) => flat(Object(one), `${at}.${place}`));
}

export const statsLines = (stats: object): string[] => pairLines(flat(stats));

const CONNECTION_COLUMNS: Column<ConnectionRow>[] = [
  { title: 'ID', of: row => row.id },
  { title: 'USER', of: row => row.user },
  { title: 'TIER', of: row => row.tier },
  { title: 'ADDRESS', of: row => row.address },
  { title: 'FORMAT', of: row => row.format },
  { title: 'AGE s', of: row => row.age_seconds },
  { title: 'TOPICS', of: row => row.subscriptions },
  { title: 'BUFFERED', of: row => row.buffered_bytes },
  { title: 'BYTES/s', of: row => row.rate_bytes_per_second },
  { title: 'DATA AGE ms', of: row => row.age_of_data_ms },
  { title: 'CIRCUIT', of: row => row.circuit },
  { title: 'STEPS', of: row => row.conflation_steps },
];

export function connectionsLines(page: Page & { readonly connections: readonly ConnectionRow[] }): string[] {
  return [...tableLines(CONNECTION_COLUMNS, page.connections), ...footLines(page, page.connections.length)];
}

const SUBSCRIPTION_COLUMNS: Column<SubscriptionRow>[] = [
  { title: 'TOPIC', of: row => row.topic },
  { title: 'CLASS', of: row => row.class },
  { title: 'SERVED', of: row => row.served_class },
  { title: 'DELAY', of: row => row.delay ?? '' },
  { title: 'STATE', of: row => row.state },
  { title: 'EPOCH', of: row => row.epoch },
  { title: 'SEQ', of: row => String(row.seq) },
];

export function connectionLines({ topics, events, ...connection }: ConnectionDetail): string[] {
  return [
    ...pairLines(flat(connection)),
    '',
    ...tableLines(SUBSCRIPTION_COLUMNS, topics),
    '',
    ...tableLines<ConnectionDetail['events'][number]>(
      [
        { title: 'TIME', of: event => event.time },
        { title: 'EVENT', of: event => event.what },
        { title: 'DETAIL', of: event => (event.detail === null ? '' : String(event.detail)) },
      ],
      events,
    ),
  ];
}

export function userLines(user: Silent & { readonly connections: readonly ConnectionRow[] }): string[] {
  const { connections, silent_threads: _, ...rest } = user;
  return [...pairLines(flat(rest)), '', ...tableLines(CONNECTION_COLUMNS, connections), ...silentLines(user)];
}

const TOPIC_COLUMNS = columnsOf({
  topic: 'TOPIC',
  subscribers: 'SUBSCRIBERS',
  rate: 'MESSAGES/s',
  state: 'STATE',
  stale: 'STALE',
  last_message_ms: 'SILENT ms',
});

export function topicsLines(page: Page & { readonly topics: readonly Cells[] }): string[] {
  return [...tableLines(TOPIC_COLUMNS, page.topics), ...footLines(page, page.topics.length)];
}

export function topicLines({ document, ...topic }: Silent & { readonly document: object | null }): string[] {
  const { silent_threads: _, ...rest } = topic;
  const text = document === null ? [] : ['', JSON.stringify(document)];
  return [...pairLines(flat(rest)), ...text, ...silentLines(topic)];
}

const THREAD_COLUMNS = columnsOf({
  name: 'THREAD',
  state: 'STATE',
  utilisation: 'UTILISATION',
  connections: 'CONNECTIONS',
  views: 'VIEWS',
  loop_delay_ms: 'LOOP DELAY ms',
  buffered_bytes: 'BUFFERED',
  queued_bytes: 'QUEUED',
  restarts: 'RESTARTS',
});

/** A share as text: a number would be rounded to one digit. */
const shareText = (share: Cell): Cell => (typeof share === 'number' ? share.toFixed(2) : share);

export function threadsLines(answer: Silent & { readonly threads: readonly Cells[] }): string[] {
  const rows = answer.threads.map(thread => ({ ...thread, utilisation: shareText(thread.utilisation ?? null) }));
  return [...tableLines(THREAD_COLUMNS, rows), ...silentLines(answer)];
}

export const feedLines = (feed: object): string[] => pairLines(flat(feed));

/** The newest alert comes last, next to the prompt. */
export function alertsLines(answer: Cells & { readonly alerts: readonly AlertRow[] }): string[] {
  const { alerts, ...rest } = answer;
  return [...pairLines(flat(rest)), ...alerts.toReversed().flatMap(alert => ['', ...alertLines(alert)])];
}

export function alertLines({ id, time, detector, symbol, users, summary, figures, evidence }: AlertRow): string[] {
  const about = symbol === null ? detector : `${detector} ${symbol}`;
  const shown = Object.entries(figures).map(([name, figure]) => `${name} ${figure}`);
  return [
    `${time} ${about} by ${users.join(', ') || 'a client without a credential'}`,
    `  ${summary}`,
    `  ${shown.join(', ')}`,
    `  alert ${id}; evidence ${evidence.join(' ')}`,
  ];
}

export const journalLines = (journal: object): string[] => pairLines(flat(journal));

const USAGE_COLUMNS: Column<UsageRow>[] = [
  { title: 'PRODUCT', of: row => row.product },
  { title: 'VENDOR', of: row => row.vendor },
  { title: 'FIRM', of: row => row.firm ?? 'all' },
  { title: 'DATA', of: row => row.data },
  { title: 'USERS', of: row => row.users },
  { title: 'PRO', of: row => row.professional },
  { title: 'NON-PRO', of: row => row.non_professional },
  { title: 'DISPLAY', of: row => row.display },
  { title: 'NON-DISPLAY', of: row => row.non_display },
  { title: 'DEVICES', of: row => row.devices },
  { title: 'AT ONCE', of: row => row.peak_connections },
];

export function usageLines({ rows, reservations, ...rest }: UsageAnswer): string[] {
  const { state } = rest;
  const lines = pairLines(flat(rest));
  if (state === 'making') return [...lines, '', 'The report is being made. Ask again in a moment.'];
  if (state !== 'ready') return lines;
  const cautions = reservations.length === 0 ? [] : ['', ...reservations];
  return [...lines, '', ...tableLines(USAGE_COLUMNS, rows), ...cautions];
}

/** Those that are set come first. */
export function configLines({ settings }: { readonly settings: readonly Cells[] }): string[] {
  const rows = [...settings].sort((a, b) => Number(a.origin !== 'set') - Number(b.origin !== 'set'));
  return tableLines(columnsOf({ name: 'SETTING', origin: 'ORIGIN', value: 'VALUE' }), rows);
}

export function revocationsLines({ revocations }: { readonly revocations: readonly Cells[] }): string[] {
  const titles = { by: 'BY', value: 'VALUE', at: 'AT', expires: 'EXPIRES', author: 'AUTHOR', reason: 'REASON' };
  return tableLines(columnsOf(titles), revocations);
}

export const endedLines = ({ id, code }: { readonly id: string; readonly code: number }): string[] => [
  `${id} ends with ${code}`,
];

export const revokedLines = (revoked: Cells): string[] => [
  `${revoked.by} ${revoked.value} is revoked ${revoked.expires === null ? 'for good' : `until ${revoked.expires}`}; kept in ${revoked.stored}`,
];

export const drainedLines = ({
  already,
  connections,
}: {
  readonly already: boolean;
  readonly connections: number;
}): string[] => [already ? 'it drains already' : `draining ${countOf(connections)}; /readyz says so`];

export const logLevelLines = ({
  level,
  configured,
}: {
  readonly level: string;
  readonly configured: string;
}): string[] => [level === configured ? level : `${level} (LOG_LEVEL is ${configured})`];

export const broadcastLines = (answer: Silent & { readonly sent: number; readonly skipped: number }): string[] => [
  `sent to ${countOf(answer.sent)}${answer.skipped === 0 ? '' : `; ${answer.skipped} do not keep up and were left out`}`,
  ...silentLines(answer),
];

const countOf = (connections: number): string => `${connections} connection${connections === 1 ? '' : 's'}`;
