/**
 * A month of generated sessions over three nodes, as their journals and as the generator's own log. The journals have several runs
 * each: with an orderly end, with a crash, and with a takeover by a second process. Everything follows from the seed.
 */
import { appendFileSync, copyFileSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '../../../src/feed/simulator/seeded-random.js';
import { parseMasterKeys } from '../../../src/journal/privacy/key-wrap.js';
import { SubjectKeys } from '../../../src/journal/privacy/subject-keys.js';
import { listSegments } from '../../../src/journal/segments.js';
import { ADDRESSES, type Person, peopleOf, TOPICS } from './usage-people.js';
import { WrittenJournal } from './written.js';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const THREADS = 2;
export const MASTER_KEY = '07'.repeat(32);

/** A piece of access: one connection, one topic, one status. It ends before `to`. */
export interface LoggedAccess {
  readonly person: Person;
  readonly address: string;
  readonly connection: string;
  readonly topic: string;
  readonly isDelayed: boolean;
  readonly from: number;
  readonly to: number;
}

/** A credential in force on a connection. */
export interface LoggedGrant {
  readonly person: Person;
  readonly from: number;
  readonly to: number;
}

export interface UsageMonth {
  readonly folders: readonly string[];
  readonly accesses: readonly LoggedAccess[];
  readonly grants: readonly LoggedGrant[];
  /** Users by their pseudonyms on all nodes. */
  readonly userOf: ReadonlyMap<string, string>;
}

type Members = Readonly<Record<string, unknown>>;

interface WrittenRecord {
  readonly t: number;
  readonly thread: number;
  readonly members: Members;
}

/** One process of a node: what it writes, and where. */
class Run {
  readonly records: WrittenRecord[] = [];
  /** What ends with the connection, or with the thread if there is no end in the journal. */
  readonly #open: { readonly thread: number; end(t: number): void }[] = [];

  constructor(
    readonly chain: string,
    readonly from: number,
    readonly to: number,
    readonly isCrash: boolean,
  ) {}

  record(t: number, thread: number, members: Members): void {
    this.records.push({ t, thread, members });
  }

  endsWithThread(thread: number, end: (t: number) => void): void {
    this.#open.push({ thread, end });
  }

  /** After a crash, what was open ends with the last record of its thread. */
  finish(): void {
    for (const { thread, end } of this.#open) {
      end(Math.max(...this.records.filter(record => record.thread === thread).map(({ t }) => t)));
    }
  }
}

/** @param month its first day in UTC, µs. @param days of the month */
export async function generateMonth(month: number, days: number, seed: number): Promise<UsageMonth> {
  const generator = new Generator(month, days, seed);
  return generator.generate();
}

class Generator {
  readonly #random: SeededRandom;
  readonly #from: number;
  readonly #to: number;
  readonly #month: number;
  readonly #root = mkdtempSync(join(tmpdir(), 'usage-'));
  readonly #accesses: LoggedAccess[] = [];
  readonly #grants: LoggedGrant[] = [];
  readonly #keys = new Map<string, SubjectKeys>();
  #connections = 0;

  constructor(month: number, days: number, seed: number) {
    this.#random = new SeededRandom(seed);
    this.#month = month;
    this.#from = month - 3 * DAY;
    this.#to = month + (days + 2) * DAY;
  }

  async generate(): Promise<UsageMonth> {
    const people = peopleOf(this.#random);
    const runs = this.#runs();
    for (let day = this.#from; day < this.#to; day += DAY) {
      for (const person of people) {
        for (let count = this.#random.below(3); count > 0; count--) this.#session(person, runs, this.#time(day, DAY));
      }
    }
    this.#borderSessions(people, runs);
    for (const run of runs) {
      this.#noise(run);
      run.finish();
    }
    const folders = ['edge-1', 'edge-2', 'edge-3'].map(node => join(this.#root, node));
    for (const run of runs) await this.#write(run);
    const names = people.flatMap(({ user }) => (user === undefined ? [] : [user]));
    const userOf = new Map<string, string>();
    for (const keys of this.#keys.values()) for (const name of names) userOf.set(keys.known('user', name) ?? '', name);
    return { folders, accesses: this.#accesses, grants: this.#grants, userOf };
  }

  /** Ordered by chain and time. */
  #runs(): Run[] {
    const at = (day: number): number => this.#from + day * DAY + this.#random.below(DAY);
    const [crash1, crash2, stop, takeover] = [at(9), at(20), at(14), at(17)];
    return [
      // Over before the month: a report does not need it.
      new Run('edge-1', this.#from - 6 * DAY, this.#from - 2 * DAY, false),
      new Run('edge-1', this.#from, stop, false),
      new Run('edge-1', stop + 20 * SECOND, this.#to, false),
      new Run('edge-2', this.#from, crash1, true),
      new Run('edge-2', crash1 + 5 * HOUR, crash2, true),
      new Run('edge-2', crash2 + 30 * SECOND, this.#to, false),
      new Run('edge-3', this.#from, takeover + 10 * MINUTE, false),
      new Run('edge-3/takeover', takeover, this.#to, false),
    ];
  }

  /** A time with an odd number of µs of its own, so that no two records of different connections are at once. */
  #time(from: number, within: number): number {
    return from + this.#random.below(within / SECOND) * SECOND + this.#random.below(SECOND / 2) * 2 + 1;
  }

  #session(person: Person, runs: readonly Run[], from: number): void {
    const length = this.#random.below(20) === 0 ? this.#time(0, 4 * DAY) : this.#time(0, 9 * HOUR);
    this.#openSession(person, runs, from, from + length);
  }

  /** Sessions that begin, end, or are without length exactly where days and months begin, in every zone of the products. */
  #borderSessions(people: readonly Person[], runs: readonly Run[]): void {
    const end = this.#to - 2 * DAY;
    const offsets = [-9, -1, 0, 4, 5];
    for (const [i, border] of [this.#month, end].flatMap(time => offsets.map(h => time + h * HOUR)).entries()) {
      const person = (shift: number): Person => people[(3 * i + shift) % people.length] as Person;
      this.#openSession(person(0), runs, border - HOUR - 2 * i, border);
      // Two that begin at once would leave open which of them was first.
      this.#openSession(person(1), runs, border, i % 2 === 0 ? border : border + HOUR + 2 * i);
      this.#openSession(person(2), runs, border - HOUR - 2 * i - 500, border + HOUR + 2 * i + 500);
    }
  }

  #openSession(person: Person, runs: readonly Run[], from: number, to: number): void {
    const serving = runs.filter(run => run.from < from && run.to > from + MINUTE);
    const run = serving[this.#random.below(serving.length)];
    if (run === undefined) return;
    const thread = this.#random.below(THREADS);
    const end = Math.min(to, run.isCrash ? Number.POSITIVE_INFINITY : run.to - 1000 + this.#random.below(400));
    const session = new Session(this.#random, run, thread, `c${this.#connections++}`, person);
    session.play(from, end, this.#accesses, this.#grants);
  }

  /** What journals are full of, and what a report does not count. */
  #noise(run: Run): void {
    run.record(run.from, -1, { k: 'started', version: '0.1.0', threads: THREADS });
    for (let thread = 0; thread < THREADS; thread++) {
      for (let t = this.#time(run.from, HOUR); t < run.to; t += this.#time(MINUTE, HOUR / 2)) {
        run.record(t, thread, { k: 'emit', w: thread, topic: 'depth:VOD.L', class: 'realtime', runs: [[1, 2]] });
      }
    }
    if (!run.isCrash) run.record(run.to, -1, { k: 'stopped', version: '0.1.0', threads: THREADS });
  }

  /** As a gateway does: threads hand over batches, so that the order of lines is not quite that of time. */
  async #write(run: Run): Promise<void> {
    const folder = join(this.#root, run.chain);
    const node = run.chain.split('/')[0] ?? '';
    const keys = this.#keysOf(node);
    const journal = new WrittenJournal(folder);
    journal.nowMicros = run.from;
    mkdirSync(folder, { recursive: true });
    const writer = await journal.writer({ node, segmentBytesMax: 1e6 });
    const delays = Array.from({ length: THREADS }, () => this.#random.below(100_000));
    const written = run.records
      .map(record => ({ ...record, at: record.t + (delays[record.thread] ?? 0) }))
      .filter(({ t }) => !run.isCrash || t <= run.to)
      .sort((a, b) => a.at - b.at);
    for (const { t, members, at } of written) {
      journal.nowMicros = Math.max(journal.nowMicros, at);
      writer.maintain();
      writer.write(
        JSON.stringify(withPseudonyms({ t, ...members, ...(members.k === 'started' ? { node } : {}) }, keys)),
      );
    }
    await writer.close();
    const last = listSegments(folder).at(-1);
    if (run.isCrash && last !== undefined) appendFileSync(last.path, '{"t":179361360000');
  }

  /** The nodes share the index key, not the subjects' keys. */
  #keysOf(node: string): SubjectKeys {
    const known = this.#keys.get(node);
    if (known !== undefined) return known;
    const folder = join(this.#root, node, 'keys');
    mkdirSync(folder, { recursive: true });
    const [first] = this.#keys.keys();
    if (first !== undefined) copyFileSync(join(this.#root, first, 'keys', 'index.key'), join(folder, 'index.key'));
    const keys = new SubjectKeys({ folder: folder, masters: () => parseMasterKeys(MASTER_KEY), nowMs: () => 0 });
    this.#keys.set(node, keys);
    return keys;
  }
}

function withPseudonyms(record: Members, keys: SubjectKeys): Members {
  const { user, address } = record;
  return {
    ...record,
    ...(typeof user === 'string' ? { user: keys.pseudonym('user', user) } : {}),
    ...(typeof address === 'string' ? { address: keys.pseudonym('address', address) } : {}),
  };
}

/** What one connection does. */
class Session {
  readonly #address: string;
  readonly #topics = new Map<string, { readonly isDelayed: boolean; from: number }>();
  #person: Person;
  #grantedFrom = 0;

  constructor(
    private readonly random: SeededRandom,
    private readonly run: Run,
    private readonly thread: number,
    private readonly id: string,
    person: Person,
  ) {
    this.#person = person;
    this.#address = ADDRESSES[random.below(ADDRESSES.length)] ?? '';
  }

  play(from: number, to: number, accesses: LoggedAccess[], grants: LoggedGrant[]): void {
    const { user, tier } = this.#person;
    const who = user === undefined ? {} : { user };
    const connected = { w: this.thread, transport: 'ws', endpoint: '/ws', format: 'json', address: this.#address };
    this.#record(from, 'connected', { ...connected, ...who, tier });
    this.#authenticate(from);
    // Its first topics at once: a session without length has use.
    for (let count = 1 + this.random.below(3); count > 0; count--) this.#subscribe(from, accesses);
    let t = from;
    while (this.random.below(4) > 0) {
      t += 1001 + 2 * this.random.below(HOUR / 2);
      if (t >= Math.min(to, this.run.to)) break;
      this.#step(t, accesses, grants);
    }
    const end = (at: number): void => {
      for (const topic of this.#topics.keys()) this.#logAccess(topic, at, accesses);
      grants.push({ person: this.#person, from: this.#grantedFrom, to: at });
    };
    if (to <= this.run.to) {
      this.#record(to, 'closed', { code: 1000, reason: '', by: 'client', buffered: 0 });
      end(to);
    } else this.run.endsWithThread(this.thread, end);
  }

  #step(t: number, accesses: LoggedAccess[], grants: LoggedGrant[]): void {
    const choice = this.random.below(10);
    if (choice < 4) this.#subscribe(t, accesses);
    else if (choice < 6) {
      const [topic] = this.#topics.keys();
      if (topic === undefined) return;
      this.#record(t, 'unsubscribed', { topic });
      this.#logAccess(topic, t, accesses);
      this.#topics.delete(topic);
    } else if (choice < 8) this.#record(t, 'confirmed', { at: t - 5000 });
    else if (this.#person.later !== undefined) {
      for (const topic of this.#topics.keys()) this.#logAccess(topic, t, accesses);
      grants.push({ person: this.#person, from: this.#grantedFrom, to: t });
      this.#person = this.#person.later;
      this.#authenticate(t);
    }
  }

  #authenticate(t: number): void {
    const { user, tier, firm, professional, use, entitlements } = this.#person;
    const by = user === undefined ? 'none' : 'token';
    this.#record(t, 'authenticated', { user, tier, by, firm, professional, use, entitlements });
    this.#grantedFrom = t;
  }

  #subscribe(t: number, accesses: LoggedAccess[]): void {
    const topic = TOPICS[this.random.below(TOPICS.length)] ?? '';
    const isDelayed = this.random.below(4) === 0;
    if (this.#topics.has(topic)) this.#logAccess(topic, t, accesses);
    this.#topics.set(topic, { isDelayed, from: t });
    const view = { topic, class: 'realtime', format: 'json', ...(isDelayed ? { delay: '15m' } : {}) };
    this.#record(t, 'subscribed', { w: this.thread, ...view, epoch: 'e1', seq: 1 });
  }

  /** Logs a piece of access up to a time; the next piece begins there. */
  #logAccess(topic: string, to: number, accesses: LoggedAccess[]): void {
    const held = this.#topics.get(topic);
    if (held === undefined) return;
    const { isDelayed, from } = held;
    accesses.push({ person: this.#person, address: this.#address, connection: this.id, topic, isDelayed, from, to });
    held.from = to;
  }

  #record(t: number, k: string, members: Members): void {
    this.run.record(t, this.thread, { c: this.id, k, ...members });
  }
}
