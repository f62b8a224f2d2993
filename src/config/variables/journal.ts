/** Settings of the journal and of the clock that it relies on. */
import { join } from 'node:path';
import { optional, setting, type ValuesOf } from '../setting.js';
import { age, ageOrZero, bytes, duration, file, folder, matching, oneOf, onOff } from '../values.js';
import type { FeedVariables } from './feed.js';
import type { ProcessVariables } from './process.js';

const SEGMENT_BYTES_MIN = 64 * 1024;
const SEGMENT_BYTES_MAX = 4 * 1024 ** 3;
const DIVERGENCE_MS_MAX = 3_600_000;
/** Five years. */
const RETENTION_MS = 1826 * 86_400_000;
const SEE = 'ops/journal.md';
/** In `JOURNAL_DIR`, where no other file is named. */
export const OWN_MASTER_KEY = 'master.key';

const journal = {
  title: 'Journal',
  about:
    'A hash-chained record of who connected, what clients asked for, and what they were sent. Off unless `JOURNAL_DIR` is set.',
  settings: {
    JOURNAL_DIR: optional(folder, {
      means: 'Folder of the journal, created if absent. One gateway writes to it.',
      unset: 'no journal',
      see: SEE,
    }),
    JOURNAL_MASTER_KEY_FILE: optional(file, {
      means:
        'File of the master key, 32 bytes in hex or base64, which wraps the keys of pseudonyms. Further lines are older keys. Keep it away from the journal.',
      unset: '`master.key` in `JOURNAL_DIR`, created with mode 600, with a warning',
      see: `${SEE}#keys`,
    }),
    JOURNAL_SIGNING_KEY_FILE: optional(file, {
      means: 'PEM file of the Ed25519 key that signs checkpoints, created with mode 600 if absent.',
      unset: '`checkpoint.key.pem` in `JOURNAL_DIR`',
      see: `${SEE}#keys`,
    }),
    JOURNAL_FSYNC: setting(oneOf(['block', 'second', 'off']), 'second', {
      means:
        'When the journal is synced to the disk: after each block (every 100 ms, or sooner), each second, or never.',
    }),
    JOURNAL_FAIL: setting(oneOf(['open', 'closed']), 'open', {
      means:
        'What happens while the journal cannot be written or cannot keep up: `open` keeps serving and counts lost records; `closed` refuses new connections with 503.',
      see: `${SEE}#when-the-journal-fails`,
    }),
    JOURNAL_RETENTION: optional(age, {
      means:
        'How long complete segments are kept; older ones are removed. If you set it, `millrace journal erase` refuses for as long, unless `JOURNAL_ERASE_AFTER` says otherwise.',
      unset: 'five years, and no duty to keep records',
    }),
    JOURNAL_ERASE_AFTER: optional(ageOrZero, {
      means:
        'How long records must stay attributable: until a user’s last record is this old, `millrace journal erase` refuses. 0: no duty to keep them.',
      unset: 'as `JOURNAL_RETENTION` if you set it, else 0',
      see: 'ops/privacy.md#erasure',
    }),
    JOURNAL_SEGMENT_BYTES: setting(bytes(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX), '64MiB', {
      means: 'Size at which a segment is completed and compressed; each UTC day begins a new one as well.',
    }),
    JOURNAL_CHECKPOINTS: setting(oneOf(['stdout', 'jetstream']), 'stdout', {
      means:
        'Where signed checkpoints go each minute and with each complete segment: the standard output, or the JetStream stream `JOURNAL_CHECKPOINT_STREAM`.',
      see: `${SEE}#checkpoints`,
    }),
    JOURNAL_CHECKPOINT_STREAM: setting(
      matching(/^[\w-]{1,64}$/, '1 to 64 letters, digits, _ and -'),
      'MILLRACE_CHECKPOINTS',
      {
        means: 'JetStream stream of the checkpoints, created if absent.',
      },
    ),
  },
} as const;

const clock = {
  title: 'Clock',
  about: 'How accurate the system clock must be. The gateway asks chrony each minute.',
  settings: {
    CLOCK_DIVERGENCE_MAX: optional(duration({ maxMs: DIVERGENCE_MS_MAX }), {
      means: 'Largest error of the system clock against UTC, such as `1ms`; beyond it the gateway raises an alarm.',
      unset: 'no alarm',
      see: `${SEE}#the-clock`,
    }),
    CLOCK_UNKNOWN_ALARM: setting(onOff, 'off', {
      means: '`on` also raises the alarm while the error of the clock is unknown, for example without chrony.',
    }),
  },
} as const;

export const journalGroups = [journal, clock];

export type JournalVariables = ValuesOf<typeof journal.settings & typeof clock.settings>;

export interface JournalConfig {
  readonly folder: string;
  readonly masterKeyFile: string;
  /** It lies in the folder, and the gateway makes it. */
  readonly hasOwnMasterKey: boolean;
  /** Undefined: in the folder. */
  readonly signingKeyFile: string | undefined;
  readonly fsync: 'block' | 'second' | 'off';
  readonly fail: 'open' | 'closed';
  readonly retentionMs: number;
  /** Age of a subject's last record before which the subject must not be erased. Undefined: the operator set none. */
  readonly eraseAfterMs: number | undefined;
  readonly segmentBytesMax: number;
  /** Name of the JetStream stream; undefined: standard output. */
  readonly checkpointStream: string | undefined;
}

export interface ClockConfig {
  /** Undefined: no bound. */
  readonly divergenceMsMax: number | undefined;
  readonly alarmsWhenUnknown: boolean;
}

/** Undefined: there is no journal. */
export function journalConfig(v: JournalVariables): JournalConfig | undefined {
  if (v.JOURNAL_DIR === undefined) return undefined;
  return {
    folder: v.JOURNAL_DIR,
    masterKeyFile: v.JOURNAL_MASTER_KEY_FILE ?? join(v.JOURNAL_DIR, OWN_MASTER_KEY),
    hasOwnMasterKey: v.JOURNAL_MASTER_KEY_FILE === undefined,
    signingKeyFile: v.JOURNAL_SIGNING_KEY_FILE,
    fsync: v.JOURNAL_FSYNC,
    fail: v.JOURNAL_FAIL,
    retentionMs: v.JOURNAL_RETENTION ?? RETENTION_MS,
    eraseAfterMs: v.JOURNAL_ERASE_AFTER ?? v.JOURNAL_RETENTION,
    segmentBytesMax: v.JOURNAL_SEGMENT_BYTES,
    checkpointStream: v.JOURNAL_CHECKPOINTS === 'jetstream' ? v.JOURNAL_CHECKPOINT_STREAM : undefined,
  };
}

export const clockConfig = (v: JournalVariables): ClockConfig => ({
  divergenceMsMax: v.CLOCK_DIVERGENCE_MAX,
  alarmsWhenUnknown: v.CLOCK_UNKNOWN_ALARM,
});

/** Conflicts between these settings. @param isGiven whether a variable is set */
export function journalProblems(
  v: JournalVariables & FeedVariables & ProcessVariables,
  isGiven: (name: string) => boolean,
): string[] {
  const wrong: string[] = [];
  if (v.JOURNAL_DIR === undefined) {
    // A setting without any effect is refused, because the operator relies on it.
    for (const name of Object.keys(journal.settings)) if (isGiven(name)) wrong.push(`${name}: needs JOURNAL_DIR`);
    return wrong;
  }
  if (v.LOG_USERS === 'name') {
    wrong.push('LOG_USERS=name: contradicts JOURNAL_DIR, which puts erasable pseudonyms into logs; unset one');
  }
  if (v.JOURNAL_ERASE_AFTER !== undefined && v.JOURNAL_ERASE_AFTER > (v.JOURNAL_RETENTION ?? RETENTION_MS)) {
    wrong.push('JOURNAL_ERASE_AFTER: must not exceed JOURNAL_RETENTION, after which records are removed');
  }
  if (v.JOURNAL_CHECKPOINTS === 'jetstream' && v.NATS_URL === undefined) {
    wrong.push('JOURNAL_CHECKPOINTS=jetstream: needs NATS_URL');
  }
  if (v.JOURNAL_CHECKPOINTS !== 'jetstream' && isGiven('JOURNAL_CHECKPOINT_STREAM')) {
    wrong.push('JOURNAL_CHECKPOINT_STREAM: needs JOURNAL_CHECKPOINTS=jetstream');
  }
  return wrong;
}
