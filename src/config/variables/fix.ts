/** Settings of the FIX 4.4 acceptor. */
import { optional, setting, type ValuesOf } from '../setting.js';
import { bytes, duration, file, integer, matching, onOff, port, readable, THREADS_MAX } from '../values.js';
import type { FeedVariables } from './feed.js';
import type { ProcessVariables } from './process.js';

const HEARTBEAT_MS_MAX = 3_600_000;
const SENDING_TIME_MS_MIN = 1_000;
/** Their names are one entry of the store: with names of up to 120 bytes, it stays below the 1 MiB that a NATS server takes. */
const COMP_IDS_MAX = 8_000;
const MINUTE_MS = 60_000;
const BUCKET = /^nats:[\w-]{1,64}$/;
const SEE = 'ops/fix/README.md';

/** Where sequence numbers are kept. */
type FixStore = { readonly folder: string } | { readonly bucket: string };

const timeOfDay = readable('a time of day such as 21:00, UTC', value => {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(value);
  return match === null ? undefined : (Number(match[1]) * 60 + Number(match[2])) * MINUTE_MS;
});

const store = readable<FixStore>('a folder, or nats: and the name of a bucket', value => {
  if (!value.startsWith('nats:')) return { folder: value };
  return BUCKET.test(value) ? { bucket: value.slice('nats:'.length) } : undefined;
});

const fix = {
  title: 'FIX',
  about: 'The FIX 4.4 acceptor for market data. It has credentials, entitlements and limits in common with WebSocket.',
  settings: {
    FIX_PORT: optional(port, {
      means: 'Port that FIX clients connect to, at `HOST`; 0 picks a free one.',
      unset: 'no FIX',
      see: SEE,
    }),
    FIX_TLS_CERT: optional(file, { means: 'PEM certificate. With `FIX_TLS_KEY`, FIX clients connect with TLS.' }),
    FIX_TLS_KEY: optional(file, { means: 'PEM private key of that certificate.' }),
    FIX_COMP_ID: setting(matching(/^[\w.:-]{1,64}$/, '1 to 64 letters, digits, dots, colons, dashes'), 'MILLRACE', {
      means: 'CompID of this gateway: TargetCompID of what clients send.',
    }),
    FIX_HEARTBEAT_MIN: setting(duration({ minMs: 1000, maxMs: HEARTBEAT_MS_MAX }), '5s', {
      means: 'Shortest heartbeat interval (HeartBtInt) that a client may ask for.',
    }),
    FIX_HEARTBEAT_MAX: setting(duration({ minMs: 1000, maxMs: HEARTBEAT_MS_MAX }), '60s', {
      means: 'Longest heartbeat interval that a client may ask for; a dead client is noticed after 2.4 intervals.',
    }),
    FIX_MESSAGE_MAX: setting(bytes(1024, 16 * 1024 ** 2), '64KiB', {
      means: 'Longest message of a client; a longer one ends the connection.',
    }),
    FIX_SENDING_TIME_MAX: setting(duration({ minMs: SENDING_TIME_MS_MIN }), '120s', {
      means: 'How far the SendingTime of a message may be from the time of this machine.',
    }),
    FIX_STORE: optional(store, {
      means:
        'Where sequence numbers are kept: a folder, which belongs to this gateway alone; or `nats:` and the name of a key-value bucket ' +
        'of the NATS server, so that a client may log on at any gateway there.',
      unset: 'in memory: numbers start over when the gateway restarts',
      see: SEE,
    }),
    FIX_COMP_IDS_PER_USER: setting(integer(1, COMP_IDS_MAX), '2000', {
      means:
        'SenderCompIDs of one user whose sequence numbers are kept. Beyond that, a new one is refused unless it can take the place of one whose ' +
        'numbers are from before the last `FIX_RESET_TIME`, were never used, or were not used for 30 days.',
      see: SEE,
    }),
    FIX_RESET_TIME: optional(timeOfDay, {
      means: 'Time of day, UTC, at which clients are logged out and sequence numbers start over, such as `21:00`.',
      unset: 'numbers start over only when a client asks for it',
    }),
    FIX_SEQ_TAGS: setting(onOff, 'off', {
      means:
        '`on` adds the epoch, the sequences and the checksum of each topic as user tags 20001 to 20004. Clients then need the dictionary in `ops/fix/`.',
      see: SEE,
    }),
  },
} as const;

export const fixGroups = [fix];

export type FixVariables = ValuesOf<typeof fix.settings>;

export interface FixConfig {
  readonly port: number;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly compId: string;
  readonly heartbeatMinSeconds: number;
  readonly heartbeatMaxSeconds: number;
  readonly messageBytesMax: number;
  readonly sendingTimeMaxMs: number;
  /** Undefined: in memory. */
  readonly store: FixStore | undefined;
  /** Sessions of one user whose numbers are kept. */
  readonly compIdsPerUserMax: number;
  /** Ms after midnight UTC; undefined: there is no daily reset. */
  readonly resetTimeMs: number | undefined;
  readonly hasSeqTags: boolean;
}

/** Undefined: there is no FIX. */
export function fixConfig(v: FixVariables): FixConfig | undefined {
  if (v.FIX_PORT === undefined) return undefined;
  const [certFile, keyFile] = [v.FIX_TLS_CERT, v.FIX_TLS_KEY];
  return {
    port: v.FIX_PORT,
    tls: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    compId: v.FIX_COMP_ID,
    heartbeatMinSeconds: Math.ceil(v.FIX_HEARTBEAT_MIN / 1000),
    heartbeatMaxSeconds: Math.floor(v.FIX_HEARTBEAT_MAX / 1000),
    messageBytesMax: v.FIX_MESSAGE_MAX,
    sendingTimeMaxMs: v.FIX_SENDING_TIME_MAX,
    store: v.FIX_STORE,
    compIdsPerUserMax: v.FIX_COMP_IDS_PER_USER,
    resetTimeMs: v.FIX_RESET_TIME,
    hasSeqTags: v.FIX_SEQ_TAGS,
  };
}

/** Conflicts between these settings. @param isGiven whether a variable is set */
export function fixProblems(
  v: FixVariables & FeedVariables & ProcessVariables,
  isGiven: (name: string) => boolean,
): string[] {
  const wrong: string[] = [];
  if (v.FIX_PORT === undefined) {
    // A setting without any effect is refused, because the operator relies on it.
    for (const name of ['FIX_TLS_CERT', 'FIX_TLS_KEY', 'FIX_STORE', 'FIX_RESET_TIME']) {
      if (isGiven(name)) wrong.push(`${name}: needs FIX_PORT`);
    }
    return wrong;
  }
  if ((v.FIX_TLS_CERT === undefined) !== (v.FIX_TLS_KEY === undefined)) {
    wrong.push('FIX_TLS_CERT, FIX_TLS_KEY: set both (PEM files) or neither');
  }
  if (v.FIX_PORT !== 0 && (v.FIX_PORT === v.PORT || v.FIX_PORT === v.ADMIN_PORT)) {
    wrong.push(`FIX_PORT: must differ from PORT and ADMIN_PORT (it is ${v.FIX_PORT})`);
  }
  if (v.FIX_HEARTBEAT_MIN > v.FIX_HEARTBEAT_MAX) wrong.push('FIX_HEARTBEAT_MIN: must not exceed FIX_HEARTBEAT_MAX');
  if (v.FIX_STORE !== undefined && 'bucket' in v.FIX_STORE && v.NATS_URL === undefined) {
    wrong.push(`FIX_STORE=nats:${v.FIX_STORE.bucket}: needs NATS_URL`);
  }
  if (v.WORKERS === THREADS_MAX)
    wrong.push(`WORKERS: at most ${THREADS_MAX - 1} beside FIX_PORT, which needs a thread`);
  return wrong;
}
