/** Turns what a journal says was sent into the messages themselves, from the messages that publishers sent. */
import { EVENT_KINDS } from '../encoder/event-kinds.js';
import { Resolution } from '../fix/market/resolution.js';
import { composeQuotes } from '../gateway/sending/snapshot-frames.js';
import type { DeliveredDocument, Delivery } from '../journal/delivery.js';
import type { ViewMembers } from '../journal/kinds.js';
import { stringifyExact } from '../protocol/exact-json.js';
import { packedBytes } from '../protocol/msgpack-writer.js';
import { topicName, topicParts } from '../protocol/topic-parts.js';
import { isStateStream, type Stream, sourceKindOf, subjectOf, topicOf } from '../protocol/topics.js';
import { REALTIME } from '../protocol/view-options.js';
import { depthDetail, FIX_VARIANT, laneOf, laneWith, TRADES_FULL } from '../threads/lanes.js';
import { BookDocuments, QuoteDocuments } from './documents.js';
import { EventReplay } from './event-replay.js';
import { FixMessages } from './fix-messages.js';
import { fixPartOf } from './fix-part.js';
import { FrameBytes } from './frame-bytes.js';
import type { PastFeed } from './past-feed.js';
import { StateReplay } from './state-replay.js';
import type { SubjectReplay } from './subject-replay.js';
import type { Wanted } from './wanted.js';

/** Frames found before their turn; with more, the reconstruction is given up. */
const AHEAD_BYTES_MAX = 512 * 1024 * 1024;

/** A message that the connection was sent; its frame, or why that cannot be told. */
export interface Reconstructed {
  readonly delivery: Delivery;
  readonly frame: Buffer | undefined;
  readonly missing: string | undefined;
  /** Its `timestamp` is unknown: see `Wanted.found`. */
  readonly lacksTime: boolean;
}

interface Job {
  readonly delivery: Delivery;
  frame: Buffer | undefined;
  missing: string | undefined;
  lacksTime: boolean;
  /** Parts that have not come. */
  left: number;
}

interface ReconstructionOptions {
  readonly deliveries: readonly Delivery[];
  readonly feed: PastFeed;
  /** The name in subjects of a topic's name, which is a pseudonym in the journal. */
  readonly nameOf: (topic: string) => string;
}

export class Reconstruction {
  readonly #feed: PastFeed;
  readonly #nameOf: (topic: string) => string;
  readonly #frames = new FrameBytes();
  readonly #fix = new FixMessages();
  readonly #jobs: (Job | undefined)[];
  readonly #replays = new Map<string, SubjectReplay>();
  #next = 0;
  #aheadBytes = 0;

  constructor({ deliveries, feed, nameOf }: ReconstructionOptions) {
    this.#feed = feed;
    this.#nameOf = nameOf;
    this.#jobs = deliveries.map(delivery => ({
      delivery,
      frame: undefined,
      missing: undefined,
      lacksTime: false,
      left: 1,
    }));
    for (const job of this.#jobs) if (job !== undefined) this.#plan(job);
  }

  /** In the order in which they were sent. @throws {Error} when the feed cannot be read */
  async *run(): AsyncGenerator<Reconstructed> {
    const subjects = new Set(this.#replays.keys());
    if (subjects.size > 0) {
      for await (const message of this.#feed.messages(subjects)) {
        this.#replays.get(message.subject)?.take(message);
        yield* this.#ready();
        if (this.#next === this.#jobs.length) return;
        if (this.#aheadBytes > AHEAD_BYTES_MAX) throw new Error('too much at once: choose a shorter period');
      }
    }
    for (const replay of this.#replays.values()) replay.end();
    yield* this.#ready();
  }

  *#ready(): Generator<Reconstructed> {
    for (let job = this.#jobs[this.#next]; job?.left === 0; job = this.#jobs[this.#next]) {
      this.#jobs[this.#next++] = undefined;
      this.#aheadBytes -= job.frame?.length ?? 0;
      yield job;
    }
  }

  #plan(job: Job): void {
    const { delivery } = job;
    const { kind, view } = delivery;
    if (view.format === 'fix') this.#planFix(job);
    else if (kind === 'gap' || kind === 'stale') this.#found(job, announcement(delivery, this.#nameOf(view.topic)));
    else if (isQuotesAnswer(delivery)) this.#planQuotes(job);
    else {
      const [stream] = topicParts(view.topic) as [Stream, string];
      const { prev, seq, epoch } = delivery;
      this.#want(job, { view, form: formOf(delivery, stream), epoch, prev, seq }, (frame, lacksTime) =>
        this.#found(job, frame, lacksTime),
      );
    }
  }

  /** A message has the entries of one view, or those of a book and of statistics. */
  #planFix(job: Job): void {
    const { delivery } = job;
    const { kind, view, epoch, prev, seq, documents, isEmpty, resolution } = delivery;
    if (kind === 'gap' || kind === 'stale') {
      this.#found(job, this.#fix.announcement(delivery));
      return;
    }
    // The last message of a client that does not keep up has no entries.
    if (isEmpty || (kind === 'message' && resolution === Resolution.ended)) {
      this.#found(job, this.#fix.message(delivery, []));
      return;
    }
    const [stream] = topicParts(view.topic) as [Stream, string];
    const form = formOf(delivery, stream);
    const wanted = documents.length > 1 ? documents : [{ epoch, seq, view }];
    const parts: (Buffer | undefined)[] = wanted.map(() => undefined);
    job.left = wanted.length;
    for (const [i, one] of wanted.entries()) {
      this.#want(job, { ...one, form, prev: documents.length > 1 ? one.seq : prev }, bytes => {
        parts[i] = bytes;
        const found = parts.filter(part => part !== undefined);
        if (found.length === wanted.length) this.#found(job, this.#fix.message(delivery, found));
      });
    }
  }

  /** Several quotes share a frame. */
  #planQuotes(job: Job): void {
    const { isComplete, view, epoch: ownEpoch, seq: ownSeq } = job.delivery;
    const own = [{ topic: view.topic, epoch: ownEpoch, seq: ownSeq, view }];
    const documents = job.delivery.documents.length > 0 ? job.delivery.documents : own;
    const parts = new Map<DeliveredDocument, Buffer>();
    job.left = documents.length;
    for (const document of documents) {
      const { epoch, seq } = document;
      this.#want(job, { view: document.view, form: 'answer', epoch, prev: seq, seq }, bytes => {
        parts.set(document, bytes);
        if (parts.size < documents.length) return;
        const quotes = documents.map(one => ({
          symbol: topicName(one.topic),
          part: { seq: one.seq, epoch, bytes: parts.get(one) ?? Buffer.alloc(0) },
        }));
        const format = view.format === 'msgpack' ? 'msgpack' : 'json';
        this.#found(job, composeQuotes({ epoch, quotes }, { format, isStamped: view.stamped === true, isComplete }));
      });
    }
  }

  #want(
    job: Job,
    { view, form, epoch, prev, seq }: Pick<Wanted, 'form' | 'epoch' | 'prev' | 'seq'> & { readonly view: ViewMembers },
    found: Wanted['found'],
  ): void {
    const [stream] = topicParts(view.topic) as [Stream, string];
    const name = view.symbol ?? topicName(view.topic);
    const numbering = this.#feed.numberingOf(undelayed(epoch, view.delay));
    const subject = subjectOf(sourceKindOf(stream), this.#nameOf(topicOf(stream, name)));
    const missing = (why: string): void => this.#missing(job, why);
    if (numbering === undefined) {
      missing(`${subject}: ${this.#feed.unknownEpoch(epoch)}`);
      return;
    }
    this.#replayOf(subject, stream, name).want({
      ...{ form, epoch, prev, seq },
      numbering,
      part: view.part === undefined ? undefined : fixPartOf(view.part, name),
      lane: laneOfView(view, stream),
      sentMicros: job.delivery.t,
      found,
      missing,
    });
  }

  #replayOf(subject: string, stream: Stream, name: string): SubjectReplay {
    const present = this.#replays.get(subject);
    if (present !== undefined) return present;
    const replay = this.#newReplay(subject, stream, this.#nameOf(topicOf(stream, name)));
    this.#replays.set(subject, replay);
    return replay;
  }

  #newReplay(subject: string, stream: Stream, name: string): SubjectReplay {
    const kind = sourceKindOf(stream);
    if (kind === 'quotes') return new StateReplay(subject, this.#feed, new QuoteDocuments(name), this.#frames);
    if (kind === 'books') return new StateReplay(subject, this.#feed, new BookDocuments(name), this.#frames);
    return new EventReplay(subject, this.#feed, EVENT_KINDS[kind], name, this.#frames);
  }

  #found(job: Job, frame: Buffer, lacksTime = false): void {
    if (job.left === 0) return;
    job.left = 0;
    job.lacksTime = lacksTime;
    job.frame = frame;
    this.#aheadBytes += frame.length;
  }

  #missing(job: Job, why: string): void {
    if (job.left === 0) return;
    job.left = 0;
    job.missing = why;
  }
}

/** The gateway composes it of what encoders answer. What repairs the chain of a view names its own position as the one before. */
function isQuotesAnswer({ kind, view, prev, seq }: Delivery): boolean {
  if (!view.topic.startsWith('quotes:') || view.format === 'fix') return false;
  return kind === 'whole' || (kind === 'published' && prev === seq);
}

function formOf({ kind }: Delivery, stream: Stream): Wanted['form'] {
  if (!isStateStream(stream)) return stream === 'analytics' ? 'batch' : 'event';
  return kind === 'message' ? 'change' : 'document';
}

/** The epoch of the topic in real time. Delayed data has the same sequences, in epochs that end in the delay. */
function undelayed(epoch: string, delay: string | undefined): string {
  return delay !== undefined && epoch.endsWith(`+${delay}`) ? epoch.slice(0, -delay.length - 1) : epoch;
}

/** A lane of the view, at any class. */
function laneOfView(
  { format, depth, stamped, full }: Pick<ViewMembers, 'format' | 'depth' | 'stamped' | 'full'>,
  stream: Stream,
): number {
  const detail = stream === 'depth' ? (depthDetail(depth ?? 0) ?? 0) : full === true ? TRADES_FULL : 0;
  return format === 'fix'
    ? laneWith(REALTIME, detail, FIX_VARIANT)
    : laneOf(REALTIME, detail, format, stamped === true);
}

/** A `gap` or `stale`, without its times: the journal does not have them. */
function announcement({ kind, view, epoch, prev, seq, reason }: Delivery, name: string): Buffer {
  const [stream] = topicParts(view.topic) as [Stream, string];
  const topic = topicOf(stream, view.symbol ?? name);
  const message =
    kind === 'gap'
      ? { type: 'gap', topic, from: prev + 1, to: seq, reason, epoch }
      : { type: 'stale', topic, epoch, seq, reason };
  if (view.format === 'msgpack') return Buffer.from(packedBytes(out => out.value(message)));
  return Buffer.from(stringifyExact(message));
}
