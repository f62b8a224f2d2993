/**
 * Finds event subjects that lost nothing in the holes of a stream that keeps only the newest messages per subject. The
 * stream's numbers do not say which subjects the missing messages had, but a subject whose newest message has been read
 * lacks none.
 *
 * State subjects need no such proof: their next whole message says everything.
 */
import type { JetStreamManager } from 'nats';
import { BoundedMap } from '../protocol/bounded-map.js';
import type { SubjectPrefix } from '../protocol/subject-prefix.js';

/**
 * Most subjects checked after a hole: the most recently active ones. The others are told that messages may be missing.
 */
const AUDITED_MAX = 1_000;
/** Most requests in flight. */
const ASKED_MAX = 16;
/** Pause between two audits if there are too many subjects for one: holes within it are checked together. */
const PAUSE_MS = 20;

interface HoleAuditOptions {
  /** The newest stored sequence of a subject; undefined if there is none, or no answer. */
  readonly newestOf: (subject: string) => Promise<number | undefined>;
  /** What has been read: the newest hole, and the newest message. */
  readonly position: () => { readonly holeSeq: number; readonly lastSeq: number };
}

export function newestOf(manager: JetStreamManager, stream: string, prefix: SubjectPrefix) {
  return async (subject: string): Promise<number | undefined> => {
    try {
      return (await manager.streams.getMessage(stream, { last_by_subj: prefix.add(subject) })).seq;
    } catch {
      return undefined;
    }
  };
}

export class HoleAudit {
  readonly #options: HoleAuditOptions;
  /** The newest hole in which an event subject certainly lost nothing, by subject, the latest last. */
  readonly #clean = new BoundedMap<string, number>(AUDITED_MAX);
  #isRunning = false;
  #isStopped = false;

  constructor(options: HoleAuditOptions) {
    this.#options = options;
  }

  /**
   * Call for each message of an event subject. Returns the newest hole in which it may have lost something; 0 for none.
   */
  holeOf(subject: string, holeSeq: number): number {
    const cleanUpTo = this.#clean.get(subject) ?? 0;
    this.#clean.set(subject, cleanUpTo);
    return holeSeq > cleanUpTo ? holeSeq : 0;
  }

  /** Starts an audit for a new hole. */
  start(): void {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    for (let upTo = this.#options.position().holeSeq, done = 0; upTo > done && !this.#isStopped; ) {
      await this.#audit(upTo);
      done = upTo;
      if (this.#clean.size > ASKED_MAX) await new Promise(resolve => setTimeout(resolve, PAUSE_MS).unref());
      upTo = this.#options.position().holeSeq;
    }
  }

  async #audit(upTo: number): Promise<void> {
    const subjects = [...this.#clean.keys()];
    const ask = async (): Promise<void> => {
      for (let subject = subjects.pop(); subject !== undefined && !this.#isStopped; subject = subjects.pop()) {
        const newest = await this.#options.newestOf(subject);
        // A message still in flight may follow a lost one.
        const isRead = newest !== undefined && newest <= this.#options.position().lastSeq;
        if (isRead && this.#clean.has(subject)) this.#clean.set(subject, upTo);
      }
    };
    await Promise.all(Array.from({ length: ASKED_MAX }, ask));
  }
}
