import { randomBytes } from 'node:crypto';
import { type ConnectionOptions, connect, type NatsConnection } from 'nats';
import { MESSAGE_BYTES_DEFAULT } from '../protocol/content-limits.js';
import { stringifyExact } from '../protocol/exact-json.js';
import { MsgpackWriter } from '../protocol/msgpack-writer.js';
import { WallClock } from '../protocol/wall-clock.js';
import { checkEpoch } from './checks.js';
import { CoreSender } from './core-sender.js';
import { JetStreamSender } from './jetstream-sender.js';
import { Publisher } from './publisher.js';

/** Some 28 000 quotes. */
const WAITING_BYTES_MAX_DEFAULT = 32 * 1024 * 1024;
const WAITING_BYTES_MIN = 512 * 1024;
const IN_FLIGHT_MAX_DEFAULT = 256;
const ACK_TIMEOUT_MS_DEFAULT = 2_000;
/** Well within the two minutes that are a stream's duplicate window unless it is told otherwise. */
const RETRY_FOR_MS_DEFAULT = 90_000;
/** Of an epoch: enough for no two runs to meet, short as every frame carries it. */
const EPOCH_BYTES = 6;

/** How a publisher connects unless it is told otherwise: it comes back after every outage. */
const CONNECTION_DEFAULTS: ConnectionOptions = {
  name: 'millrace-publisher',
  timeout: 5_000,
  maxReconnectAttempts: -1,
  ignoreAuthErrorAbort: true,
  reconnectTimeWait: 250,
  pingInterval: 10_000,
  maxPingOut: 2,
};

/** How a {@link Publisher} publishes. */
export interface PublisherOptions {
  /** Of the payloads. `json` when left out. */
  readonly format?: 'json' | 'msgpack';
  /**
   * True: every message is confirmed by the JetStream stream of its subject, which numbers it. Core NATS when left out.
   */
  readonly jetstream?: boolean;
  /**
   * Core NATS: number the messages of each subject (`Seq`, `Epoch`), so that a gateway notices a lost one. True when
   * left out. Say false where several publishers share subjects: two numberings of one subject contradict each other.
   */
  readonly numbered?: boolean;
  /**
   * Core NATS: what the numbers count in, 1 to 64 visible ASCII characters. It must never have been used before, as
   * the numbers begin at 1; left out, a random one.
   */
  readonly epoch?: string;
  /**
   * Most that may wait for the server, in bytes with 1 KiB for each message, from 512 KiB. 32 MiB when left out.
   * Beyond it a publish throws {@link PublisherOverflow}.
   */
  readonly waitingBytesMax?: number;
  /**
   * Longest message, in bytes, half of `waitingBytesMax` at most. As gateways take it (`MESSAGE_BYTES_MAX`): 1 MiB when left
   * out.
   */
  readonly messageBytesMax?: number;
  /**
   * JetStream: messages on their way at a time, on different subjects; of one subject, there is one. 256 when left out.
   */
  readonly inFlightMax?: number;
  /** JetStream: how long to wait for an answer before a message is sent again. 2 s when left out. */
  readonly ackTimeoutMs?: number;
  /**
   * JetStream: how long after it was first sent a message may be sent again. Keep it below the `duplicate_window` of
   * the stream, or a message may be stored twice. 90 s when left out.
   */
  readonly retryForMs?: number;
}

/**
 * Connects a publisher.
 * @param nats options of nats.js (`servers`, `user`, `tls`, …; endless reconnects unless they say otherwise), or a
 *   connection, which the publisher does not close.
 * @throws {TypeError} when an option cannot be used.
 * @throws {NatsError} when the server cannot be reached or refuses.
 */
export async function connectPublisher(
  nats: ConnectionOptions | NatsConnection,
  options: PublisherOptions = {},
): Promise<Publisher> {
  const checked = withDefaults(options);
  const isConnected = 'jetstream' in nats;
  const clock = new WallClock();
  const connection = isConnected ? nats : await connect({ ...CONNECTION_DEFAULTS, ...nats });
  return new Publisher({
    connection,
    ownsConnection: !isConnected,
    sender: options.jetstream ? new JetStreamSender(connection, checked) : new CoreSender(connection, checked),
    encode: encoderOf(options.format ?? 'json'),
    messageBytesMax: checked.messageBytesMax,
    nowMicros: () => clock.nowMicros(),
  });
}

function withDefaults(options: PublisherOptions) {
  const { format = 'json', jetstream = false, numbered = !jetstream, epoch } = options;
  if (format !== 'json' && format !== 'msgpack') throw new TypeError(`format ${format}: must be json or msgpack`);
  if (jetstream && numbered) throw new TypeError('numbered true: under JetStream the stream numbers');
  if (!numbered && epoch !== undefined) throw new TypeError('epoch: is of no use, as nothing is numbered');
  if (epoch !== undefined) checkEpoch(epoch);
  const waitingBytesMax = atLeast(
    WAITING_BYTES_MIN,
    'waitingBytesMax',
    options.waitingBytesMax,
    WAITING_BYTES_MAX_DEFAULT,
  );
  const messageBytesMax = atLeast(1, 'messageBytesMax', options.messageBytesMax, MESSAGE_BYTES_DEFAULT);
  return {
    epoch: numbered ? (epoch ?? randomBytes(EPOCH_BYTES).toString('hex')) : undefined,
    waitingBytesMax,
    messageBytesMax: Math.min(messageBytesMax, waitingBytesMax / 2),
    inFlightMax: atLeast(1, 'inFlightMax', options.inFlightMax, IN_FLIGHT_MAX_DEFAULT),
    ackTimeoutMs: atLeast(1, 'ackTimeoutMs', options.ackTimeoutMs, ACK_TIMEOUT_MS_DEFAULT),
    retryForMs: atLeast(1, 'retryForMs', options.retryForMs, RETRY_FOR_MS_DEFAULT),
  };
}

function atLeast(min: number, name: string, value: number | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new TypeError(`${name} ${value}: must be a whole number from ${min}`);
}

/** Payloads of the format, every number in them exact. */
export function encoderOf(format: 'json' | 'msgpack'): (message: object) => Uint8Array {
  if (format === 'json') return message => Buffer.from(stringifyExact(message));
  const writer = new MsgpackWriter();
  return message => {
    writer.clear();
    writer.value(message);
    return writer.written.slice();
  };
}
