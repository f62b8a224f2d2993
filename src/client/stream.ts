/** What all streams of a client share: their topics, how they start and end, and iteration. */
import { topicName } from '../protocol/topic-parts.js';
import { Emitter } from './emitter.js';
import { MillraceError } from './errors.js';
import type { Gap, Resync, Stale, Whole } from './frames.js';
import { Iteration, type IterationBuffer } from './iteration.js';
import type { Sink, Topic } from './topic-table.js';

/** A stream's hold on the client that made it. */
export interface Lease {
  readonly topics: ReadonlySet<Topic>;
  /** The topic was refused: the stream continues without it. */
  drop(topic: Topic): void;
  release(): void;
  /** Current documents, as changes. */
  current(): readonly object[];
  documentOf(symbol: string): unknown;
  /** What is known about the symbols that the gateway holds back. */
  stale(): readonly Stale[];
  isStale(symbol: string): boolean;
  /** Milliseconds since anything about the name arrived; without a name, about any of them. */
  stalenessMs(name: string | undefined): number | undefined;
}

/** What a stream needs of its client to start. */
export interface Origin {
  lease(sink: Sink): Lease;
  readonly onFault: (error: MillraceError) => void;
  /** Most events that an iteration keeps. */
  readonly eventBufferMax: number;
}

export interface StreamEvents {
  /** A topic was refused, for good or until the next try (`isRetried`). */
  error: MillraceError;
  /** The stream has ended; with the reason unless the application ended it. */
  closed: MillraceError | undefined;
}

export abstract class TopicStream<Item extends object, Events extends StreamEvents>
  extends Emitter<Events>
  implements AsyncIterable<Item>
{
  /**
   * Resolves once the gateway has answered for every topic and sends at least one. Rejects with the refusal if it sends
   * none, and when the stream is closed before. You need not await it: an unhandled rejection of it is not reported.
   */
  readonly ready: Promise<void>;
  protected readonly lease: Lease;
  protected readonly eventBufferMax: number;
  readonly #iterations = new Set<Iteration<Item>>();
  readonly #unanswered: Set<Topic>;
  #settleReady: (error?: MillraceError) => void = () => {};
  #isClosed = false;

  /** @internal */
  constructor(origin: Origin) {
    super(origin.onFault);
    this.eventBufferMax = origin.eventBufferMax;
    this.lease = origin.lease(this.#sink());
    this.#unanswered = new Set(this.lease.topics);
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = error => (error === undefined ? resolve() : reject(error));
    });
    this.ready.catch(() => {});
    queueMicrotask(() => this.#begin());
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Names that the stream follows: fewer than requested if the gateway refused some. */
  get names(): string[] {
    return [...this.lease.topics].map(({ wire }) => topicName(wire));
  }

  /**
   * Milliseconds since anything about this name (or any name of the stream) arrived from the gateway. Idle topics send
   * heartbeats at growing intervals, up to 30 s, except those that never had data and the trades of all symbols. For all
   * others, much more than that means that the data may be old. Undefined before the first arrival.
   */
  stalenessMs(name?: string): number | undefined {
    return this.lease.stalenessMs(name);
  }

  /** Ends the stream; unsubscribes topics that no other stream of the client follows. */
  close(): void {
    this.#end(undefined);
  }

  /**
   * Iterates over everything from now on; state streams start with their current documents. Leaving the loop closes the
   * stream unless it has listeners or another loop.
   */
  [Symbol.asyncIterator](): Iteration<Item> {
    const iteration: Iteration<Item> = new Iteration(this.newBuffer(), () => this.#left(iteration));
    if (this.#isClosed) {
      iteration.end(undefined);
      return iteration;
    }
    for (const item of this.lease.current()) iteration.push(item as Item);
    this.#iterations.add(iteration);
    return iteration;
  }

  protected abstract newBuffer(): IterationBuffer<Item>;
  /** Tells the listeners. */
  protected abstract tellItem(item: Item): void;
  protected abstract hasListeners(): boolean;
  protected tellGap(_gap: Gap): void {}
  protected tellResync(_resync: Resync): void {}
  protected tellStale(_stale: Stale): void {}
  protected tellWhole(_whole: Whole): void {}

  #sink(): Sink {
    return {
      accepted: topic => this.#answered(topic, undefined),
      refused: (topic, error) => this.#refused(topic, error),
      item: item => {
        // The client made it for a stream of this kind.
        for (const iteration of this.#iterations) iteration.push(item as Item);
        this.tellItem(item as Item);
      },
      gap: gap => this.tellGap(gap),
      resync: resync => this.tellResync(resync),
      stale: (stale, change) => {
        // Its consumer cannot learn of it in any other way.
        if (change !== undefined) for (const iteration of this.#iterations) iteration.push(change as Item);
        this.tellStale(stale);
      },
      whole: whole => this.tellWhole(whole),
      ended: error => this.#end(error),
    };
  }

  /** Topics that another stream already follows have been answered, and have documents or are stale. */
  #begin(): void {
    for (const topic of this.lease.topics) if (topic.state === 'live') this.#answered(topic, undefined);
    if (!this.#isClosed) for (const item of this.lease.current()) this.tellItem(item as Item);
    if (!this.#isClosed) for (const stale of this.lease.stale()) this.tellStale(stale);
  }

  #answered(topic: Topic, refusal: MillraceError | undefined): void {
    if (!this.#unanswered.delete(topic) || this.#unanswered.size > 0) return;
    if (this.lease.topics.size > 0) this.#settleReady();
    else this.#settleReady(refusal);
  }

  #refused(topic: Topic, error: MillraceError): void {
    if (!error.isRetried) {
      this.lease.drop(topic);
      this.#answered(topic, error);
    }
    this.emit('error', error as Events['error']);
    if (this.lease.topics.size === 0) this.#end(error);
  }

  #left(iteration: Iteration<Item>): void {
    this.#iterations.delete(iteration);
    if (this.#iterations.size === 0 && !this.hasListeners()) this.close();
  }

  #end(error: MillraceError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.lease.release();
    this.#settleReady(error ?? new MillraceError('closed', 'the stream was closed'));
    for (const iteration of this.#iterations) iteration.end(error);
    this.#iterations.clear();
    this.emit('closed', error as Events['closed']);
  }
}
