/** Settings for incoming data: upstreams, symbols, sizes of messages. */

import { BOOK_LEVELS_DEFAULT, MESSAGE_BYTES_DEFAULT } from '../../protocol/content-limits.js';
import { parseNatsServers } from '../../protocol/nats-servers.js';
import { isSubjectPrefix, SUBJECT_PREFIX_RULE } from '../../protocol/subject-prefix.js';
import { durationText } from '../duration.js';
import { optional, setting, type ValuesOf } from '../setting.js';
import { sizeText } from '../size.js';
import type { NatsConfig, ReplayConfig, SimulatorConfig } from '../sources.js';
import { withoutSecrets } from '../url-text.js';
import {
  bytes,
  decimal,
  duration,
  durationOrNever,
  file,
  integer,
  isSymbolPattern,
  list,
  matching,
  oneOf,
  onOff,
  readable,
  secret,
  secretMatching,
  text,
  urls,
} from '../values.js';
import type { ProcessVariables } from './process.js';

const FEEDS = ['simulator', 'nats', 'replay'] as const;
const HEARTBEAT_INTERVAL_MAX_DEFAULT_MS = 30_000;
const NATS_URL_DEFAULT = 'nats://127.0.0.1:4222';
/** A shorter time would call an upstream silent whenever the machine is busy. */
const STALE_AFTER_MS_MIN = 100;
/** Each symbol may have three subjects in the table of subjects (500,000, hub/sources/subject-table.ts). */
const SYMBOLS_MAX_MAX = 150_000;
const JS_API_PREFIX_DEFAULT = '$JS.API';
/** nats-server's own limit. */
const STREAM_REPLICAS_MAX = 5;
/** Tokens of a NATS subject, without wildcards. */
const SUBJECT_TOKENS = /^[^\s.*>]+(\.[^\s.*>]+)*$/;
const prefixOfSubjects = readable(SUBJECT_PREFIX_RULE, value => (isSubjectPrefix(value) ? value : undefined));

export const feeding = {
  title: 'Feed',
  about: 'Where market data comes from, which symbols there are, and what a message may contain.',
  settings: {
    FEED: optional(oneOf(FEEDS), {
      means: 'Source of market data.',
      unset: '`nats` if `NATS_URL` is set, else `simulator`',
    }),
    SYMBOLS: setting(list('symbols or patterns such as AAPL,BTC/*', isSymbolPattern), '', {
      means:
        'Symbols that are known before a message about them arrives; `*` stands for any characters. The simulator simulates those without `*`.',
    }),
    SYMBOLS_MAX: setting(integer(1, SYMBOLS_MAX_MAX), '100000', {
      means:
        'Published symbols known at once, besides those in `SYMBOLS`. A new one replaces one that has long been silent and that no client follows; ' +
        'if clients follow them all, its messages go to `deadletter.<subject>` (`too_many_symbols`).',
    }),
    SYMBOL_IDLE_TIMEOUT: setting(durationOrNever, '24h', {
      means:
        'A symbol that has been silent for this long and that no client follows is forgotten until it is published again; `0` keeps symbols forever.',
    }),
    READY_WHEN_STALE: setting(oneOf(['yes', 'no']), 'yes', {
      means:
        'Whether `/readyz` succeeds while the feed is stale: `yes` keeps clients, with the last values; `no` lets a balancer send them elsewhere.',
    }),
    MESSAGE_BYTES_MAX: setting(bytes(1024, 64 * 1024 ** 2), sizeText(MESSAGE_BYTES_DEFAULT), {
      means: 'Longest payload accepted from a publisher. Set it to the `max_payload` of the NATS server.',
      see: 'ops/limits.md',
    }),
    BOOK_LEVELS_MAX: setting(integer(1_000, 1_000_000_000), String(BOOK_LEVELS_DEFAULT), {
      means:
        'Levels of all books of one encoder thread together, some 80 bytes each. A message that would exceed it is refused (`too_large`), ' +
        'and the topics of its book are `stale` until a whole message fits.',
    }),
    HISTORY_BYTES: setting(bytes(0, 4 * 1024 ** 3), '16MiB', {
      means:
        'Memory for events that clients may ask for after a reconnect: half for trades, a quarter for orders, three sixteenths for analytics, ' +
        'a sixteenth for rooms.',
    }),
    BATCH_MAX: setting(integer(1, 1000), '50', { means: 'Most analytics messages in one frame.' }),
    BATCH_INTERVAL: setting(duration(), '16ms', { means: 'Longest time that an analytics message waits for others.' }),
    HEARTBEAT_INTERVAL: setting(duration(), '1s', {
      means:
        'A topic that is silent for this long sends a heartbeat with its sequence number, and further ones at doubling intervals.',
    }),
    HEARTBEAT_INTERVAL_MAX: optional(duration(), {
      means: 'Longest time between two heartbeats of a silent topic; at least `HEARTBEAT_INTERVAL`.',
      unset: '`30s`, or `HEARTBEAT_INTERVAL` if that is longer',
    }),
  },
} as const;

const natsServers = {
  title: 'NATS',
  about:
    'The connection to NATS, the same for both servers. The gateway reads files with credentials again at each connect: replace one, ' +
    'and the next connection uses it.',
  feed: 'nats',
  settings: {
    NATS_URL: optional(urls, {
      means:
        'Servers to read from, separated by commas: `nats://host:4222`, or `tls://` to require TLS. An address may contain the user and password, ' +
        '`nats://user:password@host`, or a token.',
      see: 'ops/nats/README.md',
      unset: `\`${NATS_URL_DEFAULT}\` with \`FEED=nats\``,
    }),
    NATS_BACKUP_URL: optional(urls, {
      means: 'Other servers with the same messages, read when the first ones fail.',
      see: 'ops/failover.md',
    }),
    FEED_STALE_AFTER: setting(
      duration({ minMs: STALE_AFTER_MS_MIN, otherwise: 'or a busy machine would make an upstream look silent' }),
      '5s',
      {
        means:
          'How long the first servers may be lost, or silent while the backup delivers, before the gateway switches to the backup.',
      },
    ),
    NATS_START_TIMEOUT: setting(durationOrNever, '0', {
      means:
        'How long the start waits for servers that cannot be read, alive but not ready; then the gateway exits with code 1. `0` waits without end.',
    }),
    NATS_USER: optional(text, { means: 'User name. Set at most one kind of credentials.', see: 'ops/nats/README.md' }),
    NATS_PASSWORD: optional(secret, { means: 'Password of `NATS_USER`.' }),
    NATS_TOKEN: optional(secret, { means: 'Token, for servers that require one.' }),
    NATS_NKEY_SEED: optional(secretMatching(/^SU[A-Z2-7]{56}$/, 'the seed of a user nkey, SU and 56 characters'), {
      means: 'Seed of the nkey by which the server knows this user.',
    }),
    NATS_CREDS: optional(file, { means: '`.creds` file with a user JWT and its key.' }),
    NATS_TLS_FIRST: setting(onOff, 'off', {
      means: '`on` starts with TLS at once, for servers with `handshake_first`.',
    }),
    NATS_TLS_CA: optional(file, { means: 'PEM file of the certificate authorities to trust.' }),
    NATS_TLS_CERT: optional(file, { means: 'PEM client certificate. Needs `NATS_TLS_KEY`.' }),
    NATS_TLS_KEY: optional(file, { means: 'PEM private key of `NATS_TLS_CERT`.' }),
    JETSTREAM: setting(onOff, 'off', {
      means:
        '`on` reads market data from a JetStream stream, which survives outages of the gateway. Needs `FEED=nats`.',
    }),
    NATS_STREAM: setting(matching(/^[^\s.*>/\\]{1,255}$/, 'a JetStream stream name'), 'MILLRACE', {
      means: 'Name of that stream.',
    }),
    NATS_STREAM_REPLICAS: setting(integer(1, STREAM_REPLICAS_MAX), '1', {
      means:
        'Servers of a cluster that hold each stream that the gateway creates; with 3, a stream survives one of them. It does not change streams that exist.',
    }),
    NATS_JS_DOMAIN: optional(matching(/^[^\s.*>]+$/, 'a JetStream domain, one token of a subject'), {
      means: 'JetStream domain of the stream and of revocations, for a gateway at a leaf node.',
    }),
    NATS_JS_API_PREFIX: optional(matching(SUBJECT_TOKENS, 'a subject without wildcards'), {
      means: 'Subject of the JetStream API where the account imports it under another name.',
      unset: `\`${JS_API_PREFIX_DEFAULT}\``,
    }),
    NATS_INBOX_PREFIX: setting(matching(SUBJECT_TOKENS, 'a subject without wildcards'), '_INBOX', {
      means: 'Subjects of replies begin with it. Give each user its own, and no user can read the replies of others.',
    }),
    NATS_SUBJECT_PREFIX: optional(prefixOfSubjects, {
      means:
        'All subjects begin with it: with `prod`, quotes are read from `prod.md.quotes.<symbol>`. Publishers and `millrace` commands need the same.',
      see: 'ops/nats/README.md#several-environments-in-one-account',
    }),
  },
} as const;

export const simulator = {
  title: 'Simulator',
  about: 'The built-in market.',
  feed: 'simulator',
  settings: {
    SIM_SYMBOLS: setting(integer(1, 100_000), '50', {
      means: 'Number of simulated symbols if `SYMBOLS` names none.',
    }),
    SIM_RATE: setting(decimal(0, 10_000_000), '0', {
      means: 'Simulated messages per second over all symbols; 0 moves some symbols every `PRICE_UPDATE_INTERVAL`.',
    }),
    SIM_SEED: setting(integer(0, 2 ** 32 - 1), '1', { means: 'Seed of the market; equal seeds give equal markets.' }),
    SIM_ORDERS: optional(onOff, {
      means:
        '`on` adds the symbol `DEMO`, whose book, trades and orders come from a simulated venue, with patterns of abuse planted now and then; the user `demo` also trades there.',
      unset: '`on` in the demo (no `AUTH_…` source), else `off`',
      see: 'ops/surveillance.md#the-demo',
    }),
    PRICE_UPDATE_INTERVAL: setting(duration(), '4s', {
      means: 'Time between moves of the market while `SIM_RATE` is 0.',
    }),
  },
} as const;

export const replaying = {
  title: 'Replay',
  about: 'A recording as the feed.',
  feed: 'replay',
  settings: {
    REPLAY_FILE: optional(file, { means: 'Recording to replay, made by `millrace record`.' }),
    REPLAY_SPEED: setting(decimal(0, 1_000_000), '1', {
      means: 'Speed: 1 is as recorded, 10 ten times as fast, 0 as fast as possible.',
    }),
    REPLAY_FOLLOW: setting(onOff, 'off', {
      means: '`on`: at the end of the recording, wait for more to be written. `off`: report the feed as `stale` there.',
    }),
  },
} as const;

export const feedGroups = [feeding, natsServers, simulator, replaying];

export type FeedVariables = ValuesOf<
  typeof feeding.settings & typeof natsServers.settings & typeof simulator.settings & typeof replaying.settings
>;

export interface FeedConfig {
  readonly feed: 'simulator' | 'nats' | 'replay';
  readonly nats: NatsConfig;
  readonly simulator: SimulatorConfig;
  readonly replay: ReplayConfig;
  /** Whether the gateway is ready while the feed is stale. */
  readonly isReadyWhenStale: boolean;
  /** Symbols (or patterns with `*`) known before the feed has published them. */
  readonly symbols: readonly string[];
  /** Most analytics messages in one frame. */
  readonly batchMax: number;
  /** Longest payload of a publisher. */
  readonly messageBytesMax: number;
  /** Levels of all books of one encoder together. */
  readonly bookLevelsMax: number;
  /** Memory for events that clients may have missed. */
  readonly historyBytes: number;
}

/** @param files that secrets are read from, by variable */
export function feedConfig(v: FeedVariables & ProcessVariables, files: Readonly<Record<string, string>>): FeedConfig {
  return {
    feed: feedOf(v),
    nats: {
      url: v.NATS_URL ?? NATS_URL_DEFAULT,
      backupUrl: v.NATS_BACKUP_URL,
      staleAfterMs: v.FEED_STALE_AFTER,
      startTimeoutMs: v.NATS_START_TIMEOUT,
      user: v.NATS_USER,
      password: v.NATS_PASSWORD,
      passwordFile: files.NATS_PASSWORD_FILE,
      token: v.NATS_TOKEN,
      tokenFile: files.NATS_TOKEN_FILE,
      nkeySeed: v.NATS_NKEY_SEED,
      nkeySeedFile: files.NATS_NKEY_SEED_FILE,
      credsFile: v.NATS_CREDS,
      tlsFirst: v.NATS_TLS_FIRST,
      tlsCaFile: v.NATS_TLS_CA,
      tlsCertFile: v.NATS_TLS_CERT,
      tlsKeyFile: v.NATS_TLS_KEY,
      secretReaders: v.SECRET_FILE_READERS,
      jetstream: v.JETSTREAM,
      stream: v.NATS_STREAM,
      streamReplicas: v.NATS_STREAM_REPLICAS,
      jsApiPrefix: jsApiPrefixOf(v),
      inboxPrefix: v.NATS_INBOX_PREFIX,
      subjectPrefix: v.NATS_SUBJECT_PREFIX ?? '',
    },
    simulator: {
      symbols: v.SIM_SYMBOLS,
      hasOrders: v.SIM_ORDERS === true,
      updatesPerSecond: v.SIM_RATE,
      intervalMs: v.PRICE_UPDATE_INTERVAL,
      seed: v.SIM_SEED,
    },
    replay: { file: v.REPLAY_FILE ?? '', speed: v.REPLAY_SPEED, follow: v.REPLAY_FOLLOW },
    isReadyWhenStale: v.READY_WHEN_STALE === 'yes',
    symbols: v.SYMBOLS,
    batchMax: v.BATCH_MAX,
    messageBytesMax: v.MESSAGE_BYTES_MAX,
    bookLevelsMax: v.BOOK_LEVELS_MAX,
    historyBytes: v.HISTORY_BYTES,
  };
}

/** Longest time between two heartbeats of a topic, ms. */
export function heartbeatIntervalMaxOf(v: FeedVariables): number {
  return v.HEARTBEAT_INTERVAL_MAX ?? Math.max(HEARTBEAT_INTERVAL_MAX_DEFAULT_MS, v.HEARTBEAT_INTERVAL);
}

/** Conflicts between these settings. */
export function feedProblems(v: FeedVariables): string[] {
  const wrong: string[] = [];
  const feed = feedOf(v);
  if (feed === 'replay' && v.REPLAY_FILE === undefined) wrong.push('REPLAY_FILE: FEED=replay needs the file to replay');
  if ((v.NATS_TLS_CERT === undefined) !== (v.NATS_TLS_KEY === undefined)) {
    wrong.push('NATS_TLS_CERT, NATS_TLS_KEY: set both (PEM files) or neither');
  }
  wrong.push(...credentialProblems(v), ...serverProblems('NATS_URL', v.NATS_URL, v));
  wrong.push(...serverProblems('NATS_BACKUP_URL', v.NATS_BACKUP_URL, v));
  if (v.NATS_JS_DOMAIN !== undefined && v.NATS_JS_API_PREFIX !== undefined) {
    wrong.push('NATS_JS_DOMAIN, NATS_JS_API_PREFIX: set one of them; a domain stands for the prefix $JS.<domain>.API');
  }
  if (v.NATS_BACKUP_URL !== undefined && feed !== 'nats') wrong.push(`NATS_BACKUP_URL needs FEED=nats (it is ${feed})`);
  if (v.NATS_BACKUP_URL === (v.NATS_URL ?? NATS_URL_DEFAULT)) {
    wrong.push('NATS_BACKUP_URL: must be another server than NATS_URL');
  }
  if (v.NATS_START_TIMEOUT > 0 && feed !== 'nats') {
    wrong.push(`NATS_START_TIMEOUT needs FEED=nats (it is ${feed})`);
  }
  if (heartbeatIntervalMaxOf(v) < v.HEARTBEAT_INTERVAL) {
    wrong.push(`HEARTBEAT_INTERVAL_MAX: must be at least HEARTBEAT_INTERVAL (${durationText(v.HEARTBEAT_INTERVAL)})`);
  }
  if (v.JETSTREAM && feed !== 'nats') wrong.push(`JETSTREAM=on needs FEED=nats (it is ${feed})`);
  return wrong;
}

function jsApiPrefixOf({ NATS_JS_DOMAIN: domain, NATS_JS_API_PREFIX: prefix }: FeedVariables): string {
  return prefix ?? (domain === undefined ? JS_API_PREFIX_DEFAULT : `$JS.${domain}.API`);
}

/** At most one of them is set. */
const CREDENTIALS = ['NATS_USER', 'NATS_TOKEN', 'NATS_NKEY_SEED', 'NATS_CREDS'] as const;

function credentialProblems(v: FeedVariables): string[] {
  const wrong: string[] = [];
  if (v.NATS_PASSWORD !== undefined && v.NATS_USER === undefined) wrong.push('NATS_PASSWORD: needs NATS_USER');
  const set = credentialsSet(v);
  if (set.length > 1) wrong.push(`${set.join(', ')}: set one of them`);
  return wrong;
}

function credentialsSet(v: FeedVariables): readonly string[] {
  return CREDENTIALS.filter(name => v[name] !== undefined);
}

function serverProblems(name: string, urls: string | undefined, v: FeedVariables): string[] {
  if (urls === undefined) return [];
  try {
    const { credentials } = parseNatsServers(urls);
    const [set] = credentialsSet(v);
    if (credentials === undefined || set === undefined) return [];
    return [`${name}, ${set}: give the credentials in the address or in settings, not both`];
  } catch (error) {
    return [`${name}=${JSON.stringify(withoutSecrets(urls))}: ${(error as TypeError).message}`];
  }
}

function feedOf(v: FeedVariables): FeedConfig['feed'] {
  return v.FEED ?? (v.NATS_URL === undefined ? 'simulator' : 'nats');
}
