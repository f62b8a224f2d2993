/** The report as one HTML page that can be printed or kept as a PDF. It loads nothing, and needs no script. */
import { printable } from '../../observe/terminal-text.js';
import { Markup, markup } from './markup.js';
import { REPORT_STYLE } from './report-style.js';
import type { ReportedJournal, ReportedProduct, UsageReport, UsageTotal, UserUsage } from './report-types.js';
import { counted, reservations } from './reservations.js';

const NONE = '–';
const FIRST_DAY = 'Entitled on first working day';

interface Column<Row> {
  readonly title: string;
  readonly of: (row: Row) => string | number | Markup;
  /** How the cells look; the first column names the row. */
  readonly look?: 'number' | 'short' | 'name' | 'hash';
}

export function usageHtml(report: UsageReport): string {
  const { month, products, journals, totals } = report;
  const title = `Usage of market data, ${monthName(month)}`;
  const ofScope = (...scopes: readonly UsageTotal['scope'][]) => totals.filter(({ scope }) => scopes.includes(scope));
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Markup(REPORT_STYLE)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="muted">${counted(products.length, 'product')}, from ${counted(journals.length, 'journal')}. ${joinText(report)}
The month begins and ends at midnight in the time zone of each product.</p>
${reservationBox(report)}</header>
<main>
<section><h2>By vendor</h2>
${table('Each user counts once over the products of a vendor (netted). Gross: once per product.', vendorColumns(), ofScope('vendor'))}</section>
<section><h2>By product</h2>
${table('All firms together.', productColumns(), ofScope('product'))}</section>
${firmSection(ofScope('vendor_firm', 'product_firm'))}${products.map(product => productSection(product, report))}
<section class="sheet"><h2>Made from</h2>
${table('The journals, up to the last block that was read, with its hash, which covers all blocks before it.', JOURNAL_COLUMNS, journals)}
${leftOut(report)}</section>
<section><h2>How to read it</h2>
${EXPLANATIONS.map(([term, text]) => markup`<p><b>${term}.</b> ${text}</p>\n`)}</section>
</main>
</body>
</html>
`.text;
}

const EXPLANATIONS: readonly (readonly [string, string])[] = [
  ['User', 'A pseudonym. Anonymous connections have no user; they count as devices, locations and connections.'],
  [
    'Use',
    'From the start of a subscription to a topic of the product until its end. Days begin at midnight in the time zone of the product.',
  ],
  [
    FIRST_DAY,
    'On the first working day of the month in the time zone of the product, the user was connected with a credential that grants the product in real time.',
  ],
  ['Devices', 'Distinct pairs of user and address. Locations: distinct addresses.'],
  ['Peak', 'The most connections that used the data at the same moment, over all nodes.'],
];

function joinText({ users_joined: isJoined }: UsageReport): string {
  return isJoined
    ? 'A user of several nodes that share an index key counts once.'
    : 'Each pseudonym counts as a user: a user of several nodes may count once per node.';
}

function reservationBox(report: UsageReport): Markup {
  const lines = reservations(report);
  if (lines.length === 0) return markup``;
  return markup`<div class="reservations"><b>Read with care</b><ul>${lines.map(line => markup`<li>${line}</li>`)}</ul></div>\n`;
}

function firmSection(totals: readonly UsageTotal[]): Markup {
  if (totals.length === 0) return markup``;
  const firms = [...new Set(totals.map(({ firm }) => firm ?? ''))].sort();
  const rows = firms.flatMap(name => totals.filter(({ firm }) => firm === name));
  return markup`<section><h2>By firm</h2>
${table('Firms as credentials name them.', [{ title: 'Firm', of: firmText, look: 'name' }, ...productColumns()], rows)}</section>\n`;
}

function productSection(product: ReportedProduct, { users, totals }: UsageReport): Markup {
  const { code, vendor, topics, time_zone: timeZone, from, to, first_working_day: day } = product;
  const rows = users.filter(row => row.product === code);
  const sums = totals.filter(({ scope, product: of }) => scope === 'product' && of === code);
  const time = clockOf(timeZone);
  return markup`<section class="sheet"><h2>${code} (${vendor})</h2>
<dl><dt>Topics</dt><dd>${topics.map(topic => markup`<code>${topic}</code> `)}</dd>
<dt>Month</dt><dd>${time(from)} to ${time(to)}, ${timeZone}</dd>
<dt>First working day</dt><dd>${day ?? NONE}</dd></dl>
${rows.length === 0 ? markup`<p>No users and no use.</p>` : table(`Times in ${timeZone}.`, userColumns(time), rows, sums.map(sumRow))}</section>\n`;
}

function table<Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  sums: readonly Markup[] = [],
): Markup {
  if (rows.length === 0) return markup`<p>None.</p>`;
  const heads = columns.map(({ title, look }) => markup`<th scope="col"${classOf(look)}>${title}</th>`);
  const lines = rows.map(row => {
    const cells = columns.map(({ of, look }, at) => {
      const tag = new Markup(at === 0 ? 'th scope="row"' : 'td');
      return markup`<${tag}${classOf(look)}>${of(row)}</${new Markup(at === 0 ? 'th' : 'td')}>`;
    });
    return markup`<tr>${cells}</tr>\n`;
  });
  return markup`<p class="muted">${caption}</p>
<div class="table" tabindex="0" role="region" aria-label="${caption}"><table>
<thead><tr>${heads}</tr></thead>
<tbody>
${lines}${sums}</tbody></table></div>
`;
}

const classOf = (look: string | undefined): Markup => (look === undefined ? markup`` : markup` class="${look}"`);

const firmText = ({ firm }: { readonly firm: string | null }): string => (firm === null ? NONE : printable(firm));

const dataText = (data: UsageTotal['data']): string => (data === 'realtime' ? 'real-time' : 'delayed');

function userColumns(time: (text: string) => string): readonly Column<UserUsage>[] {
  return [
    { title: 'User', of: ({ user }) => (user === null ? 'anonymous' : markup`<code>${user}</code>`) },
    { title: 'Firm', of: firmText, look: 'name' },
    { title: 'Status', of: ({ professional }) => statusText(professional) },
    { title: 'Use', of: ({ use }) => use ?? NONE, look: 'name' },
    { title: 'Data', of: ({ data }) => dataText(data), look: 'short' },
    { title: FIRST_DAY, of: row => (row.entitled_first_working_day ? 'yes' : 'no') },
    { title: 'First use', of: ({ first_use: at }) => (at === null ? NONE : time(at)), look: 'short' },
    { title: 'Last use', of: ({ last_use: at }) => (at === null ? NONE : time(at)), look: 'short' },
    { title: 'Days', of: ({ days_used: days }) => days, look: 'number' },
    { title: 'Peak', of: ({ peak_connections: peak }) => peak, look: 'number' },
    { title: 'Locations', of: ({ locations }) => locations, look: 'number' },
  ];
}

/** Under the columns of {@link userColumns}. */
function sumRow(total: UsageTotal): Markup {
  const { data, users, users_entitled_first_working_day: entitled, devices, peak_connections: peak, locations } = total;
  return markup`<tr class="sum"><th scope="row">${counted(users, 'user')}</th><td colspan="3">${counted(devices, 'device')}</td>
<td class="short">${dataText(data)}</td><td>${entitled}</td><td colspan="3"></td><td class="number">${peak}</td><td class="number">${locations}</td></tr>\n`;
}

function statusText(professional: boolean | null): string {
  if (professional === null) return NONE;
  return professional ? 'professional' : 'non-prof.';
}

function vendorColumns(): readonly Column<UsageTotal>[] {
  return [{ title: 'Vendor', of: ({ vendor }) => vendor, look: 'name' }, ...figureColumns(true)];
}

function productColumns(): readonly Column<UsageTotal>[] {
  const product = ({ vendor, product: code }: UsageTotal): string => (code === null ? `${vendor}, netted` : code);
  return [{ title: 'Product', of: product, look: 'name' }, ...figureColumns(false)];
}

function figureColumns(withGross: boolean): readonly Column<UsageTotal>[] {
  const number = (title: string, of: (row: UsageTotal) => number): Column<UsageTotal> => ({
    title,
    of,
    look: 'number',
  });
  return [
    { title: 'Data', of: ({ data }) => dataText(data), look: 'short' },
    number('Users', ({ users }) => users),
    ...(withGross ? [number('Gross', ({ users_gross: users }) => users)] : []),
    number('Profes­sional', ({ users_professional: users }) => users),
    number('Non-prof.', ({ users_non_professional: users }) => users),
    number('Display', ({ users_display: users }) => users),
    number('Non-display', ({ users_non_display: users }) => users),
    number(FIRST_DAY, ({ users_entitled_first_working_day: users }) => users),
    number('Devices', ({ devices }) => devices),
    number('Loca­tions', ({ locations }) => locations),
    number('Peak', ({ peak_connections: peak }) => peak),
  ];
}

const JOURNAL_COLUMNS: readonly Column<ReportedJournal>[] = [
  { title: 'Journal', of: ({ folder }) => folder, look: 'hash' },
  { title: 'Node', of: ({ node }) => node },
  { title: 'From (UTC)', of: ({ from }) => utcText(from), look: 'short' },
  { title: 'To (UTC)', of: ({ to }) => utcText(to), look: 'short' },
  { title: 'Records', of: ({ records }) => records, look: 'number' },
  { title: 'Block', of: ({ last_block: block }) => block ?? NONE, look: 'number' },
  { title: 'Hash', of: ({ last_hash: hash }) => (hash === null ? NONE : markup`<code>${hash}</code>`), look: 'hash' },
  {
    title: 'Chain',
    of: ({ verified }) =>
      verified ? markup`<span class="good">intact</span>` : markup`<span class="bad">changed</span>`,
  },
];

function leftOut({ not_counted: { subscriptions_without_product: count } }: UsageReport): Markup {
  if (count === 0) return markup``;
  return markup`<p class="muted">${counted(count, 'subscription')} to topics that belong to no product are not in this report.</p>\n`;
}

/** `2026-11-02 08:00`, without the fractions that the other formats have. */
const utcText = (text: string | null): string => text?.slice(0, 16).replace('T', ' ') ?? NONE;

/** Times as a clock in the zone shows them: `02 Nov 08:00`. */
function clockOf(timeZone: string): (text: string) => string {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    day: '2-digit',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  return text => format.format(Date.parse(text)).replace(',', '');
}

function monthName(month: string): string {
  return new Intl.DateTimeFormat('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' }).format(
    Date.parse(`${month}-01T00:00:00Z`),
  );
}
