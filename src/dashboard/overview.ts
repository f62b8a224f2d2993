/** The first page: how the gateway does, over the last minutes and now. */
import type { ConnectionRow, Sample } from '../protocol/admin-rows.js';
import type { ConnectionsAnswer, FeedAnswer, Stats, ThreadRow } from './api-types.js';
import { Chart } from './chart.js';
import { SLOWEST } from './connection-columns.js';
import { element, setText } from './dom.js';
import { type Fact, Facts } from './facts.js';
import { feedFacts } from './feed-facts.js';
import { bytes, count, milliseconds, percent } from './format.js';
import { listHash, type Page, type PageContext } from './page.js';
import { panel } from './panel.js';
import { Poller } from './poller.js';
import { type Column, DataTable } from './table.js';

const WINDOWS = [1, 5, 15];
const WINDOW_DEFAULT = 5;
const SLOWEST_SHOWN = 10;
const LISTS_EVERY_MS = 2_000;
/** Lines of single threads in the chart of their load; more would be a thicket, and the table has them all. */
const THREAD_LINES_MAX = 4;
const CHARTS = [
  { title: 'Connections', lines: [{ label: '', pick: (s: Sample) => s.connections }], format: count, atLeast: 10 },
  {
    title: 'Messages a second',
    lines: [
      { label: 'to clients', pick: (s: Sample) => s.deliveries_per_second },
      { label: 'from the feed', pick: (s: Sample) => s.messages_in_per_second },
    ],
    format: count,
    atLeast: 10,
  },
  {
    title: 'Bytes a second',
    lines: [{ label: '', pick: (s: Sample) => s.bytes_per_second }],
    format: bytes,
    atLeast: 1000,
  },
  {
    title: 'Latency in the gateway',
    lines: [
      { label: 'p50', pick: (s: Sample) => s.latency_p50_ms },
      { label: 'p99', pick: (s: Sample) => s.latency_p99_ms },
    ],
    format: milliseconds,
    atLeast: 1,
  },
  {
    title: 'Age of what clients read, p99',
    lines: [{ label: '', pick: (s: Sample) => s.age_p99_ms }],
    format: milliseconds,
    atLeast: 1,
  },
  {
    title: 'Backpressure',
    lines: [{ label: 'buffered', pick: (s: Sample) => s.buffered_bytes }],
    format: bytes,
    atLeast: 1000,
  },
  {
    title: 'Circuits and refusals',
    lines: [
      { label: 'circuits open', pick: (s: Sample) => s.circuits_open },
      { label: 'refused/s', pick: (s: Sample) => s.refused_per_second },
    ],
    format: count,
    atLeast: 5,
  },
];

const THREADS: readonly Column<ThreadRow>[] = [
  { title: 'Thread', text: ({ name }) => name, isMono: true },
  { title: 'State', text: ({ state }) => state, tone: ({ state }) => (state === 'running' ? '' : 'bad') },
  { title: 'Load', isNumber: true, text: row => percent(row.utilisation), share: row => row.utilisation },
  { title: 'Connections', isNumber: true, text: row => count(row.connections) },
  { title: 'Loop delay', isMinor: true, isNumber: true, text: row => milliseconds(row.loop_delay_ms) },
  { title: 'Waiting', isMinor: true, isNumber: true, text: row => bytes(row.queued_bytes ?? row.buffered_bytes) },
  {
    title: 'Restarts',
    isNumber: true,
    isMinor: true,
    text: row => count(row.restarts),
    tone: row => ((row.restarts ?? 0) > 0 ? 'warn' : ''),
  },
];

export class OverviewPage implements Page {
  readonly title = 'Overview';
  readonly element: HTMLElement;
  readonly #context: PageContext;
  readonly #tiles = new Facts('tiles');
  readonly #charts = element('div', { class: 'charts' });
  readonly #plots: Chart[] = [];
  #threadChart: Chart | undefined;
  #threadLines = 0;
  readonly #slowest = new DataTable<ConnectionRow>('Slowest clients', SLOWEST, row => row.id, 'Every client keeps up.');
  readonly #threads = new DataTable<ThreadRow>('Threads', THREADS, row => row.name, 'No thread has answered yet.');
  readonly #feed = new Facts();
  readonly #refused = new Facts('facts counts');
  readonly #closes = new Facts('facts counts');
  readonly #silent = element('p', { class: 'problem', attributes: { role: 'status' } });
  readonly #lists: Poller;
  #minutes = WINDOW_DEFAULT;

  constructor(context: PageContext) {
    this.#context = context;
    this.#lists = new Poller({ everyMs: LISTS_EVERY_MS, run: signal => this.#ask(signal), onFailure: () => {} });
    const toolbar = element('div', { class: 'toolbar', attributes: { role: 'group', 'aria-label': 'Time shown' } });
    for (const minutes of WINDOWS) toolbar.append(this.#windowButton(minutes, toolbar));
    const all = element('a', {
      text: 'All that are slow',
      attributes: { href: listHash('connections', { condition: 'slow' }) },
    });
    const empty = (text: string) => element('p', { class: 'note empty', text });
    this.element = element(
      'div',
      {},
      this.#silent,
      this.#tiles.element,
      element('div', { class: 'section-head' }, element('h2', { text: 'Last minutes' }), toolbar),
      this.#charts,
      panel(
        'Slowest clients',
        'with a backlog, an open circuit, or conflated further than they asked for',
        this.#slowest.element,
        all,
      ),
      panel('Threads', 'share of the last second in which each worked', this.#threads.element),
      panel('Feed', '', this.#feed.element),
      element(
        'div',
        { class: 'columns' },
        panel(
          'Refused connections',
          'since the start, by reason',
          element('div', {}, this.#refused.element, empty('None.')),
        ),
        panel(
          'Closed by the gateway',
          'since the start, by close code',
          element('div', {}, this.#closes.element, empty('None.')),
        ),
      ),
    );
  }

  start(): void {
    for (const options of CHARTS) {
      const chart = new Chart(options);
      this.#plots.push(chart);
      this.#charts.append(chart.element);
    }
    this.#lists.start();
    this.refresh();
  }

  stop(): void {
    this.#lists.stop();
    for (const chart of this.#plots.splice(0)) chart.destroy();
    this.#threadChart?.destroy();
  }

  refresh(): void {
    const { stats, history, serverNowMs } = this.#context;
    const now = stats();
    if (now !== undefined) this.#showStats(now, history.latest);
    const serverNow = serverNowMs();
    if (serverNow === undefined) return;
    const end = serverNow / 1000;
    this.#drawThreads(history.latest?.threads.length ?? 0);
    const charts = this.#threadChart === undefined ? this.#plots : [...this.#plots, this.#threadChart];
    for (const chart of charts) chart.update(history, [end - this.#minutes * 60, end]);
  }

  /** The number of gateway threads may differ after a restart. */
  #drawThreads(count: number): void {
    const lines = Math.min(count, THREAD_LINES_MAX);
    if (lines === this.#threadLines || lines === 0) return;
    this.#threadLines = lines;
    this.#threadChart?.element.remove();
    this.#threadChart?.destroy();
    this.#threadChart = new Chart({
      title: 'Load of the gateway threads',
      lines: Array.from({ length: lines }, (_, i) => ({ label: `gateway-${i}`, pick: (s: Sample) => s.threads[i] })),
      format: percent,
      atLeast: 1,
    });
    this.#charts.append(this.#threadChart.element);
  }

  #windowButton(minutes: number, toolbar: HTMLElement): HTMLElement {
    const button = element('button', {
      text: `${minutes} min`,
      attributes: { type: 'button', 'aria-pressed': String(minutes === this.#minutes) },
    });
    button.addEventListener('click', () => {
      this.#minutes = minutes;
      for (const other of toolbar.children) other.setAttribute('aria-pressed', String(other === button));
      this.refresh();
    });
    return button;
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { api } = this.#context;
    const [slow, conflated, threads, feed] = await Promise.all([
      api.get<ConnectionsAnswer>('/connections', { condition: 'slow', limit: SLOWEST_SHOWN }, signal),
      api.get<ConnectionsAnswer>('/connections', { condition: 'conflated', limit: SLOWEST_SHOWN }, signal),
      api.get<{ readonly threads: readonly ThreadRow[] }>('/threads', {}, signal),
      api.get<FeedAnswer>('/feed', {}, signal),
    ]);
    this.#slowest.update(slowestOf([...slow.connections, ...conflated.connections]));
    this.#threads.update(threads.threads);
    this.#feed.update(feedFacts(feed));
  }

  #showStats(stats: Stats, sample: Sample | undefined): void {
    this.#tiles.update(tilesOf(stats, sample));
    this.#refused.update(countsOf(stats.refused, name => name.replaceAll('_', ' ')));
    this.#closes.update(countsOf(stats.closes, code => code));
    const silent = stats.silent_threads.join(', ');
    setText(this.#silent, silent === '' ? '' : `No answer from ${silent}: its clients are missing in these figures.`);
    this.#silent.hidden = silent === '';
  }
}

/** A connection may be in both lists. A slow one pauses and resumes within a second, so the order rests on what lasts. */
function slowestOf(rows: readonly ConnectionRow[]): ConnectionRow[] {
  const byId = new Map(rows.map(row => [row.id, row]));
  const rank = (row: ConnectionRow) => (row.circuit === 'closed' ? 0 : 1_000) + row.conflation_steps;
  return [...byId.values()]
    .sort((a, b) => b.buffered_bytes - a.buffered_bytes || rank(b) - rank(a) || (a.id < b.id ? -1 : 1))
    .slice(0, SLOWEST_SHOWN);
}

function tilesOf(stats: Stats, sample: Sample | undefined): Fact[] {
  const { limits, connections, circuits } = stats;
  const used = connections.open / Math.max(1, limits.connections);
  return [
    {
      term: `Open of ${count(limits.connections)}`,
      text: count(connections.open),
      tone: used > 0.9 ? 'bad' : '',
    },
    { term: 'Messages out/s', text: count(sample?.deliveries_per_second) },
    { term: 'Messages in/s', text: count(sample?.messages_in_per_second) },
    { term: 'Bytes out/s', text: bytes(sample?.bytes_per_second) },
    { term: 'Latency p99', text: milliseconds(sample?.latency_p99_ms) },
    { term: 'Age p99', text: milliseconds(sample?.age_p99_ms) },
    {
      term: 'With a backlog',
      text: count(stats.slow_clients.buffered),
      tone: stats.slow_clients.buffered > 0 ? 'warn' : '',
    },
    { term: 'Circuits open', text: count(circuits.open), tone: circuits.open > 0 ? 'bad' : '' },
    { term: 'Topics held back', text: count(stats.topics.stale), tone: stats.topics.stale > 0 ? 'bad' : '' },
    { term: 'CPU cores used', text: sample?.cpu === null || sample === undefined ? '–' : sample.cpu.toFixed(2) },
  ];
}

function countsOf(counts: Readonly<Record<string, number>>, name: (key: string) => string): Fact[] {
  return Object.entries(counts)
    .filter(([, total]) => total > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([key, total]) => ({ term: name(key), text: count(total) }));
}
