/** How the clients of a server speak to it: what they send, and which of its frames are deliveries. */
import { Packr } from 'msgpackr';
import type { ClientPlan, Dialect } from '../load/messages.js';
import type { DeliveryMark } from '../load/tally.js';
import { deliveryMark, type Format } from './frames.js';
import { type Layout, symbolsOfClient } from './layout.js';
import type { TickShape } from './ticks.js';

export interface Speech {
  readonly delivery: DeliveryMark;
  /** Of the upgrade request, up to its last parameter, the symbols. */
  readonly path: string;
  readonly dialect?: Dialect;
  readonly firstFrames?: number;
  readonly command?: string;
}

/** The frames are Millrace's, and nothing else is sent. */
export function plainSpeech(shape: TickShape, format: Format): Speech {
  return { delivery: deliveryMark(shape, format), path: '/ws/quotes?' };
}

/** Engine.IO's `0{…}` and the answer to the command come first; an event is `42[…]`, in MessagePack `{type: 2, …}`. */
export function socketIoSpeech(format: Format): Speech {
  const path = '/socket.io/?EIO=4&transport=websocket&';
  if (format === 'json') {
    const delivery = { offset: 1, byte: '2'.charCodeAt(0) };
    return { delivery, path, dialect: 'socket.io', firstFrames: 2, command: '40' };
  }
  const [connect, event] = [0, 2];
  const packr = new Packr({ useRecords: false, variableMapSize: true });
  const command = packr.pack({ type: connect, nsp: '/' });
  const delivery = { offset: packr.pack({ type: event }).length - 1, byte: event };
  return { delivery, path, dialect: 'socket.io-msgpack', firstFrames: 2, command: command.toString('latin1') };
}

export function clientsOf(layout: Layout, { path, command }: Speech): ClientPlan[] {
  return Array.from({ length: layout.clients }, (_, client) => ({
    path: `${path}symbols=${symbolsOfClient(layout, client).join(',')}`,
    ...(command === undefined ? {} : { command }),
  }));
}

/** Clients of nats-server itself, each with one subscription a symbol. INFO and PONG come first. */
export function natsClients(layout: Layout, subjectOf: (symbol: string) => string): ClientPlan[] {
  const subscriptions = (client: number): string =>
    symbolsOfClient(layout, client)
      .map((symbol, index) => `SUB ${subjectOf(symbol)} ${index + 1}\r\n`)
      .join('');
  return Array.from({ length: layout.clients }, (_, client) => ({
    path: '/',
    command: `CONNECT {"verbose":false,"pedantic":false,"protocol":1}\r\n${subscriptions(client)}PING\r\n`,
  }));
}

/** What {@link natsClients} get; the protocol tells deliveries, not a mark. */
export const NATS_SPEECH = { dialect: 'nats', firstFrames: 2 } as const;

/** As a load plan wants it. */
export function spoken({ delivery, dialect, firstFrames }: Speech) {
  return {
    delivery,
    ...(dialect === undefined ? {} : { dialect }),
    ...(firstFrames === undefined ? {} : { firstFrames }),
  };
}
