import { randomBytes } from 'node:crypto';
import { type ConnectionOptions, connect, type NatsConnection } from 'nats';
import { MESSAGE_BYTES_DEFAULT } from '../protocol/content-limits.js';
import { stringifyExact } from '../protocol/exact-json.js';
import { MsgpackWriter } from '../protocol/msgpack-writer.js';
import { parseNatsServers } from '../protocol/nats-servers.js';
import { isSubjectPrefix, SUBJECT_PREFIX_RULE, SubjectPrefix } from '../protocol/subject-prefix.js';
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
/** Well within the two minutes of a stream's default duplicate window. */
const RETRY_FOR_MS_DEFAULT = 90_000;
/** Length of an epoch: enough that no two runs collide, and short because every frame carries it. */
const EPOCH_BYTES = 6;

/** Connection defaults: the publisher reconnects after every outage. */
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
  /** Format of the payloads. Default `json`. */
  readonly format?: 'json' | 'msgpack';
  /**
   * True: the JetStream stream of the subject confirms and numbers every message. Default: core NATS.
   */
  readonly jetstream?: boolean;
  /** `NATS_SUBJECT_PREFIX` of the gateways. Default: none. */
  readonly subjectPrefix?: string;
  /**
   * Core NATS: number the messages of each subject (`Seq`, `Epoch`), so that a gateway notices a lost one. Default
   * true. Set it to false if several publishers share subjects: two numberings of one subject contradict each other.
   */
  readonly numbered?: boolean;
  /**
   * Core NATS: the epoch of the numbers, 1 to 64 visible ASCII characters. It must never have been used before, because
   * the numbers start at 1. Default: a random one.
   */
  readonly epoch?: string;
  /**
   * Most bytes that may wait for the server, plus 1 KiB for each message; at least 512 KiB. Default 32 MiB.
   * Beyond it a publish throws {@link PublisherOverflow}.
   */
  readonly waitingBytesMax?: number;
  /**
   * Longest message, in bytes; at most half of `waitingBytesMax`. Set it to the limit of the gateways
   * (`MESSAGE_BYTES_MAX`). Default 1 MiB.
   */
  readonly messageBytesMax?: number;
  /**
   * JetStream: most messages in flight, all on different subjects; each subject has at most one. Default 256.
   */
  readonly inFlightMax?: number;
  /** JetStream: how long to wait for an answer before a message is sent again. Default 2 s. */
  readonly ackTimeoutMs?: number;
  /**
   * JetStream: how long after its first attempt a message may be sent again. Keep it below the `duplicate_window` of
   * the stream, or a message may be stored twice. Default 90 s.
   */
  readonly retryForMs?: number;
}

/** Each option of ours, by name. */
const OWN_OPTIONS: Readonly<Record<keyof PublisherOptions, true>> = {
  format: true,
  jetstream: true,
  subjectPrefix: true,
  numbered: true,
  epoch: true,
  waitingBytesMax: true,
  messageBytesMax: true,
  inFlightMax: true,
  ackTimeoutMs: true,
  retryForMs: true,
};

/**
 * Connects a publisher.
 * @param nats options of nats.js (`servers`, `user`, `tls`, …; endless reconnects unless they say otherwise), or a
 *   connection, which the publisher does not close. An address in `servers` may contain the user and password, or the
 *   token, and `tls://` requires TLS.
 * @throws {TypeError} if an option is invalid.
 * @throws {NatsError} if the server refuses or cannot be reached.
 */
export async function connectPublisher(
  nats: ConnectionOptions | NatsConnection,
  options: PublisherOptions = {},
): Promise<Publisher> {
  const checked = withDefaults(options);
  const isConnected = isConnection(nats);
  if (!isConnected) checkPlaces(nats);
  const clock = new WallClock();
  const connection = isConnected ? nats : await connect({ ...CONNECTION_DEFAULTS, ...withServers(nats) });
  return new Publisher({
    connection,
    ownsConnection: !isConnected,
    prefix: checked.prefix,
    sender: options.jetstream ? new JetStreamSender(connection, checked) : new CoreSender(connection, checked),
    encode: encoderOf(options.format ?? 'json'),
    messageBytesMax: checked.messageBytesMax,
    nowMicros: () => clock.nowMicros(),
  });
}

/** Options may have a `jetstream` too, in the wrong place. */
function isConnection(nats: ConnectionOptions | NatsConnection): nats is NatsConnection {
  return 'publish' in nats;
}

/** nats.js ignores names that it does not know. @throws {TypeError} */
function checkPlaces(nats: object): void {
  const misplaced = Object.keys(OWN_OPTIONS).find(name => name in nats);
  if (misplaced !== undefined) throw new TypeError(`${misplaced}: belongs in the second argument of connectPublisher`);
}

/** nats.js does not read credentials in addresses, and connects to `tls://` without TLS. @throws {TypeError} */
function withServers(nats: ConnectionOptions): ConnectionOptions {
  if (nats.servers === undefined || nats.servers.length === 0) return nats;
  const urls = typeof nats.servers === 'string' ? nats.servers : nats.servers.join(',');
  let servers: ReturnType<typeof parseNatsServers>;
  try {
    servers = parseNatsServers(urls);
  } catch (cause) {
    throw new TypeError(`servers: ${(cause as TypeError).message}`, { cause });
  }
  const { hosts, credentials, isTls } = servers;
  if (credentials !== undefined && (nats.user ?? nats.token ?? nats.authenticator) !== undefined) {
    throw new TypeError('servers: give the credentials in the addresses or in options, not both');
  }
  return {
    ...nats,
    servers: [...hosts],
    ...(isTls ? { tls: nats.tls ?? {} } : {}),
    ...(credentials === undefined
      ? {}
      : 'token' in credentials
        ? { token: credentials.token }
        : { user: credentials.user, pass: credentials.password }),
  };
}

function withDefaults(options: PublisherOptions) {
  const { format = 'json', jetstream = false, numbered = !jetstream, epoch } = options;
  if (format !== 'json' && format !== 'msgpack') throw new TypeError(`format ${format}: must be json or msgpack`);
  if (jetstream && numbered) throw new TypeError('numbered true: with JetStream the stream numbers messages');
  if (!numbered && epoch !== undefined) throw new TypeError('epoch: has no effect, because messages are not numbered');
  if (epoch !== undefined) checkEpoch(epoch);
  const { subjectPrefix = '' } = options;
  if (subjectPrefix !== '' && !isSubjectPrefix(subjectPrefix)) {
    throw new TypeError(`subjectPrefix ${subjectPrefix}: must be ${SUBJECT_PREFIX_RULE}`);
  }
  const waitingBytesMax = atLeast(
    WAITING_BYTES_MIN,
    'waitingBytesMax',
    options.waitingBytesMax,
    WAITING_BYTES_MAX_DEFAULT,
  );
  const messageBytesMax = atLeast(1, 'messageBytesMax', options.messageBytesMax, MESSAGE_BYTES_DEFAULT);
  return {
    epoch: numbered ? (epoch ?? randomBytes(EPOCH_BYTES).toString('hex')) : undefined,
    prefix: new SubjectPrefix(subjectPrefix),
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

/** An encoder for the format; every number in its payloads is exact. */
export function encoderOf(format: 'json' | 'msgpack'): (message: object) => Uint8Array {
  if (format === 'json') return message => Buffer.from(stringifyExact(message));
  const writer = new MsgpackWriter();
  return message => {
    writer.clear();
    writer.value(message);
    return writer.written.slice();
  };
}
