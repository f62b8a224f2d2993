/**
 * Which event subjects lost nothing in the holes of a stream that keeps only the newest messages of each subject. The numbers of
 * the stream do not say whose the missing messages were; but a subject whose newest message has been read already has none missing.
 *
 * State subjects need no such proof: their next whole message is all there is to know.
 */
import type { JetStreamManager } from 'nats';
import { BoundedMap } from '../protocol/bounded-map.js';

/** Subjects asked about after a hole: those that had messages last. The others are told that something may be missing. */
export const AUDITED_MAX = 1_000;
/** Questions on the way at a time. */
const ASKED_MAX = 16;
/** Between two audits of more subjects than can be asked about at once: holes of this time are asked about together. */
const PAUSE_MS = 20;

export interface HoleAuditOptions {
  /** The newest stored sequence of a subject; undefined when there is none, or no answer. */
  readonly newestOf: (subject: string) => Promise<number | undefined>;
  /** What has been read: the newest hole, and the newest message. */
  readonly position: () => { readonly holeSeq: number; readonly lastSeq: number };
}

export function newestOf(manager: JetStreamManager, stream: string) {
  return async (subject: string): Promise<number | undefined> => {
    try {
      return (await manager.streams.getMessage(stream, { last_by_subj: subject })).seq;
    } catch {
      return undefined;
    }
  };
}

export class HoleAudit {
  readonly #options: HoleAuditOptions;
  /** By event subject, the latest last: the newest hole that it surely lost nothing in. */
  readonly #clean = new BoundedMap<string, number>(AUDITED_MAX);
  #isRunning = false;
  #isStopped = false;

  constructor(options: HoleAuditOptions) {
    this.#options = options;
  }

  /** A message of an event subject was read. Returns the newest hole that it may have lost something in; 0 for none. */
  holeOf(subject: string, holeSeq: number): number {
    const cleanUpTo = this.#clean.get(subject) ?? 0;
    this.#clean.set(subject, cleanUpTo);
    return holeSeq > cleanUpTo ? holeSeq : 0;
  }

  /** There is a new hole. */
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
        // One that is still on its way here may follow a lost one.
        const isRead = newest !== undefined && newest <= this.#options.position().lastSeq;
        if (isRead && this.#clean.has(subject)) this.#clean.set(subject, upTo);
      }
    };
    await Promise.all(Array.from({ length: ASKED_MAX }, ask));
  }
}
