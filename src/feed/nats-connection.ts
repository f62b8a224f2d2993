import { type ConnectionOptions, connect, ErrorCode, Events, type NatsConnection, NatsError, type Status } from 'nats';
import type { NatsConfig } from '../config/environment.js';
import { checkNatsFiles } from '../config/secret-files.js';
import { withoutSecrets } from '../config/url-text.js';
import { textOf } from '../feed-contract/error-text.js';
import type { FeedFailureCode } from '../feed-contract/feed-outcome.js';
import { parseNatsServers } from '../protocol/nats-servers.js';
import { natsAuthenticator, type OnUnusable } from './nats-credentials.js';

/** A server that does not answer within this time counts as unreachable, at the start and at each new attempt. */
const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_WAIT_MS = 250;
/** Spreads the reconnects of a fleet after a server restart. */
const RECONNECT_JITTER_MS = 750;
/** After two unanswered pings the connection is dead: a vanished server is noticed within 30 s. */
const PING_INTERVAL_MS = 10_000;
const PINGS_UNANSWERED_MAX = 2;

/**
 * The connection options of every NATS client in this process: endless reconnects, credentials and TLS files of
 * `config` (`url` may list several servers, separated by commas), and `nodeName` as the connection's name.
 * @throws {ConfigError} if a file with credentials cannot be used, or if others can read it or a key
 */
export async function natsConnectionOptions(
  config: NatsConfig,
  nodeName: string,
  onUnusable: OnUnusable = () => {},
): Promise<ConnectionOptions> {
  await checkNatsFiles(config);
  const { hosts, credentials, isTls } = parseNatsServers(config.url);
  const authenticator = natsAuthenticator(config, credentials, onUnusable);
  const options: ConnectionOptions = {
    servers: [...hosts],
    name: nodeName,
    inboxPrefix: config.inboxPrefix,
    timeout: CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    // Keep reconnecting while a password is rotated: the next attempt may succeed.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    reconnectJitterTLS: RECONNECT_JITTER_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: PINGS_UNANSWERED_MAX,
  };
  if (authenticator !== undefined) options.authenticator = authenticator;
  const { tlsCaFile: caFile, tlsCertFile: certFile, tlsKeyFile: keyFile, tlsFirst: handshakeFirst } = config;
  // nats.js reads these files at each connect.
  if (isTls || handshakeFirst || caFile !== undefined || certFile !== undefined || keyFile !== undefined) {
    options.tls = {
      ...(handshakeFirst ? { handshakeFirst } : {}),
      ...(caFile === undefined ? {} : { caFile }),
      ...(certFile === undefined ? {} : { certFile }),
      ...(keyFile === undefined ? {} : { keyFile }),
    };
  }
  return options;
}

/**
 * Connects to NATS.
 * @param onUnusable called if a later reconnect has to use old credentials
 * @throws {Error} naming the server, with `cause`, if it refuses or cannot be reached within some seconds.
 */
export async function connectNats(
  config: NatsConfig,
  nodeName: string,
  onUnusable: OnUnusable = () => {},
): Promise<NatsConnection> {
  const options = await natsConnectionOptions(config, nodeName, onUnusable);
  try {
    return await connect(options);
  } catch (error) {
    throw new Error(`cannot connect to NATS at ${withoutSecrets(config.url)}: ${textOf(error)}`, { cause: error });
  }
}

interface ConnectionWatcher {
  disconnected(): void;
  reconnected(): void;
  /** The connection is closed for good, by `close` or by an error that reconnecting cannot fix. */
  closed(error: unknown): void;
  /** The server reported an error. It may end the connection; then `disconnected` follows. */
  refused?(error: ServerError): void;
}

/** An error that the server reported by itself, not in an answer to a request. */
export interface ServerError {
  /** `authorization`: it does not accept the credentials (any more). `permissions`: a subject is not allowed. */
  readonly kind: 'authorization' | 'permissions' | 'other';
  /** In the server's own words. */
  readonly detail: string;
  /** With `permissions`, unless the server does not say: what was not allowed on which subject. */
  readonly operation: 'publish' | 'subscription' | undefined;
  readonly subject: string | undefined;
}

/** Calls whose subjects end with a consumer's name, which is another one each time. */
const OF_CONSUMER = /(\.CONSUMER\.(?:MSG\.NEXT|INFO|DELETE)\.[^.]+)\.[^.]+$/;

/** The missing right as a server's configuration names it: `publish $JS.API.CONSUMER.MSG.NEXT.MILLRACE.*`. */
export function rightOf({ operation, subject = '' }: ServerError): string {
  return `${operation === 'subscription' ? 'subscribe' : 'publish'} ${subject.replace(OF_CONSUMER, '$1.*')}`;
}

/** Reports the connection's events to `watcher` until it is closed. */
export function watchConnection(connection: NatsConnection, watcher: ConnectionWatcher): void {
  const follow = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type === Events.Disconnect) watcher.disconnected();
      else if (status.type === Events.Reconnect) watcher.reconnected();
      else if (status.type === Events.Error) watcher.refused?.(serverErrorOf(connection, status));
    }
  };
  // The iteration ends with the connection; only a defect in the watcher throws.
  follow().catch(rethrowOutside);
  connection.closed().then(
    error => watcher.closed(error),
    (error: unknown) => watcher.closed(error),
  );
}

/** The failure code for an error of a nats.js call. */
export function failureCodeOf(thrown: unknown): FeedFailureCode {
  const error = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
  const isRefused =
    error instanceof NatsError &&
    (error.isJetStreamError() ||
      error.isPermissionError() ||
      error.isAuthError() ||
      error.code === ErrorCode.MaxPayloadExceeded);
  return isRefused ? 'refused' : 'unreachable';
}

/**
 * If a subscription's callback throws, nats.js ends its reader, silently and for good. So the error is rethrown as an
 * uncaught exception, where it is visible.
 */
export function rethrowOutside(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

const AUTHORIZATION_CODES: ReadonlySet<unknown> = new Set([
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AuthenticationTimeout,
  ErrorCode.AccountExpired,
]);

function serverErrorOf(connection: NatsConnection, { data, permissionContext }: Status): ServerError {
  if (permissionContext !== undefined) {
    const { operation, subject } = permissionContext;
    const detail = `Permissions Violation for ${operation} to ${subject}`;
    return { kind: 'permissions', detail, operation: operation as 'publish' | 'subscription', subject };
  }
  const other = { operation: undefined, subject: undefined };
  // Not every text of a server names the subject.
  if (data === ErrorCode.PermissionsViolation)
    return { kind: 'permissions', detail: 'Permissions Violation', ...other };
  const words = (connection as WithLastError).protocol?.lastError?.message ?? String(data);
  const isAuthorization = AUTHORIZATION_CODES.has(data) || /revoked|maximum connections/i.test(words);
  return { kind: isAuthorization ? 'authorization' : 'other', detail: words.replace(/^'(.*)'$/, '$1'), ...other };
}

/** The status of nats.js has only a code: without its inner state, many refusals look alike. */
interface WithLastError {
  readonly protocol?: {
    /** The server's last error other than a missing permission. */
    readonly lastError?: Error;
  };
}
