/** The lists of connections and of topics. */
import type { ConnectionRow } from '../protocol/admin-rows.js';
import type { ConnectionsAnswer, TopicRow, TopicsAnswer } from './api-types.js';
import { ALL } from './connection-columns.js';
import { ago, count } from './format.js';
import { type Filter, ListPage } from './list-page.js';
import { type Page, type PageContext, topicHash } from './page.js';
import type { Column } from './table.js';

const ANY = ['', 'any'] as const;
const same = (...values: readonly string[]) => values.map(value => [value, value] as const);

const CONNECTION_FILTERS: readonly Filter[] = [
  { name: 'user', label: 'User' },
  { name: 'topic', label: 'Topic' },
  { name: 'address', label: 'Address' },
  {
    name: 'condition',
    label: 'Condition',
    options: [
      ANY,
      ['slow', 'slow'],
      ['conflated', 'conflated'],
      ['lagging', 'lagging'],
      ['circuit_open', 'circuit open'],
      ['idle', 'without topics'],
    ],
  },
  { name: 'tier', label: 'Tier', options: [ANY, ...same('institutional', 'retail')] },
  { name: 'format', label: 'Format', options: [ANY, ...same('json', 'msgpack')] },
  {
    name: 'sort',
    label: 'Order',
    options: [
      ['', 'most buffered'],
      ['rate', 'most bytes/s'],
      ['age', 'longest connected'],
    ],
  },
];

const TOPIC_FILTERS: readonly Filter[] = [
  { name: 'prefix', label: 'Begins with' },
  {
    name: 'stream',
    label: 'Stream',
    options: [ANY, ...same('quotes', 'trades', 'orderbook', 'depth', 'orders', 'analytics', 'rooms')],
  },
  {
    name: 'condition',
    label: 'Condition',
    options: [ANY, ['stale', 'held back']],
  },
  {
    name: 'sort',
    label: 'Order',
    options: [
      ['', 'most subscribers'],
      ['rate', 'most messages/s'],
      ['name', 'name'],
    ],
  },
];

const TOPIC_COLUMNS: readonly Column<TopicRow>[] = [
  { title: 'Topic', text: ({ topic }) => topic, href: ({ topic }) => topicHash(topic), isMono: true },
  { title: 'Subscribers', isNumber: true, text: row => count(row.subscribers) },
  { title: 'Messages/s', isNumber: true, text: ({ rate }) => (rate === null ? '–' : count(rate)) },
  {
    title: 'State',
    text: ({ state, stale }) => (stale === null ? state : `held back: ${stale.replaceAll('_', ' ')}`),
    tone: ({ state }) => (state === 'stale' ? 'bad' : ''),
  },
  {
    title: 'Last message',
    isNumber: true,
    text: row => ago(row.last_message_ms),
  },
];

type Query = Readonly<Record<string, string>>;

export function connectionsPage(context: PageContext, query: Query): Page {
  return new ListPage<ConnectionRow, ConnectionsAnswer>(
    context,
    {
      title: 'Connections',
      list: 'connections',
      columns: ALL,
      keyOf: ({ id }) => id,
      filters: CONNECTION_FILTERS,
      rowsOf: ({ connections }) => connections,
      emptyText: 'No connection matches.',
    },
    query,
  );
}

export function topicsPage(context: PageContext, query: Query): Page {
  return new ListPage<TopicRow, TopicsAnswer>(
    context,
    {
      title: 'Topics',
      list: 'topics',
      columns: TOPIC_COLUMNS,
      keyOf: ({ topic }) => topic,
      filters: TOPIC_FILTERS,
      rowsOf: ({ topics }) => topics,
      emptyText: 'No topic matches.',
    },
    query,
  );
}
