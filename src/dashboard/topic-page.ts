/** One topic: what the gateway knows of it, who follows it, and a live view. */
import type { TopicDetail } from './api-types.js';
import { messageOf } from './dialogs.js';
import { element, setText } from './dom.js';
import { Facts } from './facts.js';
import { ago, count, UNKNOWN } from './format.js';
import { LiveView } from './live-view.js';
import { listHash, type Page, type PageContext } from './page.js';
import { panel } from './panel.js';
import { Poller } from './poller.js';

const EVERY_MS = 2_000;

export class TopicPage implements Page {
  readonly title: string;
  readonly element: HTMLElement;
  readonly #facts = new Facts();
  readonly #note = element('p', { class: 'note', attributes: { role: 'status' } });
  readonly #live: LiveView;
  readonly #poller: Poller;

  constructor({ api }: PageContext, topic: string) {
    this.title = `Topic ${topic}`;
    this.#live = new LiveView(api, topic);
    const followers = element('a', {
      text: 'Its subscribers',
      attributes: { href: listHash('connections', { topic }) },
    });
    this.element = element(
      'div',
      {},
      panel('At the gateway', '', this.#facts.element, this.#note, followers),
      this.#live.element,
    );
    this.#poller = new Poller({
      everyMs: EVERY_MS,
      run: async signal => {
        this.#show(await api.get<TopicDetail>(`/topics/${encodeURIComponent(topic)}`, {}, signal));
        setText(this.#note, '');
      },
      onFailure: cause => setText(this.#note, messageOf(cause)),
    });
  }

  start(): void {
    this.#poller.start();
    this.#live.start();
  }

  stop(): void {
    this.#poller.stop();
    this.#live.stop();
  }

  #show(topic: TopicDetail): void {
    const { stale, last_message_ms: last } = topic;
    this.#facts.update([
      { term: 'Subscribers', text: count(topic.subscribers) },
      { term: 'Messages a second', text: topic.rate === null ? UNKNOWN : count(topic.rate) },
      {
        term: 'State',
        text: stale === null ? topic.state : `held back: ${stale.replaceAll('_', ' ')}`,
        tone: topic.state === 'stale' ? 'bad' : topic.state === 'live' ? 'good' : '',
      },
      { term: 'Last message', text: ago(last) },
      { term: 'Epoch', text: topic.epoch === '' ? UNKNOWN : topic.epoch },
      { term: 'Seq', text: count(topic.seq) },
      { term: 'Encoder thread', text: `encoder-${topic.shard}` },
    ]);
  }
}
