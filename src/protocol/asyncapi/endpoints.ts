/** The WebSocket endpoints: where to connect, with which query, and what may be sent there. */
import { z } from 'zod';
import { depth, rateClass } from '../frames/members.js';
import { CHANNELS } from '../topics.js';
import { COMMAND_KEYS, FRAME_KEYS, REFUSAL_KEYS } from './messages.js';
import { type JsonObject, jsonSchemas, reference } from './schemas.js';

interface Endpoint {
  readonly address: string;
  readonly title: string;
  readonly description: string;
  readonly needsCredential: boolean;
  /** Members of the query besides those common to all endpoints. */
  readonly query: Readonly<Record<string, z.ZodType>>;
  readonly parameters?: JsonObject;
}

const list = (of: string, alias: string) =>
  z.string().min(1).describe(`${of}, separated by commas; may be repeated, and be called ${alias}`);

const COMMON_QUERY = {
  token: z
    .string()
    .optional()
    .describe(
      'A JWT; or use the header Authorization, or the subprotocol millrace.token.<jwt> beside that of a format',
    ),
  api_key: z.string().optional().describe('An API key; or use the header X-API-Key'),
  format: z
    .enum(['json', 'msgpack'])
    .optional()
    .describe(
      'Text frames of JSON, or binary frames of MessagePack: the same members in the same shapes. Or use the subprotocol millrace.json, millrace.msgpack',
    ),
  class: rateClass.optional().describe('The class of state topics that are subscribed without one'),
  explain: z
    .literal('1')
    .optional()
    .describe(
      'Instead of answering 401, 403, 429 or 503 `journal_unavailable`, which browsers hide from a page, the gateway accepts the connection and closes it at once with 4501, 4503 or 4029 (after a going_away)',
    ),
  timestamps: z.literal('1').optional().describe('Data frames carry ts_event, if it is known, and ts_sent'),
};

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  general: {
    address: '/ws',
    title: 'Anything',
    description:
      'Nothing is subscribed on open. A credential is optional; quotes, orders, analytics and rooms need one.',
    needsCredential: false,
    query: {},
  },
  quotes: {
    address: '/ws/quotes',
    title: 'Quotes',
    description:
      'Subscribed on open to the quotes of the symbols named. The first frame is one snapshot of all (if a fast feed changes them at that moment, of some, with the others in another frame). Unknown symbols are left out and named in a warning after it.',
    needsCredential: true,
    query: { symbols: list('Symbols', 'symbol') },
  },
  trades: {
    address: '/ws/trades',
    title: 'Trades',
    description: 'Subscribed on open to the trades of the symbols named, or of all symbols. A credential is optional.',
    needsCredential: false,
    query: { symbols: list('Symbols', 'symbol').optional() },
  },
  market: {
    address: '/ws/markets/{symbol}',
    title: 'Best level or depth',
    description:
      'Subscribed on open to the order book of the symbol: its best level or, with depth, its levels. A credential is optional.',
    needsCredential: false,
    query: { depth: depth.optional().describe('Levels on each side; without it, the best level') },
    parameters: { symbol: { description: 'As published; the slash raw or as %2F', examples: ['BTC/USDT', 'AAPL'] } },
  },
  orders: {
    address: '/ws/orders',
    title: 'Orders',
    description: 'Subscribed on open to the orders of the credential’s own user.',
    needsCredential: true,
    query: {},
  },
  analytics: {
    address: '/ws/analytics',
    title: 'Analytics',
    description: `Subscribed on open to the channels named, if any: ${Object.keys(CHANNELS).join(', ')}. A channel may require a role.`,
    needsCredential: true,
    query: { channels: list('Channels', 'channel').optional() },
  },
};

const CREDENTIALS = ['token', 'tokenInQuery', 'apiKey', 'apiKeyInQuery'];
const WS_SERVERS = [reference('servers', 'ws'), reference('servers', 'wss')];
const HTTP_SERVERS = [reference('servers', 'http'), reference('servers', 'https')];

export const messageReferences = (keys: readonly string[]): JsonObject =>
  Object.fromEntries(keys.map(key => [key, reference('components', 'messages', key)]));

export const channelMessages = (channel: string, keys: readonly string[]): JsonObject[] =>
  keys.map(key => reference('channels', channel, 'messages', key));

/** The channels of the endpoints, and of the HTTP request that each starts with. */
export function endpointChannels(): JsonObject {
  const queries = Object.entries(ENDPOINTS).map(([key, { query }]) => [key, z.object({ ...query, ...COMMON_QUERY })]);
  const { own } = jsonSchemas(Object.fromEntries(queries));
  const channels = Object.entries(ENDPOINTS).map(([key, { address, title, description, parameters }]) => [
    key,
    {
      address,
      title,
      description,
      servers: WS_SERVERS,
      ...(parameters === undefined ? undefined : { parameters }),
      messages: messageReferences([...COMMAND_KEYS, ...FRAME_KEYS]),
      bindings: { ws: { method: 'GET', query: own[key], bindingVersion: '0.1.0' } },
    },
  ]);
  const upgrade = {
    address: '{endpoint}',
    title: 'Connecting',
    description: 'The HTTP request that becomes a connection, and the answers that refuse it',
    servers: HTTP_SERVERS,
    parameters: { endpoint: { enum: Object.values(ENDPOINTS).map(({ address }) => address) } },
    messages: messageReferences(['upgrade_request', ...REFUSAL_KEYS]),
  };
  return { upgrade, ...Object.fromEntries(channels) };
}

/** Frames that answer each command, besides `error`. */
const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  subscribe: ['subscribed'],
  unsubscribe: ['unsubscribed'],
  resync: ['quotes_snapshot', 'orderbook_update', 'depth_snapshot'],
  publish: ['ack_publish'],
  auth: ['ack_auth'],
  ping: ['pong'],
};

/** Each command with its answers (on `/ws`; the same on every endpoint), and what each endpoint accepts and sends. */
export function endpointOperations(): JsonObject {
  const operations: Record<string, JsonObject> = {
    upgrade: {
      action: 'send',
      channel: reference('channels', 'upgrade'),
      summary: 'Connects',
      messages: channelMessages('upgrade', ['upgrade_request']),
      bindings: { http: { method: 'GET', bindingVersion: '0.3.0' } },
      reply: { channel: reference('channels', 'upgrade'), messages: channelMessages('upgrade', REFUSAL_KEYS) },
    },
  };
  for (const [command, answers] of Object.entries(ANSWERS)) {
    operations[command] = {
      action: 'send',
      channel: reference('channels', 'general'),
      messages: channelMessages('general', [command]),
      reply: {
        channel: reference('channels', 'general'),
        messages: channelMessages('general', [...answers, 'error']),
      },
    };
  }
  for (const [key, { title, needsCredential }] of Object.entries(ENDPOINTS)) {
    const security = CREDENTIALS.map(scheme => reference('components', 'securitySchemes', scheme));
    const common = { channel: reference('channels', key), ...(needsCredential ? { security } : undefined) };
    operations[`${key}.receive`] = {
      action: 'receive',
      ...common,
      summary: `${title}: frames`,
      messages: channelMessages(key, FRAME_KEYS),
    };
    operations[`${key}.send`] = {
      action: 'send',
      ...common,
      summary: `${title}: commands`,
      messages: channelMessages(key, COMMAND_KEYS),
    };
  }
  return operations;
}
