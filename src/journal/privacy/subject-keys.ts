/**
 * Pseudonyms of users and addresses. Each subject has a key of its own; its pseudonym is a keyed hash, so destroying the key makes
 * it impossible for the operator to attribute what stands under the pseudonym. An index key finds the key of a subject that returns.
 *
 * The file holds a line for each subject: its index, its wrapped key, and whether it is held. It names no subject.
 */
import { createHmac, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { BoundedMap } from '../../protocol/bounded-map.js';
import { KEY_BYTES, type MasterKey, unwrapKey, wrapKey } from './key-wrap.js';

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const INDEX_FILE = 'index.key';
const SUBJECTS_FILE = 'subjects.jsonl';
const INDEX_USE = 'index';
const HASH_BYTES = 16;
/** Pseudonyms kept in memory; others are computed again. */
const CACHED_MAX = 100_000;

type SubjectKind = 'user' | 'address';

/** What a pseudonym begins with. */
const PREFIX: Readonly<Record<SubjectKind, string>> = { user: 'u_', address: 'a_' };

interface Subject {
  /** Keyed hash that finds the subject. */
  readonly index: string;
  readonly key: string;
  /** Why it must not be erased, RFC 3339 time and reason; undefined when it may. */
  readonly held?: string;
}

export class SubjectKeys {
  readonly #folder: string;
  readonly #masters: readonly [MasterKey, ...MasterKey[]];
  readonly #indexKey: Buffer;
  readonly #subjects = new Map<string, Subject>();
  readonly #pseudonyms = new BoundedMap<string, string>(CACHED_MAX);

  /** Reads or begins the keys in a folder. @throws {Error} when they cannot be read, or the master key is not theirs */
  constructor(folder: string, masters: readonly [MasterKey, ...MasterKey[]]) {
    this.#folder = folder;
    this.#masters = masters;
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    this.#indexKey = this.#openIndexKey();
    const path = join(folder, SUBJECTS_FILE);
    if (!existsSync(path)) return;
    for (const [i, line] of readFileSync(path, 'utf8').split('\n').entries()) {
      if (line === '') continue;
      const subject = parseSubject(line);
      if (subject === undefined) throw new Error(`${path} line ${i + 1} is damaged`);
      this.#subjects.set(subject.index, subject);
    }
  }

  get size(): number {
    return this.#subjects.size;
  }

  /** @param text the user's id, or the address. @returns `u_…` or `a_…`; the same until the subject is erased */
  pseudonym(kind: SubjectKind, text: string): string {
    const name = `${kind} ${text}`;
    const known = this.#pseudonyms.get(name);
    if (known !== undefined) return known;
    const index = this.indexOf(kind, text);
    const pseudonym = pseudonymOf(kind, index, this.#keyOf(index));
    this.#pseudonyms.set(name, pseudonym);
    return pseudonym;
  }

  /** The pseudonym that a subject has now; undefined when it has none, or was erased. */
  known(kind: SubjectKind, text: string): string | undefined {
    const index = this.indexOf(kind, text);
    return this.#subjects.has(index) ? pseudonymOf(kind, index, this.#keyOf(index)) : undefined;
  }

  /** Finds a subject on every node that has the same index key. */
  indexOf(kind: SubjectKind, text: string): string {
    return keyedHash(this.#indexKey, `${kind} ${text}`);
  }

  /** Pseudonyms of users by index, to join what several nodes recorded. */
  *indexes(kind: SubjectKind): Iterable<readonly [pseudonym: string, index: string]> {
    for (const { index } of this.#subjects.values()) yield [pseudonymOf(kind, index, this.#keyOf(index)), index];
  }

  /** Destroys a subject's key. @returns why it was not destroyed; undefined when it was, or there was none */
  erase(kind: SubjectKind, text: string): string | undefined {
    const index = this.indexOf(kind, text);
    const subject = this.#subjects.get(index);
    if (subject === undefined) return undefined;
    if (subject.held !== undefined) return `a legal hold forbids it: ${subject.held}`;
    this.#subjects.delete(index);
    this.#pseudonyms.delete(`${kind} ${text}`);
    this.#rewrite();
    return undefined;
  }

  /** Forbids erasing a subject, or allows it again. @param reason undefined to allow. @returns false when the subject is unknown */
  hold(kind: SubjectKind, text: string, reason: string | undefined): boolean {
    const index = this.indexOf(kind, text);
    const subject = this.#subjects.get(index);
    if (subject === undefined) return false;
    const { key } = subject;
    this.#subjects.set(index, reason === undefined ? { index, key } : { index, key, held: reason });
    this.#rewrite();
    return true;
  }

  /** Wraps all keys with the first master key. Afterwards the older ones can be removed from the master key file. */
  rotate(): void {
    for (const { index, held } of [...this.#subjects.values()]) {
      const key = wrapKey(this.#keyOf(index), useOf(index), this.#masters[0]);
      this.#subjects.set(index, held === undefined ? { index, key } : { index, key, held });
    }
    this.#rewrite();
    replaceFile(join(this.#folder, INDEX_FILE), `${wrapKey(this.#indexKey, INDEX_USE, this.#masters[0])}\n`);
  }

  #openIndexKey(): Buffer {
    const path = join(this.#folder, INDEX_FILE);
    if (!existsSync(path)) {
      const key = randomBytes(KEY_BYTES);
      replaceFile(path, `${wrapKey(key, INDEX_USE, this.#masters[0])}\n`);
      return key;
    }
    const key = unwrapKey(readFileSync(path, 'utf8').trim(), INDEX_USE, this.#masters);
    if (key === undefined) throw new Error(`the master key does not open ${path}`);
    return key;
  }

  /** The key of a subject, which gets one at its first appearance. */
  #keyOf(index: string): Buffer {
    const subject = this.#subjects.get(index);
    if (subject !== undefined) {
      const key = unwrapKey(subject.key, useOf(index), this.#masters);
      if (key === undefined) throw new Error('the master key does not open the key of a subject');
      return key;
    }
    const key = randomBytes(KEY_BYTES);
    const added = { index, key: wrapKey(key, useOf(index), this.#masters[0]) };
    appendFileSync(join(this.#folder, SUBJECTS_FILE), `${JSON.stringify(added)}\n`, { mode: FILE_MODE });
    this.#subjects.set(index, added);
    return key;
  }

  #rewrite(): void {
    const lines = Array.from(this.#subjects.values(), subject => `${JSON.stringify(subject)}\n`);
    replaceFile(join(this.#folder, SUBJECTS_FILE), lines.join(''));
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

function parseSubject(line: string): Subject | undefined {
  try {
    const { index, key, held } = JSON.parse(line) as Partial<Subject>;
    if (typeof index !== 'string' || typeof key !== 'string') return undefined;
    return held === undefined ? { index, key } : { index, key, held };
  } catch {
    return undefined;
  }
}

/** The old content is gone once this returns: a destroyed key must not come back after a crash. */
function replaceFile(path: string, text: string): void {
  const draft = `${path}.new`;
  writeFileSync(draft, text, { mode: FILE_MODE, flush: true });
  renameSync(draft, path);
  const folder = openSync(join(path, '..'), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
