/**
 * What a client's messages cost the gateway, in **units** of about 1 µs of CPU over all threads (measured by
 * `npm run bench -- cost`). `ops/limits.md` shows this table.
 */
import type { Command } from './commands.js';
import { isStream, type Stream } from './topics.js';

/** How far a budget may be overdrawn, in seconds of its rate. */
export const BURST_SECONDS = 5;
/** A user's connections together, and an address's, as multiples of what one connection may use. */
export const USER_FACTOR = 4;
export const ADDRESS_FACTOR = 8;
/** What an institutional connection may use, as a multiple of others'. Its address is not charged. */
export const INSTITUTIONAL_FACTOR = 4;

/** A message, whatever it says. */
export const MESSAGE_UNITS = 40;
/** Bytes of a client's message that cost one unit to read. */
export const READ_BYTES_PER_UNIT = 16;
/** The same, besides, of a JSON message with a number longer than a double holds. */
export const EXACT_BYTES_PER_UNIT = 1.3;
/** An upgrade request, whatever becomes of it. */
export const CONNECT_UNITS = 300;
/** Verifying a token. */
export const AUTH_UNITS = 500;
/** A name in a command, whether it is a topic or not. */
export const NAME_UNITS = 3;
/** A topic that is left. */
export const UNSUBSCRIBE_UNITS = 20;
/** A topic that is subscribed to, changes its class, or is sent whole again: its first bytes included. */
export const TOPIC_UNITS: Readonly<Record<Stream, number>> = {
  quotes: 30,
  depth: 160,
  orderbook: 40,
  trades: 40,
  orders: 120,
  analytics: 60,
  rooms: 120,
};
/** A symbol that is answered for when the trades of all symbols are asked for, as no other client has them. */
export const ALL_TRADES_SYMBOL_UNITS = 3;
/** A topic of the connection that the trades of all symbols may deliver for, when they begin and when they end. */
export const HAND_OVER_UNITS = 2;
/** A request for what was missed of a topic; what is sent again costs by its bytes. */
export const REPLAY_UNITS = 500;
/** Bytes encoded or sent again that cost one unit. */
export const REPLAY_BYTES_PER_UNIT = 10;
/** What is reserved for each message that is to be sent again, until its bytes are known. */
export const REPLAY_MESSAGE_UNITS = 20;
/**
 * Messages that this is reserved for: at most, as sequences may count other topics' messages too; and where it is not known how
 * many there are.
 */
const REPLAY_MESSAGES = { max: 1_000, unknown: 100 } as const;
/** Bytes of snapshots that cost one unit. */
export const SNAPSHOT_BYTES_PER_UNIT = 100;
/** A message to a room, its way over the feed included. */
export const PUBLISH_UNITS = 150;
/** Bytes of a message to a room that cost one unit, besides being read. */
export const PUBLISH_BYTES_PER_UNIT = 30;

/** Reading a client's message of this length. */
export function readUnits(bytes: number): number {
  return MESSAGE_UNITS + bytes / READ_BYTES_PER_UNIT;
}

/** Reading the numbers of a JSON message exactly, where one is long. */
export function exactUnits(bytes: number): number {
  return bytes / EXACT_BYTES_PER_UNIT;
}

/** Sending this much of what was missed. */
export function replayUnits(bytes: number): number {
  return bytes / REPLAY_BYTES_PER_UNIT;
}

/** What a replay may cost, before its bytes are known. @param messages undefined: not known */
export function replayEstimateUnits(messages: number | undefined): number {
  const { max, unknown } = REPLAY_MESSAGES;
  return Math.min(max, Math.max(0, messages ?? unknown)) * REPLAY_MESSAGE_UNITS;
}

/** Sending this much of what a client asked to have whole. */
export function snapshotUnits(bytes: number): number {
  return bytes / SNAPSHOT_BYTES_PER_UNIT;
}

/** Answering for the trades of so many symbols. */
export function allTradesUnits(symbols: number): number {
  return symbols * ALL_TRADES_SYMBOL_UNITS;
}

/** The trades of all symbols begin, or end, on a connection with so many topics. */
export function handOverUnits(topics: number): number {
  return topics * HAND_OVER_UNITS;
}

/** Subscribing to so many topics of a stream. */
export function topicUnits(stream: Stream, topics: number): number {
  return topics * (NAME_UNITS + TOPIC_UNITS[stream]);
}

/** Executing a command that has been read. @param bytes of the message that it came in */
export function commandUnits(command: Command, bytes: number): number {
  switch (command.action) {
    case 'subscribe':
      return topicsUnits(command) + (command.since === undefined ? 0 : REPLAY_UNITS * namesIn(command));
    case 'resync':
      return topicsUnits(command);
    case 'unsubscribe':
      return namesIn(command) * (NAME_UNITS + UNSUBSCRIBE_UNITS);
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
  // One of a stream that is not known is refused.
  const names = namesIn(command);
  return isStream(stream) ? topicUnits(stream, names) : names * NAME_UNITS;
}

/** Names that a command has, one at least: some streams have topics that need none. */
function namesIn({ symbol, symbols, channel, channels, room, rooms }: Naming): number {
  const single = [symbol, channel, room].filter(name => name !== undefined).length;
  return Math.max(1, single + (symbols?.length ?? 0) + (channels?.length ?? 0) + (rooms?.length ?? 0));
}
