/** The NATS subjects: what publishers and operators send, and where refused messages go. */
import { CHANNELS, subjectOf } from '../topics.js';
import { channelMessages, messageReferences } from './endpoints.js';
import { type JsonObject, reference } from './schemas.js';

interface Subject {
  /** Null: the reply subject of a request. */
  readonly address: string | null;
  readonly description: string;
  readonly messages: readonly string[];
  readonly parameters?: JsonObject;
  readonly action: 'send' | 'receive';
  readonly summary: string;
  /** The channel of the answers to a request. */
  readonly reply?: { readonly channel: string; readonly messages: readonly string[] };
}

const symbol = { symbol: { description: 'Equals the symbol in the message', examples: ['AAPL', 'BTC/USDT'] } };

const SUBJECTS: Readonly<Record<string, Subject>> = {
  publishedQuotes: {
    address: subjectOf('quotes', '{symbol}'),
    description: 'Quotes, whole or in part',
    messages: ['quote', 'quote_partial'],
    parameters: symbol,
    action: 'send',
    summary: 'Publishes a quote',
  },
  publishedBooks: {
    address: subjectOf('books', '{symbol}'),
    description: 'Order books: the source of best levels and depths',
    messages: ['book', 'book_partial'],
    parameters: symbol,
    action: 'send',
    summary: 'Publishes a book',
  },
  publishedTrades: {
    address: subjectOf('trades', '{symbol}'),
    description: 'Trades',
    messages: ['trade'],
    parameters: symbol,
    action: 'send',
    summary: 'Publishes a trade',
  },
  publishedOrders: {
    address: subjectOf('orders', '{userId}'),
    description: 'Updates of one user’s orders',
    messages: ['order'],
    parameters: { userId: { description: 'The sub of the user’s credential' } },
    action: 'send',
    summary: 'Publishes an order update',
  },
  publishedAnalytics: {
    address: subjectOf('analytics', '{channel}'),
    description: 'Messages of an analytics channel',
    messages: ['analytics_message'],
    parameters: { channel: { enum: Object.keys(CHANNELS) } },
    action: 'send',
    summary: 'Publishes a message of a channel',
  },
  publishedRooms: {
    address: subjectOf('rooms', '{room}'),
    description: 'Messages in a room, from clients of any gateway and from publishers',
    messages: ['room_post'],
    parameters: { room: { description: 'Its name' } },
    action: 'send',
    summary: 'Publishes a message in a room',
  },
  revocations: {
    address: 'control.revoke',
    description: 'Revocations of credentials, for every gateway. JSON only.',
    messages: ['revoke'],
    action: 'send',
    summary: 'Revokes a credential',
    reply: { channel: 'revocationAnswers', messages: ['revoke_answer'] },
  },
  revocationAnswers: {
    address: null,
    description: 'The reply subject of a request on control.revoke; every gateway answers for itself',
    messages: ['revoke_answer'],
    action: 'receive',
    summary: 'Receives the result of a revocation',
  },
  drains: {
    address: 'control.drain',
    description: 'Orders to one gateway. JSON only.',
    messages: ['drain'],
    action: 'send',
    summary: 'Drains a gateway',
  },
  surveillanceAlerts: {
    address: 'surveillance.alerts',
    description: 'What surveillance finds, for compliance: it names users',
    messages: ['surveillance_alert'],
    action: 'receive',
    summary: 'Receives alerts of surveillance',
  },
  deadLetters: {
    address: 'deadletter.{subject}',
    description: 'Refused messages of publishers',
    messages: ['dead_letter'],
    parameters: { subject: { description: 'Where it was published' } },
    action: 'receive',
    summary: 'Receives refused messages',
  },
};

export function subjectChannels(): JsonObject {
  const channels = Object.entries(SUBJECTS).map(([key, { address, description, messages, parameters }]) => [
    key,
    {
      address,
      description,
      servers: [reference('servers', 'nats')],
      ...(parameters === undefined ? undefined : { parameters }),
      messages: messageReferences(messages),
    },
  ]);
  return Object.fromEntries(channels);
}

export function subjectOperations(): JsonObject {
  const operations = Object.entries(SUBJECTS).map(([key, { action, summary, messages, reply }]) => [
    `${key}.${action}`,
    {
      action,
      channel: reference('channels', key),
      summary,
      messages: channelMessages(key, messages),
      ...(reply === undefined ? undefined : { reply: replyOf(reply) }),
    },
  ]);
  return Object.fromEntries(operations);
}

function replyOf({ channel, messages }: NonNullable<Subject['reply']>): JsonObject {
  return { channel: reference('channels', channel), messages: channelMessages(channel, messages) };
}
