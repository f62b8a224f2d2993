/**
 * What a client's messages cost the gateway, in **units** of about 1 µs of CPU over all threads (measured with
 * `npm run bench -- cost`). `ops/limits.md` shows this table.
 */
import type { Command } from './commands.js';
import { isStream, type Stream } from './topics.js';

/** How far a budget may be overdrawn, in seconds of its rate. */
export const BURST_SECONDS = 5;
/** Others come before a client that owes more, in seconds of its rate. */
export const INDEBTED_SECONDS = 1;
/** Budgets of a user's and of an address's connections together, as multiples of one connection's. */
export const USER_FACTOR = 4;
export const ADDRESS_FACTOR = 8;
/** Budget of an institutional connection, as a multiple of others'. Its address is not charged. */
export const INSTITUTIONAL_FACTOR = 4;

/** Any message, whatever it says. */
export const MESSAGE_UNITS = 40;
/** Bytes of a client's message that cost one unit to read. */
export const READ_BYTES_PER_UNIT = 16;
/** The surcharge for a JSON message with a number longer than a double holds. */
export const EXACT_BYTES_PER_UNIT = 1.3;
/** An upgrade request, accepted or not. */
export const CONNECT_UNITS = 300;
/** Verifying a token. */
export const AUTH_UNITS = 500;
/** A name in a command, whether or not it is a topic. */
export const NAME_UNITS = 3;
/** Leaving a topic. */
export const UNSUBSCRIBE_UNITS = 20;
/** Subscribing to a topic, changing its class, or sending it whole again, including its first bytes. */
export const TOPIC_UNITS: Readonly<Record<Stream, number>> = {
  quotes: 30,
  depth: 160,
  orderbook: 40,
  trades: 40,
  orders: 120,
  analytics: 60,
  rooms: 120,
};
/** Each symbol, when all trades are requested and no other client has them. */
export const ALL_TRADES_SYMBOL_UNITS = 3;
/** Each topic of the connection that the trades of all symbols may take over, when they start and when they end. */
export const HAND_OVER_UNITS = 2;
/** A request for missed messages of a topic; replayed bytes are charged in addition. */
export const REPLAY_UNITS = 500;
/** Bytes encoded or replayed per unit. */
export const REPLAY_BYTES_PER_UNIT = 10;
/** Reserved for each message to replay, until its bytes are known. */
export const REPLAY_MESSAGE_UNITS = 20;
/**
 * How many messages to reserve for: at most `max`, because sequences may also count other topics' messages; `unknown`
 * if the number is not known.
 */
const REPLAY_MESSAGES = { max: 1_000, unknown: 100 } as const;
/** A message that a FIX client is sent again. */
export const RESENT_MESSAGE_UNITS = 5;
/** Bytes of snapshots per unit. */
export const SNAPSHOT_BYTES_PER_UNIT = 100;
/** A message to a room, including its way over the feed. */
export const PUBLISH_UNITS = 150;
/** Following a room that has no followers, while a message to it is on its way. */
export const ROOM_OPENED_UNITS = 800;
/** Bytes of a message to a room per unit, on top of reading it. */
export const PUBLISH_BYTES_PER_UNIT = 30;

/** Reading a client's message of this length. */
export function readUnits(bytes: number): number {
  return MESSAGE_UNITS + bytes / READ_BYTES_PER_UNIT;
}

/** Reading the numbers of a JSON message exactly if one of them is long. */
export function exactUnits(bytes: number): number {
  return bytes / EXACT_BYTES_PER_UNIT;
}

/** Replaying this many bytes. */
export function replayUnits(bytes: number): number {
  return bytes / REPLAY_BYTES_PER_UNIT;
}

/** The estimated cost of a replay before its bytes are known. @param messages undefined: unknown */
export function replayEstimateUnits(messages: number | undefined): number {
  const { max, unknown } = REPLAY_MESSAGES;
  return Math.min(max, Math.max(0, messages ?? unknown)) * REPLAY_MESSAGE_UNITS;
}

/** Sending this many bytes of requested snapshots. */
export function snapshotUnits(bytes: number): number {
  return bytes / SNAPSHOT_BYTES_PER_UNIT;
}

/** Serving the trades of this many symbols. */
export function allTradesUnits(symbols: number): number {
  return symbols * ALL_TRADES_SYMBOL_UNITS;
}

/** Starting or ending the trades of all symbols on a connection with this many topics. */
export function handOverUnits(topics: number): number {
  return topics * HAND_OVER_UNITS;
}

/** Subscribing to this many topics of a stream. */
export function topicUnits(stream: Stream, topics: number): number {
  return topics * (NAME_UNITS + TOPIC_UNITS[stream]);
}

/** Leaving this many topics. */
export function leavingUnits(topics: number): number {
  return topics * (NAME_UNITS + UNSUBSCRIBE_UNITS);
}

/** Executing a command that has been read. @param bytes of its message */
export function commandUnits(command: Command, bytes: number): number {
  switch (command.action) {
    case 'subscribe':
      return topicsUnits(command) + (command.since === undefined ? 0 : REPLAY_UNITS * namesIn(command));
    case 'resync':
      return topicsUnits(command);
    case 'unsubscribe':
      return leavingUnits(namesIn(command));
    case 'publish':
      return PUBLISH_UNITS + bytes / PUBLISH_BYTES_PER_UNIT;
    case 'auth':
      return AUTH_UNITS;
    case 'ping':
      return 0;
  }
}

type Naming = Extract<Command, { action: 'subscribe' | 'unsubscribe' | 'resync' }>;

function topicsUnits(command: Naming): number {
  const { stream = 'analytics' } = command;
  // An unknown stream is refused.
  const names = namesIn(command);
  return isStream(stream) ? topicUnits(stream, names) : names * NAME_UNITS;
}

/** Number of names in a command, at least one: some streams have topics without a name. */
function namesIn({ symbol, symbols, channel, channels, room, rooms }: Naming): number {
  const single = [symbol, channel, room].filter(name => name !== undefined).length;
  return Math.max(1, single + (symbols?.length ?? 0) + (channels?.length ?? 0) + (rooms?.length ?? 0));
}
