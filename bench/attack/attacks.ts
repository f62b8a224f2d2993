/** What one client can do to all others, each as the work of one attacker (cases J1 to J8, and their siblings). */
import { mintToken } from '../harness/tokens.js';
import { CONNECTIONS_MAX } from './gateway.js';
import { BOOK_PREFIX, type Market, QUOTE_PREFIX, TRADED } from './market.js';
import type { AttackPlan } from './messages.js';
import type { Payload } from './payloads.js';

type Attacker = 'anonymous' | 'retail' | 'institutional';

export interface Attack {
  /** Of the case that it is, or is a sibling of. */
  readonly id: string;
  readonly name: string;
  readonly by: Attacker;
  plan(about: About): AttackPlan;
}

/** What an attack is made for: its own addresses and user, so that no earlier one has used up their budgets. */
interface About {
  readonly market: Market;
  readonly addresses: readonly string[];
  /** Path and query of an upgrade that shows the attacker's credential. */
  path(endpoint?: string): string;
}

const MESSAGE_BYTES_MAX = 1024 * 1024;
/** As many names as one message may hold. */
const NAMES = 100_000;
/** As many as a connection may subscribe to. */
const SUBSCRIPTIONS = 1024;
const ROOM_BYTES = [250_000, 16_000] as const;
/** As many messages as a connection may send, by default. */
const MESSAGE_RATE = 1000;
const UNANSWERED_MAX = 32;
/** Frames at once, and how often. */
const FLOOD = 1000;
const FLOODS_PER_SECOND = 100;
/** Connections that use up what one user may. */
const FEW = 5;

const text = (command: object): Payload => ({ kind: 'text', text: JSON.stringify(command) });
const named = (command: Readonly<Record<string, unknown>>, prefix: string, count: number): Payload => ({
  kind: 'names',
  command,
  member: command.stream === 'rooms' ? 'rooms' : 'symbols',
  prefix,
  count,
});

/** Everything about all topics of the market: depth of each book at one class and number of levels after another. */
const classChanges = (count: number, classes: readonly string[]): Payload[] =>
  [10, 25, 100].flatMap(depth =>
    classes.map(name => named({ action: 'subscribe', stream: 'depth', class: name, depth }, BOOK_PREFIX, count)),
  );

const since: Payload = {
  kind: 'text',
  text: `{"action":"subscribe","stream":"trades","symbol":"${TRADED}","since":{"epoch":"{epoch}","seq":{since}}}`,
};

const roomMessage = (bytes: number): Payload => ({
  kind: 'filled',
  head: '{"action":"publish","stream":"rooms","room":"attack","data":{"text":"',
  fill: 'x',
  tail: '"}}',
  bytes,
});

/** What most of them have in common: one connection, or several of one address, without a prelude. */
const one = (
  { addresses, path }: About,
  messages: readonly Payload[],
  perSecond: number,
  more: Partial<AttackPlan> = {},
): AttackPlan => ({
  connections: 1,
  addresses: addresses.slice(0, 1),
  paths: [path()],
  prelude: [],
  messages,
  perSecond,
  ...more,
});

const followQuotes = ({ market }: About): Partial<AttackPlan> => ({
  prelude: [named({ action: 'subscribe', stream: 'quotes' }, QUOTE_PREFIX, market.topics)],
});
const resync = ({ market }: About): Payload[] => [
  named({ action: 'resync', stream: 'quotes' }, QUOTE_PREFIX, market.topics),
];
const followTrades = ({ market }: About): Partial<AttackPlan> => ({
  prelude: [text({ action: 'subscribe', stream: 'trades', symbol: TRADED })],
  sinceBack: market.trades - 1,
});
const msgpack = ({ path }: About): Partial<AttackPlan> => ({ paths: [path('/ws?format=msgpack')] });
const changeClasses =
  (classes: readonly string[], connections: number) =>
  (about: About): AttackPlan =>
    one(about, classChanges(about.market.topics, classes), 10 * connections, { connections });

export const ATTACKS: readonly Attack[] = [
  {
    id: 'J1',
    name: 'unsubscribe 100,000 names',
    by: 'anonymous',
    plan: about => one(about, [named({ action: 'unsubscribe', stream: 'quotes' }, 'X', NAMES)], 10),
  },
  {
    id: 'J1',
    name: 'the same by 100 connections in turn',
    by: 'anonymous',
    plan: about =>
      one(about, [named({ action: 'unsubscribe', stream: 'quotes' }, 'X', NAMES)], 50, { connections: 100 }),
  },
  {
    id: 'J1',
    name: 'unsubscribe 1024 names',
    by: 'anonymous',
    plan: about => one(about, [named({ action: 'unsubscribe', stream: 'quotes' }, 'X', SUBSCRIPTIONS)], MESSAGE_RATE),
  },
  {
    id: 'J1',
    name: 'subscribe to 1024 unknown names',
    by: 'anonymous',
    plan: about => one(about, [named({ action: 'subscribe', stream: 'quotes' }, 'X', SUBSCRIPTIONS)], 100),
  },
  {
    id: 'J1',
    name: 'subscribe to 1000 rooms and leave',
    by: 'retail',
    plan: about =>
      one(
        about,
        ['subscribe', 'unsubscribe'].map(action => named({ action, stream: 'rooms' }, 'r', 1000)),
        20,
      ),
  },
  {
    id: 'J1',
    name: '1 MB of [',
    by: 'anonymous',
    plan: about => one(about, [{ kind: 'filled', head: '', fill: '[', tail: '', bytes: MESSAGE_BYTES_MAX }], 10),
  },
  {
    id: 'J1',
    name: 'ping with 1 MB of numbers',
    by: 'anonymous',
    plan: about =>
      one(
        about,
        [{ kind: 'filled', head: '{"action":"ping","x":[0', fill: ',1', tail: ']}', bytes: MESSAGE_BYTES_MAX }],
        10,
      ),
  },
  {
    id: 'J1',
    name: '1 MB of nested MessagePack',
    by: 'anonymous',
    plan: about => one(about, [{ kind: 'msgpack', shape: 'nested', bytes: MESSAGE_BYTES_MAX }], 10, msgpack(about)),
  },
  {
    id: 'J1',
    name: 'ping with 1 MB of MessagePack',
    by: 'anonymous',
    plan: about => one(about, [{ kind: 'msgpack', shape: 'wide', bytes: MESSAGE_BYTES_MAX }], 10, msgpack(about)),
  },
  { id: 'J2', name: 'class changes of depth', by: 'retail', plan: changeClasses(['100ms', '1000ms'], 1) },
  {
    id: 'J2',
    name: 'class changes of depth, five connections',
    by: 'institutional',
    plan: changeClasses(['realtime', '16ms', '100ms', '1000ms'], FEW),
  },
  {
    id: 'J2',
    name: 'subscribe to a depth and leave',
    by: 'retail',
    plan: about => {
      const about1 = { stream: 'depth', symbol: `${BOOK_PREFIX}0` };
      return one(
        about,
        [text({ action: 'subscribe', ...about1 }), text({ action: 'unsubscribe', ...about1 })],
        MESSAGE_RATE,
      );
    },
  },
  {
    id: 'J3',
    name: 'resync of quotes',
    by: 'retail',
    plan: about => one(about, resync(about), 100, followQuotes(about)),
  },
  {
    id: 'J3',
    name: 'resync of quotes that are not read',
    by: 'retail',
    plan: about => one(about, resync(about), 100, { ...followQuotes(about), connections: 10, isStalled: true }),
  },
  {
    id: 'J4',
    name: 'since',
    by: 'retail',
    plan: about => one(about, [since], MESSAGE_RATE, { ...followTrades(about), unansweredMax: UNANSWERED_MAX }),
  },
  {
    id: 'J4',
    name: 'since, five connections',
    by: 'institutional',
    plan: about =>
      one(about, [since], FEW * MESSAGE_RATE, {
        ...followTrades(about),
        connections: FEW,
        unansweredMax: UNANSWERED_MAX,
      }),
  },
  {
    id: 'J4',
    name: 'since without reading',
    by: 'retail',
    plan: about => one(about, [since], 100, { ...followTrades(about), connections: 10, isStalled: true }),
  },
  {
    id: 'J6',
    name: 'large room messages',
    by: 'retail',
    plan: about => one(about, ROOM_BYTES.map(roomMessage), MESSAGE_RATE, { unansweredMax: UNANSWERED_MAX }),
  },
  {
    id: 'J7',
    name: 'messages to new rooms',
    by: 'retail',
    plan: about =>
      one(about, [text({ action: 'publish', stream: 'rooms', room: 'new-{n}', data: {} })], 2 * MESSAGE_RATE, {
        connections: 2,
      }),
  },
  {
    id: 'J8',
    name: 'connections that fill the places',
    by: 'anonymous',
    plan: about => one(about, [], 0, { connections: CONNECTIONS_MAX + 100, addresses: about.addresses }),
  },
  {
    id: 'J8',
    name: 'connections that come and go',
    by: 'retail',
    plan: about =>
      one(about, [], 0, {
        paths: [about.path('/ws/trades')],
        storm: { perSecond: 400, holdMs: 50 },
        addresses: about.addresses,
      }),
  },
  {
    id: 'J8',
    name: 'upgrades with wrong tokens',
    by: 'anonymous',
    plan: about =>
      one(about, [], 0, {
        paths: ['/ws?token=e30.e30.e30'],
        storm: { perSecond: 400, holdMs: 50 },
        addresses: about.addresses,
      }),
  },
  {
    id: 'R41',
    name: 'auth with wrong tokens',
    by: 'anonymous',
    plan: about => one(about, [text({ action: 'auth', token: 'e30.e30.{n}' })], MESSAGE_RATE),
  },
  {
    id: 'R41',
    name: '100,000 messages a second',
    by: 'anonymous',
    plan: about => one(about, [{ kind: 'flood', of: 'messages', count: FLOOD }], FLOODS_PER_SECOND),
  },
  {
    id: 'R41',
    name: '100,000 WebSocket pings a second',
    by: 'anonymous',
    plan: about => one(about, [{ kind: 'flood', of: 'pings', count: FLOOD }], FLOODS_PER_SECOND),
  },
  {
    id: 'R41',
    name: 'ping',
    by: 'anonymous',
    plan: about => one(about, [text({ action: 'ping' })], MESSAGE_RATE),
  },
];

/** Addresses of one attacker: loopback, apart from the clients' and from those of other attacks. */
const ADDRESSES = 10;

/** The plan of attack number `index`, with a user and addresses of its own. */
export async function planOf(attack: Attack, index: number, secret: string, market: Market): Promise<AttackPlan> {
  const { by } = attack;
  const token = by === 'anonymous' ? undefined : await mintToken(secret, `attacker-${index}`, by);
  return attack.plan({
    market,
    addresses: Array.from({ length: ADDRESSES }, (_, i) => `127.0.${index + 1}.${i + 1}`),
    path: (endpoint = '/ws') => {
      if (token === undefined) return endpoint;
      return `${endpoint}${endpoint.includes('?') ? '&' : '?'}token=${token}`;
    },
  });
}

/** As tables and notes call it. */
export function titleOf({ id, name, by }: Attack): string {
  return `${id} ${name} (${by})`;
}
