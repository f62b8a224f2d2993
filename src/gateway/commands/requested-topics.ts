/** Resolves what a command is about: a stream and names in it, or the reason it cannot be served. */
import type { ErrorCode } from '../../protocol/codes.js';
import type { ResyncCommand, SubscribeCommand, UnsubscribeCommand } from '../../protocol/commands.js';
import { ALL_SYMBOLS, isChannel, isMarketData, isStream, isSymbol, type Stream } from '../../protocol/topics.js';
import type { Session } from '../model/session.js';
import { shorten } from '../refusal.js';

export interface NamedTopics {
  readonly stream: Stream;
  readonly names: readonly string[];
  /** True for the trades of all symbols. */
  readonly isAll: boolean;
}

interface NoTopics {
  readonly code: ErrorCode;
  readonly message: string;
}

type TopicCommand = SubscribeCommand | UnsubscribeCommand | ResyncCommand;

/** Resolves a command's names. Whether they exist and are allowed is checked later. */
export function namedTopicsOf(session: Session, command: TopicCommand): NamedTopics | NoTopics {
  const stream = command.stream ?? (hasChannels(command) ? 'analytics' : undefined);
  if (stream === undefined) return { code: 'invalid_message', message: 'stream: name one' };
  if (!isStream(stream)) return { code: 'unknown_stream', message: `unknown stream ${shorten([stream])}` };
  const names = namesOf(stream, command);
  switch (stream) {
    case 'trades': {
      const isAll = names.length === 0 || names.includes(ALL_SYMBOLS);
      return { stream, names: isAll ? [ALL_SYMBOLS] : names, isAll };
    }
    case 'orders':
      return ordersNamed(session, names);
    case 'analytics': {
      const unknown = names.filter(name => !isChannel(name));
      if (names.length === 0) return { code: 'unknown_channel', message: 'channels: name one' };
      if (unknown.length > 0) return { code: 'unknown_channel', message: `unknown: ${shorten(unknown)}` };
      return { stream, names, isAll: false };
    }
    case 'rooms':
      return roomsNamed(names);
    default:
      if (names.length > 0) return { stream, names, isAll: false };
      return { code: 'missing_symbol', message: `${stream}: name a symbol` };
  }
}

/**
 * Users see only their own orders. Another user's name is never looked up, so the reply does not reveal whether it
 * exists.
 */
function ordersNamed(session: Session, names: readonly string[]): NamedTopics | NoTopics {
  const { sub } = session.credential;
  if (sub === '') return { code: 'unauthorized', message: 'orders: a credential is required' };
  if (names.some(name => name !== sub)) return { code: 'forbidden', message: 'orders: only your own' };
  return { stream: 'orders', names: [sub], isAll: false };
}

function roomsNamed(names: readonly string[]): NamedTopics | NoTopics {
  if (names.length === 0) return { code: 'invalid_message', message: 'room: name one' };
  if (names.every(isSymbol)) return { stream: 'rooms', names, isAll: false };
  const message = 'room: 1 to 128 bytes of UTF-8; no spaces, control characters, * or >, no empty part between dots';
  return { code: 'invalid_message', message };
}

function hasChannels({ channel, channels }: TopicCommand): boolean {
  return channel !== undefined || channels !== undefined;
}

/** Each stream has its own member for names; `symbol` works for all. */
function namesOf(stream: Stream, command: TopicCommand): string[] {
  const { symbol, symbols = [], channel, channels = [], room, rooms = [] } = command;
  const names = [symbol, ...symbols];
  if (stream === 'analytics') names.push(channel, ...channels);
  if (stream === 'rooms') names.push(room, ...rooms);
  return [...new Set(names.filter((name): name is string => name !== undefined && name !== ''))];
}

/** The error for unknown names. */
export function unknownNames(names: readonly string[]): NoTopics {
  return { code: 'invalid_symbol', message: `unknown: ${shorten(names)}` };
}

/** Only symbols have to exist in a feed: every user has orders, and every room can be entered. */
export function mustBeKnown({ stream, isAll }: NamedTopics): boolean {
  return isMarketData(stream) && !isAll;
}
