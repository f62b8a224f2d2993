/** What servers refuse and report: counted by kind, and logged once per kind and group of subjects, then with counts. */
import { BoundedMap } from '../protocol/bounded-map.js';

/** The kinds, with their meanings as Markdown. */
const FEED_ERRORS = {
  subscribe_refused: 'the user may not subscribe to a subject',
  publish_refused: 'the user may not publish a room message, an answer or a request',
  dead_letter_refused: 'an invalid message could not be put on `deadletter.<subject>`',
  authorization: 'the credentials were refused or have expired',
  connection: 'the server could not be reached at the start',
  jetstream: 'the stream could not be read',
  other: 'anything else that the server reported',
} as const;
export type FeedErrorKind = keyof typeof FEED_ERRORS;
export const FEED_ERROR_KINDS = Object.keys(FEED_ERRORS) as readonly FeedErrorKind[];

/** An error that keeps coming is logged again after this time, with how often it came. */
const REPEAT_MS = 60_000;
/** Most groups of errors told apart; the one noted first is forgotten first. */
const NOTED_MAX = 1_000;

interface Noted {
  atMs: number;
  /** Since it was last logged. */
  more: number;
}

export class FeedErrors {
  /** What was set up again after it was lost: connections to servers, and consumers of the stream. */
  readonly recoveries = { reconnects: 0, consumerRecreations: 0 };
  readonly #nowMs: () => number;
  readonly #counts = new Map<FeedErrorKind, number>();
  readonly #noted = new BoundedMap<string, Noted>(NOTED_MAX);

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get counts(): ReadonlyMap<FeedErrorKind, number> {
    return this.#counts;
  }

  /** Counts an error that is logged elsewhere. */
  count(kind: FeedErrorKind): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  /**
   * Counts an error.
   * @param subject it is about; '' for none
   * @returns what to log: the detail, with how often it came since the last time; undefined to log nothing
   */
  note(kind: FeedErrorKind, subject: string, detail: string): string | undefined {
    this.count(kind);
    const key = `${kind} ${groupOf(subject)}`;
    const nowMs = this.#nowMs();
    const noted = this.#noted.get(key);
    if (noted !== undefined && nowMs - noted.atMs < REPEAT_MS) {
      noted.more++;
      return undefined;
    }
    this.#noted.set(key, { atMs: nowMs, more: 0 });
    return noted === undefined || noted.more === 0 ? detail : `${detail} (and ${noted.more} like it before)`;
  }
}

/** Parts of subjects that make a group. Names of rooms, users, streams and inboxes do not: they have no end. */
const GROUPS: ReadonlySet<string> = new Set([
  ...[
    'md',
    'quotes',
    'trades',
    'books',
    'orders',
    'rooms',
    'analytics',
    'deadletter',
    'control',
    'revoke',
    'drain',
    '>',
  ],
  ...[
    'STREAM',
    'CONSUMER',
    'MSG',
    'DIRECT',
    'INFO',
    'CREATE',
    'UPDATE',
    'DELETE',
    'PURGE',
    'LIST',
    'NAMES',
    'NEXT',
    'GET',
  ],
]);

/** The parts of a subject that name its group. */
function groupOf(subject: string): string {
  return subject
    .split('.')
    .filter(part => GROUPS.has(part))
    .join('.');
}
