/** One connection: all that the gateway knows of it, its last events, and a way to end it. */

import type { SubscriptionRow } from '../protocol/admin-rows.js';
import { ApiError } from './api.js';
import type { ConnectionDetail, FlightEvent } from './api-types.js';
import { circuitText, circuitTone, conflationText, userText } from './connection-columns.js';
import { confirmed, messageOf } from './dialogs.js';
import { element, setText } from './dom.js';
import { type Fact, Facts } from './facts.js';
import { bytes, count, duration, milliseconds, plural, timeOfDay, UNKNOWN } from './format.js';
import { type Page, type PageContext, topicHash, userHash } from './page.js';
import { panel } from './panel.js';
import { Poller } from './poller.js';
import { type Column, DataTable, ROWS_MAX } from './table.js';

const EVERY_MS = 1_000;
const NOT_FOUND = 404;

const TOPIC_COLUMNS: readonly Column<SubscriptionRow>[] = [
  { title: 'Topic', text: ({ topic }) => topic, href: ({ topic }) => topicHash(topic), isMono: true },
  { title: 'Class asked for', text: row => row.class },
  { title: 'Class served', text: row => row.served_class, tone: row => (row.served_class === row.class ? '' : 'warn') },
  { title: 'Delay', text: row => row.delay ?? '' },
  { title: 'Levels', isNumber: true, text: ({ levels }) => count(levels) },
  { title: 'State', text: ({ state }) => state, tone: ({ state }) => (state === 'paused' ? 'warn' : '') },
  { title: 'Epoch', text: ({ epoch }) => epoch, isMono: true },
  { title: 'Seq', isNumber: true, text: ({ seq }) => count(seq) },
];

interface NumberedEvent extends FlightEvent {
  readonly key: string;
}

const EVENT_COLUMNS: readonly Column<NumberedEvent>[] = [
  { title: 'Time', text: ({ time }) => withMillis(new Date(time)), isMono: true },
  { title: 'Event', text: ({ what }) => what.replaceAll('_', ' ') },
  { title: 'Detail', text: ({ detail }) => (detail === null ? '' : String(detail)) },
];

export class ConnectionPage implements Page {
  readonly title: string;
  readonly element: HTMLElement;
  readonly #id: string;
  readonly #context: PageContext;
  readonly #facts = new Facts();
  readonly #state = element('p', { class: 'note', attributes: { role: 'status' }, text: 'Asking the gateway.' });
  readonly #end = element('button', { class: 'danger', text: 'End this connection', attributes: { type: 'button' } });
  readonly #topics = new DataTable<SubscriptionRow>('Subscriptions', TOPIC_COLUMNS, row => row.topic, 'None.');
  readonly #events = new DataTable<NumberedEvent>('Events', EVENT_COLUMNS, row => row.key, 'None.');
  readonly #topicsNote = element('p', { class: 'note' });
  readonly #poller: Poller;

  constructor(context: PageContext, id: string) {
    this.#context = context;
    this.#id = id;
    this.title = `Connection ${id}`;
    this.#end.disabled = true;
    this.#end.addEventListener('click', () => void this.#ask());
    this.element = element(
      'div',
      {},
      element('div', { class: 'toolbar' }, this.#state, this.#end),
      panel('What is known', '', this.#facts.element),
      element(
        'div',
        { class: 'recorder' },
        panel('Flight recorder', 'the last 100 events, newest first', scrolled('Events', this.#events.element)),
        panel('Subscriptions', '', scrolled('Subscriptions', this.#topics.element), this.#topicsNote),
      ),
    );
    this.#poller = new Poller({
      everyMs: EVERY_MS,
      run: async signal => {
        this.#show(await context.api.get<ConnectionDetail>(`/connections/${encodeURIComponent(id)}`, {}, signal));
      },
      onFailure: cause => this.#failed(cause),
    });
  }

  start(): void {
    this.#poller.start();
  }

  stop(): void {
    this.#poller.stop();
  }

  async #ask(): Promise<void> {
    const said = await confirmed({
      title: 'End this connection?',
      explanation: `The gateway closes ${this.#id} at once. Its client is told the reason.`,
      action: 'End it',
      choices: [
        { value: '1001', label: 'The client may reconnect (1001)' },
        { value: '1008', label: 'The client should stay away (1008)' },
      ],
      run: async (reason, code) => {
        const body = { ...(reason === '' ? {} : { reason }), code: Number(code) };
        await this.#context.api.send('DELETE', `/connections/${encodeURIComponent(this.#id)}`, body);
        return `${this.#id} is closed.`;
      },
    });
    if (said !== undefined) this.#context.say(said, 'good');
  }

  #failed(cause: unknown): void {
    const isGone = cause instanceof ApiError && cause.status === NOT_FOUND;
    // What was last known stays on the page: it is what the operator came for.
    if (isGone) this.#poller.stop();
    setText(this.#state, isGone ? 'No longer connected. Below is what was last known.' : messageOf(cause));
    this.#end.disabled = true;
  }

  #show(detail: ConnectionDetail): void {
    setText(this.#state, detail.closing ? 'Closing.' : `Connected for ${duration(detail.age_seconds)}.`);
    this.#end.disabled = detail.closing;
    this.#facts.update(factsOf(detail));
    this.#topics.update(detail.topics);
    const isPart = detail.topics.length > ROWS_MAX || detail.subscriptions > detail.topics.length;
    setText(
      this.#topicsNote,
      isPart ? `the first ${ROWS_MAX} of ${count(detail.subscriptions)}` : count(detail.subscriptions),
    );
    const seen = new Map<string, number>();
    const events = detail.events.map(event => {
      const name = `${event.time} ${event.what} ${event.detail}`;
      const times = seen.get(name) ?? 0;
      seen.set(name, times + 1);
      return { ...event, key: `${name} ${times}` };
    });
    this.#events.update(events.reverse());
  }
}

/** `professional, display`. */
function useText(credential: ConnectionDetail['credential']): string {
  const { professional = null, use = null } = credential ?? {};
  const who = professional === null ? [] : [professional ? 'professional' : 'not professional'];
  return [...who, ...(use === null ? [] : [use])].join(', ') || UNKNOWN;
}

function factsOf(detail: ConnectionDetail): Fact[] {
  const { user, credential, circuit } = detail;
  return [
    { term: 'User', text: userText(user), href: user === null ? undefined : userHash(user) },
    { term: 'Tier', text: detail.tier },
    { term: 'Roles', text: listed(detail.roles) },
    { term: 'Entitlements', text: detail.entitlements === null ? 'the default ones' : listed(detail.entitlements) },
    { term: 'Credential', text: credential === null ? 'none' : credential.kind.replace('_', ' ') },
    { term: 'Credential id', text: credential?.id ?? UNKNOWN },
    { term: 'Credential expires', text: credential?.expires_at == null ? 'never' : moment(credential.expires_at) },
    { term: 'Firm', text: credential?.firm ?? UNKNOWN },
    { term: 'Use', text: useText(credential) },
    { term: 'Address', text: detail.address },
    { term: 'Endpoint', text: detail.endpoint },
    { term: 'Format', text: detail.format },
    { term: 'Gateway thread', text: `gateway-${detail.worker}` },
    { term: 'Connected at', text: moment(detail.connected_at) },
    { term: 'Last heard from', text: moment(detail.last_seen_at) },
    { term: 'Round trip', text: milliseconds(detail.round_trip_ms) },
    { term: 'Received', text: bytes(detail.received_bytes) },
    { term: 'Sent', text: bytes(detail.sent_bytes) },
    { term: 'Rate', text: `${bytes(detail.rate_bytes_per_second)}/s` },
    { term: 'Buffered', text: bytes(detail.buffered_bytes), tone: detail.buffered_bytes > 0 ? 'warn' : '' },
    { term: 'Snapshots in flight', text: bytes(detail.in_flight_bytes) },
    { term: 'Age of data', text: milliseconds(detail.age_of_data_ms), tone: detail.lagging ? 'bad' : '' },
    {
      term: 'Paused for',
      text: detail.paused_ms === null ? 'not paused' : milliseconds(detail.paused_ms),
      tone: detail.paused_ms === null ? '' : 'warn',
    },
    {
      term: 'Conflation',
      text: conflationText(detail.conflation_steps),
      tone: detail.conflation_steps === 0 ? '' : 'warn',
    },
    {
      term: 'Circuit',
      text: `${circuitText(circuit)}${detail.circuit_opens === 0 ? '' : `, opened ${plural(detail.circuit_opens, 'time', 'times')}`}`,
      tone: circuitTone(circuit),
    },
  ];
}

const listed = (names: readonly string[]) => (names.length === 0 ? 'none' : names.join(', '));
const moment = (text: string) => new Date(text).toLocaleString();
const withMillis = (at: Date) => `${timeOfDay(at)}.${String(at.getMilliseconds()).padStart(3, '0')}`;

/** A long table in a part of the page, which the keyboard scrolls too. */
function scrolled(name: string, content: HTMLElement): HTMLElement {
  return element(
    'div',
    { class: 'scroll', attributes: { tabindex: '0', role: 'region', 'aria-label': name } },
    content,
  );
}
