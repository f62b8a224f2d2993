/** A topic as any client sees it, through our own SDK: its document, each message, its position and its lag. */
import { type Book, bestLevels, type Lag, MillraceClient } from '../client/index.js';
import { topicParts } from '../protocol/topic-parts.js';
import { isChannel, isStream } from '../protocol/topics.js';
import type { Api } from './api.js';
import type { LiveToken } from './api-types.js';
import { messageOf } from './dialogs.js';
import { element, everyFrame } from './dom.js';
import { type Fact, Facts } from './facts.js';
import { count, milliseconds, UNKNOWN } from './format.js';
import { FrameLines } from './frame-lines.js';
import { FrameRing } from './frame-ring.js';
import { panel } from './panel.js';
import { tappedSocket } from './tapped-socket.js';

/** Redrawn this often: a reader cannot follow single messages. */
const DRAW_MS = 250;
const RATE_SECONDS = 5;
const LEVELS = 10;
/** Members of a document that are shown, and characters of each. */
const MEMBERS_MAX = 60;
const VALUE_MAX = 300;
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/;

interface Position {
  readonly epoch: string;
  readonly seq: number;
  readonly lag: Lag | undefined;
}

export class LiveView {
  readonly element: HTMLElement;
  readonly #api: Api;
  readonly #topic: string;
  readonly #facts = new Facts();
  readonly #document = new Facts('facts document');
  readonly #list = element('ol', { attributes: { tabindex: '0', 'aria-label': 'Latest messages, newest first' } });
  readonly #lines = new FrameLines(this.#list);
  readonly #ring = new FrameRing();
  readonly #pause = element('button', { text: 'Pause', attributes: { type: 'button', 'aria-pressed': 'false' } });
  readonly #draw = everyFrame(() => this.#show());
  #client: MillraceClient | undefined;
  #timers: ReturnType<typeof setInterval>[] = [];
  #isStopped = false;
  #isPaused = false;
  #state = 'asking for a token';
  #position: Position | undefined;
  #shown: readonly Fact[] = [];
  #received = 0;
  /** `#received` at the end of each of the last seconds. */
  readonly #seconds: number[] = [];

  constructor(api: Api, topic: string) {
    this.#api = api;
    this.#topic = topic;
    this.#pause.addEventListener('click', () => {
      this.#isPaused = !this.#isPaused;
      this.#pause.setAttribute('aria-pressed', String(this.#isPaused));
      this.#list.dataset.paused = String(this.#isPaused);
    });
    this.element = element(
      'div',
      { class: 'live' },
      panel('Live view', '', this.#facts.element),
      panel('Document', '', this.#document.element),
      panel('Messages', '', this.#list, this.#pause),
    );
  }

  start(): void {
    this.#timers = [setInterval(() => this.#drawFrames(), DRAW_MS), setInterval(() => this.#second(), 1_000)];
    this.#draw();
    this.#connect().catch((cause: unknown) => this.#say(messageOf(cause)));
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#client?.close();
  }

  async #connect(): Promise<void> {
    const token = () => this.#api.send<LiveToken>('POST', '/live-token');
    const [stream, name] = topicParts(this.#topic);
    if (!isStream(stream)) throw new Error(`${stream} is no stream.`);
    if (stream === 'orders') throw new Error('Orders are private: only their user can follow them.');
    const first = await token();
    if (this.#isStopped) return;
    let given: string | undefined = first.token;
    const client = new MillraceClient({
      url: reachable(first.url),
      // The first one is fresh; each further connection needs another.
      token: async () => {
        const next = given ?? (await token()).token;
        given = undefined;
        return next;
      },
      timestamps: true,
      reconnect: { maxMs: 3_000 },
      WebSocket: tappedSocket(data => {
        this.#received++;
        this.#ring.add(data);
      }),
    });
    this.#client = client;
    client.on('status', ({ state, feed }) =>
      this.#say(state === 'open' ? `connected, feed ${feed}` : stateText(state)),
    );
    client.on('closed', ({ code, reason }) => {
      if (!this.#isStopped) this.#say(`closed: ${code} ${reason}`.trim());
    });
    this.#follow(client, stream, name);
  }

  #follow(client: MillraceClient, stream: string, name: string): void {
    const refused = ({ message }: Error) => this.#say(message);
    if (stream === 'quotes' || stream === 'orderbook') {
      const followed = stream === 'quotes' ? client.quotes([name]) : client.orderbook([name]);
      followed.on('change', change => this.#changed(change, membersOf(change.document)));
      followed.on('stale', ({ reason }) => this.#say(`held back: ${reason.replaceAll('_', ' ')}`));
      followed.on('error', refused);
    } else if (stream === 'depth') {
      const depth = client.depth([name]);
      depth.on('change', change => this.#changed(change, levelsOf(change.document)));
      depth.on('stale', ({ reason }) => this.#say(`held back: ${reason.replaceAll('_', ' ')}`));
      depth.on('error', refused);
    } else {
      const events =
        stream === 'trades' ? client.trades([name]) : isChannel(name) ? client.analytics([name]) : client.rooms(name);
      events.on('event', event => this.#changed(event, membersOf(event.message)));
      events.on('gap', ({ from, to, reason }) =>
        this.#say(`gap from ${from} to ${to}: ${reason.replaceAll('_', ' ')}`),
      );
      events.on('error', refused);
    }
  }

  #changed(position: Position, shown: readonly Fact[]): void {
    this.#position = position;
    this.#shown = shown;
    this.#draw();
  }

  #say(state: string): void {
    this.#state = state;
    this.#draw();
  }

  #second(): void {
    this.#seconds.push(this.#received);
    if (this.#seconds.length > RATE_SECONDS + 1) this.#seconds.shift();
    this.#draw();
  }

  #drawFrames(): void {
    if (!this.#isPaused) this.#lines.show(this.#ring);
  }

  #show(): void {
    const { epoch, seq, lag } = this.#position ?? {};
    const rate = (this.#received - (this.#seconds[0] ?? 0)) / Math.max(1, this.#seconds.length - 1);
    this.#facts.update([
      { term: 'State', text: this.#state },
      { term: 'Epoch', text: epoch ?? UNKNOWN },
      { term: 'Seq', text: count(seq) },
      { term: 'Lag from the gateway', text: milliseconds(lag?.sinceSentMs) },
      { term: 'Lag from the publisher', text: milliseconds(lag?.sinceEventMs) },
      { term: 'Messages', text: count(this.#received) },
      { term: 'Messages a second', text: count(Math.round(rate * 10) / 10) },
    ]);
    if (!this.#isPaused) this.#document.update(this.#shown);
  }
}

const stateText = (state: string) => (state === 'waiting' ? 'connection lost; trying again' : state);

/** Where this browser reaches what the gateway calls its own loopback: at the host that served this page. */
function reachable(given: string): string {
  const url = new URL(given);
  if (LOOPBACK.test(url.hostname) && !LOOPBACK.test(location.hostname)) url.hostname = location.hostname;
  return url.href;
}

function membersOf(document: object): Fact[] {
  return Object.entries(document)
    .slice(0, MEMBERS_MAX)
    .map(([term, value]) => ({ term, text: valueText(value) }));
}

function valueText(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? UNKNOWN);
  return text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX)}…` : text;
}

/** The best levels, asks above bids, as a trader's screen has them. */
function levelsOf({ bids, asks }: Book): Fact[] {
  const book = { bids: { ...bids }, asks: { ...asks } };
  const asked = bestLevels(book, 'asks', LEVELS).reverse();
  return [
    ...asked.map(([price, size]): Fact => ({ term: `Ask ${price}`, text: size, tone: 'bad' })),
    ...bestLevels(book, 'bids', LEVELS).map(
      ([price, size]): Fact => ({ term: `Bid ${price}`, text: size, tone: 'good' }),
    ),
  ];
}
