/** The dashboard: the frame around its pages, what all of them need, and the way from one to another. */
import { ActionsPage } from './actions-page.js';
import { AlertsPage } from './alerts-page.js';
import { Api, ApiError } from './api.js';
import type { HistoryAnswer, Stats } from './api-types.js';
import { ConnectionPage } from './connection-page.js';
import { askedForToken } from './dialogs.js';
import { byId, setText } from './dom.js';
import { duration, timeOfDay } from './format.js';
import { History } from './history.js';
import { connectionsPage, topicsPage } from './lists.js';
import { OverviewPage } from './overview.js';
import type { Page, PageContext } from './page.js';
import { Poller } from './poller.js';
import { RecordsPage } from './records-page.js';
import { TopicPage } from './topic-page.js';
import { UserPage } from './user-page.js';

const HISTORY_EVERY_MS = 1_000;
const STATS_EVERY_MS = 2_000;
/** How long a restart is pointed out. */
const RESTART_SHOWN_MS = 60_000;
const SAID_MS = 8_000;
const UNAUTHORIZED = 401;

class Dashboard {
  readonly #state = byId('state', HTMLElement);
  readonly #node = byId('node', HTMLElement);
  readonly #uptime = byId('uptime', HTMLElement);
  readonly #outage = byId('outage', HTMLElement);
  readonly #said = byId('said', HTMLElement);
  readonly #main = byId('main', HTMLElement);
  readonly #heading = byId('heading', HTMLElement);
  readonly #history = new History();
  readonly #api = new Api({
    answered: () => this.#answered(),
    silent: () => this.#silent(),
    tokenWanted: wasRefused => void this.#askForToken(wasRefused),
  });
  readonly #pollers = [
    new Poller({
      everyMs: HISTORY_EVERY_MS,
      run: signal => this.#askHistory(signal),
      onFailure: () => this.#drawTime(),
    }),
    new Poller({
      everyMs: STATS_EVERY_MS,
      run: signal => this.#askStats(signal),
      onFailure: cause => this.#refused(cause),
    }),
  ];
  #stats: Stats | undefined;
  #page: Page | undefined;
  #isAsking = false;
  #silentSince: Date | undefined;
  #restartedAtMs = Number.NEGATIVE_INFINITY;
  /** The gateway's clock when its newest sample came, and this page's then. */
  #clock: { readonly serverMs: number; readonly pageMs: number } | undefined;
  #saidTimer: ReturnType<typeof setTimeout> | undefined;

  run(): void {
    addEventListener('hashchange', () => this.#navigate(true));
    this.#navigate(false);
    for (const poller of this.#pollers) poller.start();
  }

  get #context(): PageContext {
    return {
      api: this.#api,
      history: this.#history,
      stats: () => this.#stats,
      serverNowMs: () => this.#serverNowMs(),
      say: (text, tone) => this.#say(text, tone),
      go: hash => {
        location.hash = hash;
      },
    };
  }

  #navigate(hasMoved: boolean): void {
    this.#page?.stop();
    const page = pageAt(location.hash, this.#context);
    this.#page = page;
    document.title = `${page.title} · Millrace`;
    setText(this.#heading, page.title);
    this.#main.replaceChildren(this.#heading, page.element);
    const section = location.hash.split(/[/?]/)[1] ?? '';
    for (const link of document.querySelectorAll('nav a')) {
      const isHere = link.getAttribute('href') === `#/${section === 'users' ? 'connections' : section}`;
      if (isHere) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    page.start();
    // A reader of the page hears where it leads; at the start the browser does that.
    if (hasMoved) this.#heading.focus();
  }

  async #askHistory(signal: AbortSignal): Promise<void> {
    const since = this.#history.latest?.time;
    const { samples, interval_ms: intervalMs } = await this.#api.get<HistoryAnswer>('/history', { since }, signal);
    this.#history.add(samples, intervalMs);
    const latest = this.#history.latest;
    if (samples.length > 0 && latest !== undefined) {
      this.#clock = { serverMs: Date.parse(latest.time), pageMs: performance.now() };
    }
    this.#page?.refresh?.();
  }

  async #askStats(signal: AbortSignal): Promise<void> {
    const stats = await this.#api.get<Stats>('/stats', {}, signal);
    const last = this.#stats;
    if (last !== undefined && (stats.pid !== last.pid || stats.uptime_seconds < last.uptime_seconds)) {
      this.#restartedAtMs = performance.now();
    }
    this.#stats = stats;
    setText(this.#node, stats.node);
    this.#showState(stats);
    this.#page?.refresh?.();
  }

  /** In an outage the charts move on, so that it shows. */
  #drawTime(): void {
    if (this.#silentSince !== undefined) this.#page?.refresh?.();
  }

  #serverNowMs(): number | undefined {
    if (this.#clock === undefined) return undefined;
    return this.#clock.serverMs + performance.now() - this.#clock.pageMs;
  }

  #showState({ ready, missing, draining, uptime_seconds: uptime, feed }: Stats): void {
    const isRecent = performance.now() - this.#restartedAtMs < RESTART_SHOWN_MS;
    setText(this.#uptime, `${isRecent ? 'Restarted, up' : 'Up'} ${duration(uptime)}`);
    this.#uptime.dataset.tone = isRecent ? 'warn' : '';
    const state = draining ? 'Draining' : ready ? `Ready, feed ${feed.status}` : `Not ready: ${missing.join(', ')}`;
    const isWell = ready && feed.status === 'live';
    this.#tell(state, isWell ? 'good' : 'warn');
  }

  #tell(text: string, tone: string): void {
    setText(this.#state, text);
    this.#state.dataset.tone = tone;
  }

  /** Silence and a missing token are told elsewhere. */
  #refused(cause: unknown): void {
    if (cause instanceof ApiError && cause.status !== UNAUTHORIZED) this.#tell(cause.message, 'bad');
  }

  #answered(): void {
    if (this.#silentSince === undefined) return;
    this.#silentSince = undefined;
    this.#outage.hidden = true;
    for (const poller of this.#pollers) poller.now();
  }

  #silent(): void {
    if (this.#silentSince !== undefined) return;
    this.#silentSince = new Date();
    this.#tell('No answer', 'bad');
    const since = timeOfDay(this.#silentSince);
    setText(
      this.#outage,
      `The gateway has not answered since ${since}. What you see is from before; this page keeps trying.`,
    );
    this.#outage.hidden = false;
  }

  async #askForToken(wasRefused: boolean): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#tell('Token required', 'warn');
    const why = wasRefused ? 'The gateway refused the token of this tab.' : 'This gateway asks operators for a token.';
    const token = await askedForToken(`${why} It stays in this tab until you close it.`);
    // Who cancelled is not asked again until the page is loaded again.
    if (token === undefined) {
      setText(this.#outage, 'Without the token this page has nothing to show. Reload it to be asked again.');
      this.#outage.hidden = false;
      return;
    }
    this.#isAsking = false;
    this.#api.useToken(token);
    for (const poller of this.#pollers) poller.now();
    this.#navigate(false);
  }

  #say(text: string, tone: 'good' | 'bad'): void {
    setText(this.#said, text);
    this.#said.dataset.tone = tone;
    this.#said.hidden = false;
    clearTimeout(this.#saidTimer);
    this.#saidTimer = setTimeout(() => {
      this.#said.hidden = true;
    }, SAID_MS);
  }
}

/** @param hash `#/connections/<id>`, `#/topics?prefix=…` */
function pageAt(hash: string, context: PageContext): Page {
  const [path = '', search = ''] = hash.slice(2).split(/\?(.*)/s);
  const [section = '', encoded = ''] = path.split('/');
  const name = decoded(encoded);
  const query = Object.fromEntries(new URLSearchParams(search));
  switch (section) {
    case 'connections':
      return name === '' ? connectionsPage(context, query) : new ConnectionPage(context, name);
    case 'users':
      return new UserPage(context, name);
    case 'topics':
      return name === '' ? topicsPage(context, query) : new TopicPage(context, name);
    case 'alerts':
      return new AlertsPage(context);
    case 'records':
      return new RecordsPage(context);
    case 'actions':
      return new ActionsPage(context);
    default:
      return new OverviewPage(context);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

new Dashboard().run();
