/** The kinds of message whose cost is measured: every action, small and as large as it may be. */
import { BOOK_PREFIX, type Market, QUOTE_PREFIX, TRADED } from '../attack/market.js';
import type { Payload } from '../attack/payloads.js';

/** One message, or a few that belong together, sent over and over by one client. */
export interface MessageKind {
  readonly name: string;
  readonly by: 'anonymous' | 'retail';
  readonly prelude?: readonly Payload[];
  readonly cycle: readonly Payload[];
  /** Messages a second; default: nearly as many as a connection may send. */
  readonly perSecond?: number;
  /** False: what answers it is no answer but data. */
  readonly isAnswered?: boolean;
  readonly sinceBack?: number;
  readonly format?: 'msgpack';
}

/** What `{token}` is replaced by in an `auth`: the client's own credential. */
export const TOKEN_BLANK = '{token}';

const NAMES = 100_000;
const SUBSCRIPTIONS = 1024;
const SLOW_PER_SECOND = 20;
const PING: Payload = { kind: 'text', text: '{"action":"ping"}' };

const text = (command: object): Payload => ({ kind: 'text', text: JSON.stringify(command) });
const filled = (bytes: number, head: string, fill: string, tail: string): Payload => ({
  kind: 'filled',
  head,
  fill,
  tail,
  bytes,
});
const named = (command: Readonly<Record<string, unknown>>, prefix: string, count: number): Payload => ({
  kind: 'names',
  command,
  member: command.stream === 'rooms' ? 'rooms' : 'symbols',
  prefix,
  count,
});
const roomMessage = (bytes: number): Payload =>
  filled(bytes, '{"action":"publish","stream":"rooms","room":"cost","data":{"text":"', 'x', '"}}');
const since: Payload = {
  kind: 'text',
  text: `{"action":"subscribe","stream":"trades","symbol":"${TRADED}","since":{"epoch":"{epoch}","seq":{since}}}`,
};

/** What many kinds share. */
type Repeated = Omit<MessageKind, 'name'>;

const comeAndGo = (stream: string, prefix: string, count: number): Payload[] =>
  ['subscribe', 'unsubscribe'].map(action => named({ action, stream }, prefix, count));
const classChanges = (count: number): Payload[] =>
  ['100ms', '1000ms'].map(name =>
    named({ action: 'subscribe', stream: 'depth', class: name, depth: 100 }, BOOK_PREFIX, count),
  );
const unsubscribed = (count: number): Payload[] => [named({ action: 'unsubscribe', stream: 'quotes' }, 'X', count)];
const resync = (stream: string, prefix: string, count: number): Repeated => ({
  by: 'retail',
  prelude: [named({ action: 'subscribe', stream }, prefix, count)],
  cycle: [named({ action: 'resync', stream }, prefix, count)],
  perSecond: count > 1 ? SLOW_PER_SECOND : 200,
  isAnswered: false,
});
const replay = (count: number): Repeated => ({
  by: 'retail',
  prelude: [text({ action: 'subscribe', stream: 'trades', symbol: TRADED })],
  cycle: [since],
  sinceBack: count,
});

/** Cheap commands, and what is none. */
const PINGS_AND_REFUSED: readonly MessageKind[] = [
  { name: 'ping', by: 'anonymous', cycle: [PING] },
  { name: 'a number instead of a command', by: 'anonymous', cycle: [{ kind: 'text', text: '1' }] },
  {
    name: '100 WebSocket pings at once',
    by: 'anonymous',
    cycle: [{ kind: 'flood', of: 'pings', count: 100 }],
    isAnswered: false,
  },
  { name: '64 KiB of [', by: 'anonymous', cycle: [filled(64 * 1024, '', '[', '')] },
  { name: '1 MiB of [', by: 'anonymous', cycle: [filled(1024 * 1024, '', '[', '')], perSecond: SLOW_PER_SECOND },
  {
    name: '64 KiB of nested MessagePack',
    by: 'anonymous',
    cycle: [{ kind: 'msgpack', shape: 'nested', bytes: 64 * 1024 }],
    format: 'msgpack',
  },
  {
    name: 'ping with 64 KiB of MessagePack',
    by: 'anonymous',
    cycle: [{ kind: 'msgpack', shape: 'wide', bytes: 64 * 1024 }],
    format: 'msgpack',
  },
  {
    name: 'ping with 64 KiB of numbers',
    by: 'anonymous',
    cycle: [filled(64 * 1024, '{"action":"ping","x":[0', ',1', ']}')],
  },
  { name: 'auth, wrong token', by: 'retail', cycle: [text({ action: 'auth', token: 'e30.e30.{n}' })] },
  { name: 'auth, its own token', by: 'retail', cycle: [text({ action: 'auth', token: TOKEN_BLANK })] },
];

/** Names that lead to nothing. */
const WITHOUT_EFFECT: readonly MessageKind[] = [
  { name: 'unsubscribe 1 name', by: 'anonymous', cycle: unsubscribed(1) },
  { name: `unsubscribe ${SUBSCRIPTIONS} names`, by: 'anonymous', cycle: unsubscribed(SUBSCRIPTIONS) },
  {
    name: 'unsubscribe 100,000 names',
    by: 'anonymous',
    cycle: unsubscribed(NAMES),
    perSecond: SLOW_PER_SECOND,
  },
  {
    name: `subscribe to ${SUBSCRIPTIONS} unknown names`,
    by: 'anonymous',
    cycle: [named({ action: 'subscribe', stream: 'quotes' }, 'X', SUBSCRIPTIONS)],
  },
];

const PUBLICATIONS: readonly MessageKind[] = [
  { name: 'publish 100 B', by: 'retail', cycle: [roomMessage(100)] },
  {
    name: 'publish to a new room',
    by: 'retail',
    cycle: [text({ action: 'publish', stream: 'rooms', room: 'new-{n}', data: {} })],
  },
  { name: 'publish 16 kB', by: 'retail', cycle: [roomMessage(16_000)] },
  { name: 'publish 250 kB', by: 'retail', cycle: [roomMessage(250_000)] },
];

/** All of them, for a gateway that knows this market. */
export function messageKinds({ topics, trades }: Market): MessageKind[] {
  return [
    ...PINGS_AND_REFUSED,
    ...WITHOUT_EFFECT,
    { name: 'subscribe to 1 quote and leave', by: 'anonymous', cycle: comeAndGo('quotes', QUOTE_PREFIX, 1) },
    {
      name: `subscribe to ${topics} quotes and leave`,
      by: 'anonymous',
      cycle: comeAndGo('quotes', QUOTE_PREFIX, topics),
    },
    { name: 'subscribe to 1 depth and leave', by: 'anonymous', cycle: comeAndGo('depth', BOOK_PREFIX, 1) },
    {
      name: `subscribe to ${topics} depths and leave`,
      by: 'anonymous',
      cycle: comeAndGo('depth', BOOK_PREFIX, topics),
    },
    { name: 'subscribe to 1000 rooms and leave', by: 'retail', cycle: comeAndGo('rooms', 'r', 1000) },
    { name: 'class change of 1 depth', by: 'retail', cycle: classChanges(1) },
    { name: `class change of ${topics} depths`, by: 'retail', cycle: classChanges(topics) },
    { name: 'resync of 1 quote', ...resync('quotes', QUOTE_PREFIX, 1) },
    { name: `resync of ${topics} quotes`, ...resync('quotes', QUOTE_PREFIX, topics) },
    { name: 'resync of 1 depth', ...resync('depth', BOOK_PREFIX, 1) },
    { name: 'since 100 trades ago', ...replay(100) },
    { name: `since ${trades - 1} trades ago`, ...replay(trades - 1) },
    ...PUBLICATIONS,
  ];
}
