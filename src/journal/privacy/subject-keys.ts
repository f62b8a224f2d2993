/**
 * Pseudonyms of users and addresses. Each subject has a key of its own; its pseudonym is a keyed hash, so destroying the key makes
 * it impossible for the operator to attribute what stands under the pseudonym. An index key finds the key of a subject that returns.
 *
 * Several processes share a folder of keys: two gateways during a takeover, and commands. Each sees what the others did at its next
 * {@link SubjectKeys.refresh}. Adding a subject, a day or a hold appends a line; what removes keys holds a lock and replaces the file.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BoundedMap } from '../../protocol/bounded-map.js';
import { lockFolder } from '../lock.js';
import { openIndexKey, wrapIndexKey } from './index-key.js';
import { KEY_BYTES, type MasterKeys, unwrapKey, wrapKey } from './key-wrap.js';
import { SharedLines } from './shared-lines.js';
import {
  dayOf,
  dayText,
  heldLine,
  lineOf,
  type Subject,
  type SubjectKind,
  seenLine,
  takeLine,
} from './subject-line.js';

const FOLDER_MODE = 0o700;
const SUBJECTS_FILE = 'subjects.jsonl';
const HASH_BYTES = 16;
/** Pseudonyms kept in memory; others are computed again. */
const CACHED_MAX = 100_000;
/** Subjects with a key, some 250 bytes of memory each. Beyond them, a new one gets a pseudonym whose key is not kept. */
export const SUBJECTS_MAX = 500_000;
/** Lines of the file that may have been replaced by later ones, besides one for each subject. */
const SPARE_LINES_MAX = 10_000;
/** Attempts to add a line while others replace the file. */
const ATTEMPTS_MAX = 5;

/** What a pseudonym begins with. */
const PREFIX: Readonly<Record<SubjectKind, string>> = { user: 'u_', address: 'a_' };
const PSEUDONYM = /^[ua]_[\w-]{22}$/;

/** Another process changes the keys at the moment: try again. */
export class KeysBusyError extends Error {
  override readonly name = 'KeysBusyError';
}

export interface SubjectKeysOptions {
  readonly folder: string;
  /** Reads the master keys: at the start, and again after a rotation. @throws {Error} when there are none */
  readonly masters: () => MasterKeys;
  /** Time of day, ms since the Unix epoch. */
  readonly nowMs: () => number;
  /** Tests need fewer. */
  readonly subjectsMax?: number;
}

/** Why a subject was not erased. */
interface KeptSubject {
  readonly ok: false;
  readonly code: 'held' | 'retention';
  readonly detail: string;
}

/** `pseudonym`: what the subject was called; undefined when there was no key. */
type EraseOutcome = { readonly ok: true; readonly pseudonym: string | undefined } | KeptSubject;

export class SubjectKeys {
  /** Subjects that got a pseudonym without a key, because there were too many. */
  keyless = 0;
  readonly #options: SubjectKeysOptions;
  readonly #file: SharedLines;
  readonly #subjects = new Map<string, Subject>();
  /** By kind and name. */
  readonly #pseudonyms = new BoundedMap<string, { readonly pseudonym: string; readonly day: number }>(CACHED_MAX);
  /** In the file. */
  #lines = 0;
  #masters: MasterKeys;
  readonly #indexKey: Buffer;

  /** Reads or begins the keys in a folder. @throws {Error} when they cannot be read, or the master key is not theirs */
  constructor(options: SubjectKeysOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: FOLDER_MODE });
    this.#masters = options.masters();
    this.#indexKey = openIndexKey(options.folder, this.#masters);
    this.#file = new SharedLines(join(options.folder, SUBJECTS_FILE));
    this.refresh();
  }

  get size(): number {
    return this.#subjects.size;
  }

  get subjects(): Iterable<Subject> {
    return this.#subjects.values();
  }

  /** Ids of the master keys, the one that wraps first. */
  get masterIds(): readonly string[] {
    return this.#masters.map(({ id }) => id);
  }

  /** Takes over what other processes did. Call it before the pseudonyms of each batch. @throws {Error} for a damaged file */
  refresh(): void {
    const { lines, isReplaced } = this.#file.read();
    this.#lines = lines.length + (isReplaced ? 0 : this.#lines);
    if (isReplaced) {
      // Keys were destroyed, or wrapped by another master key.
      this.#subjects.clear();
      this.#pseudonyms.clear();
      this.#masters = this.#options.masters();
    }
    // All of them: none is read again.
    const damaged = lines.flatMap((line, i) => (takeLine(this.#subjects, line) ? [] : [i + 1]));
    if (damaged.length === 0) return;
    throw new Error(isReplaced ? `${this.#file.path} line ${damaged[0]} is damaged` : `${this.#file.path} is damaged`);
  }

  /** Writes new keys to the disk: no later than the records that use them. */
  sync(): void {
    this.#file.sync();
  }

  close(): void {
    this.#file.sync();
    this.#file.close();
  }

  /** @param text the user's id, or the address. @returns `u_…` or `a_…`; the same until the subject is erased */
  pseudonym(kind: SubjectKind, text: string): string {
    const name = `${kind} ${text}`;
    const day = dayOf(this.#options.nowMs());
    const cached = this.#pseudonyms.get(name);
    if (cached?.day === day) return cached.pseudonym;
    const index = this.indexOf(kind, text);
    const subject = this.#subjects.get(index) ?? this.#add(kind, index, day);
    if (subject === undefined) {
      this.keyless++;
      return pseudonymOf(kind, index, randomBytes(KEY_BYTES));
    }
    if (subject.seen < day) {
      this.#tell(subject, { ...subject, seen: day }, seenLine(index, day));
      // Erased by another process at this moment: the old pseudonym must not be used, and remembered for the day.
      if (!this.#subjects.has(index)) return this.pseudonym(kind, text);
    }
    const pseudonym = cached?.pseudonym ?? this.#pseudonymOf(subject);
    this.#pseudonyms.set(name, { pseudonym, day });
    return pseudonym;
  }

  /** The pseudonym that a subject has now; undefined when it has none, or was erased. */
  known(kind: SubjectKind, text: string): string | undefined {
    const subject = this.#find(kind, text);
    return subject === undefined ? undefined : this.#pseudonymOf(subject);
  }

  /** @param text also a pseudonym, as records have it: all subjects are tried */
  #find(kind: SubjectKind, text: string): Subject | undefined {
    const named = this.#subjects.get(this.indexOf(kind, text));
    if (named !== undefined || !PSEUDONYM.test(text) || !text.startsWith(PREFIX[kind])) return named;
    for (const [pseudonym, index] of this.indexes(kind)) if (pseudonym === text) return this.#subjects.get(index);
    return undefined;
  }

  /** Finds a subject on every node that has the same index key. */
  indexOf(kind: SubjectKind, text: string): string {
    return keyedHash(this.#indexKey, `${kind} ${text}`);
  }

  /** Pseudonyms of users by index, to join what several nodes recorded. */
  *indexes(kind: SubjectKind): Iterable<readonly [pseudonym: string, index: string]> {
    for (const subject of this.#subjects.values()) {
      if (subject.kind === kind) yield [this.#pseudonymOf(subject), subject.index];
    }
  }

  /**
   * Destroys a subject's key.
   * @param text the user's id or the address, or the pseudonym
   * @param keepDays days for which records must be kept; 0: none
   * @throws {KeysBusyError} while another process changes the keys
   */
  erase(kind: SubjectKind, text: string, keepDays: number): EraseOutcome {
    return this.#locked(() => {
      const subject = this.#find(kind, text);
      if (subject === undefined) return { ok: true, pseudonym: undefined };
      const kept = this.#mustKeep(subject, keepDays);
      if (kept !== undefined) return kept;
      const pseudonym = this.#pseudonymOf(subject);
      this.#subjects.delete(subject.index);
      this.#rewrite();
      return { ok: true, pseudonym };
    });
  }

  #mustKeep({ held, seen }: Subject, keepDays: number): KeptSubject | undefined {
    if (held !== undefined) return { ok: false, code: 'held', detail: `a legal hold forbids it: ${held}` };
    // A record of the last moment of a day has to be kept for so many whole days.
    const from = seen + keepDays + 1;
    if (keepDays === 0 || dayOf(this.#options.nowMs()) >= from) return undefined;
    const detail = `its last record is of ${dayText(seen)} and must be kept: it can be erased from ${dayText(from)}`;
    return { ok: false, code: 'retention', detail };
  }

  /**
   * Forbids erasing a subject, also one that was not seen yet, or allows it again.
   * @param reason time and reason; undefined to allow
   * @returns its pseudonym; undefined when there is nothing to hold or to allow, or no room for another subject
   * @throws {KeysBusyError} while another process changes the keys: it may be about to destroy this one
   */
  hold(kind: SubjectKind, text: string, reason: string | undefined): string | undefined {
    return this.#locked(() => this.#hold(kind, text, reason));
  }

  #hold(kind: SubjectKind, text: string, reason: string | undefined): string | undefined {
    const before = this.#find(kind, text);
    const isNothing = before === undefined && PSEUDONYM.test(text);
    if (isNothing || (reason === undefined && before?.held === undefined)) return undefined;
    const subject = before ?? this.#add(kind, this.indexOf(kind, text), dayOf(this.#options.nowMs()));
    if (subject === undefined) return undefined;
    this.#tell(subject, { ...subject, held: reason }, heldLine(subject.index, reason));
    this.sync();
    return this.#pseudonymOf(subject);
  }

  /** What is held, by pseudonym, with time and reason. */
  *holds(): Iterable<readonly [pseudonym: string, held: string]> {
    for (const subject of this.#subjects.values()) {
      if (subject.held !== undefined) yield [this.#pseudonymOf(subject), subject.held];
    }
  }

  /** The day on which the first of the held subjects was first seen; undefined without a hold. */
  get heldSince(): number | undefined {
    const days = [...this.#subjects.values()].filter(({ held }) => held !== undefined).map(({ since }) => since);
    return days.length === 0 ? undefined : days.reduce((first, day) => Math.min(first, day));
  }

  /**
   * Destroys the keys of subjects that no record before this day's names any longer, unless they are held. It also
   * removes lines that later ones replace, if there are many.
   * @returns how many keys. @throws {KeysBusyError} while another process changes the keys
   */
  expire(beforeDay: number): number {
    return this.#locked(() => {
      const old = [...this.#subjects.values()].filter(({ held, seen }) => held === undefined && seen < beforeDay);
      // All processes read a new file as a whole.
      if (old.length === 0 && this.#lines < SPARE_LINES_MAX + 2 * this.#subjects.size) return 0;
      for (const { index } of old) this.#subjects.delete(index);
      this.#rewrite();
      return old.length;
    });
  }

  /**
   * Wraps all keys with the first master key. Afterwards the older ones can be removed from the master key file.
   * @throws {KeysBusyError} while another process changes the keys, or keeps adding some
   */
  rotate(): void {
    this.#locked(() => {
      const [master] = this.#masters;
      // Gateways add subjects under the older key until they have seen the new file.
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const older = [...this.#subjects.values()].filter(({ key }) => !key.startsWith(`${master.id}.`));
        if (older.length === 0 && attempt > 0) {
          wrapIndexKey(this.#options.folder, this.#indexKey, master);
          return;
        }
        for (const subject of older) {
          const { index } = subject;
          this.#subjects.set(index, { ...subject, key: wrapKey(this.#keyOf(subject), useOf(index), master) });
        }
        this.#rewrite();
      }
      throw new KeysBusyError('gateways keep adding keys under an older master key; try again');
    });
  }

  #pseudonymOf(subject: Subject): string {
    return pseudonymOf(subject.kind, subject.index, this.#keyOf(subject));
  }

  #keyOf({ index, key }: Subject): Buffer {
    const opened = unwrapKey(key, useOf(index), this.#masters);
    if (opened === undefined) throw new Error('the master key does not open the key of a subject');
    return opened;
  }

  /** Gives a subject a key, unless another process did. @returns undefined when there are too many */
  #add(kind: SubjectKind, index: string, day: number): Subject | undefined {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      this.refresh();
      const known = this.#subjects.get(index);
      if (known !== undefined) return known;
      if (this.#subjects.size >= (this.#options.subjectsMax ?? SUBJECTS_MAX)) return undefined;
      const key = wrapKey(randomBytes(KEY_BYTES), useOf(index), this.#masters[0]);
      this.#file.append(lineOf({ kind, index, key, since: day, seen: day, held: undefined }));
    }
    this.refresh();
    return this.#subjects.get(index);
  }

  /** Appends what is new about a subject, until it stands in the file that the others read. */
  #tell(before: Subject, after: Subject, line: string): void {
    this.#subjects.set(after.index, after);
    this.#file.append(line);
    this.refresh();
    const now = this.#subjects.get(before.index);
    // Another process replaced the file between the two steps. A subject that it erased stays erased.
    if (now !== undefined && (now.seen < after.seen || now.held !== after.held)) {
      this.#subjects.set(after.index, after);
      this.#file.append(line);
    }
  }

  #locked<T>(change: () => T): T {
    const unlock = lockFolder(this.#options.folder);
    if (unlock === undefined) throw new KeysBusyError('another process is changing the keys; try again');
    try {
      this.refresh();
      return change();
    } finally {
      unlock();
    }
  }

  #rewrite(): void {
    this.#file.replace(Array.from(this.#subjects.values(), lineOf));
    this.refresh();
  }
}

const useOf = (index: string): string => `subject ${index}`;

function keyedHash(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest().subarray(0, HASH_BYTES).toString('base64url');
}

/** Of the index, not of the subject: the keys alone tell which pseudonyms belong together. */
function pseudonymOf(kind: SubjectKind, index: string, key: Buffer): string {
  return `${PREFIX[kind]}${keyedHash(key, `${kind} ${index}`)}`;
}
