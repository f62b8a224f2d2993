/** What all streams of a client have in common: their topics, how they begin and end, and iteration. */
import { topicName } from '../protocol/topic-parts.js';
import { Emitter } from './emitter.js';
import { MillraceError } from './errors.js';
import type { Gap, Resync, Stale, Whole } from './frames.js';
import { Iteration, type IterationBuffer } from './iteration.js';
import type { Sink, Topic } from './topic-table.js';

/** What a stream holds of the client that made it. */
export interface Lease {
  readonly topics: ReadonlySet<Topic>;
  /** The topic is refused: the stream goes on without it. */
  drop(topic: Topic): void;
  release(): void;
  /** Present documents, as changes. */
  current(): readonly object[];
  documentOf(symbol: string): unknown;
  /** What is known of the symbols that the gateway holds back. */
  stale(): readonly Stale[];
  isStale(symbol: string): boolean;
  /** Milliseconds since anything about the name came, of all names where none is given. */
  stalenessMs(name: string | undefined): number | undefined;
}

/** The client, as a stream needs it to begin. */
export interface Origin {
  lease(sink: Sink): Lease;
  readonly onFault: (error: MillraceError) => void;
  /** Events that an iteration keeps. */
  readonly eventBufferMax: number;
}

export interface StreamEvents {
  /** A topic was refused, for good or until the next try (`isRetried`). */
  error: MillraceError;
  /** The stream has ended; with the reason where it was not the application that ended it. */
  closed: MillraceError | undefined;
}

export abstract class TopicStream<Item extends object, Events extends StreamEvents>
  extends Emitter<Events>
  implements AsyncIterable<Item>
{
  /**
   * Resolves once the gateway has answered for every topic and sends one of them at least; rejects with the refusal where
   * it sends none, and when the stream is closed before. It need not be awaited: a rejection nobody looks at is no fault.
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

  /** Names that the stream follows: less than asked for where the gateway refused some. */
  get names(): string[] {
    return [...this.lease.topics].map(({ wire }) => topicName(wire));
  }

  /**
   * Milliseconds since anything about this name (or any name of the stream) came from the gateway. Silent topics have a
   * heartbeat every second, unless they never had anything, and but for the trades of all symbols; so of others much more
   * than that means that what is held may be old. Undefined before the first.
   */
  stalenessMs(name?: string): number | undefined {
    return this.lease.stalenessMs(name);
  }

  /** Ends the stream; a topic that no other stream of the client follows is unsubscribed. */
  close(): void {
    this.#end(undefined);
  }

  /**
   * Iterates over what comes from now on; state streams begin with their present documents. Leaving the loop closes the
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
        // Made by the client for a stream of this kind.
        for (const iteration of this.#iterations) iteration.push(item as Item);
        this.tellItem(item as Item);
      },
      gap: gap => this.tellGap(gap),
      resync: resync => this.tellResync(resync),
      stale: (stale, change) => {
        // Its consumer has no other way to learn of it.
        if (change !== undefined) for (const iteration of this.#iterations) iteration.push(change as Item);
        this.tellStale(stale);
      },
      whole: whole => this.tellWhole(whole),
      ended: error => this.#end(error),
    };
  }

  /** Topics that another stream follows already are answered, and have documents, or are stale. */
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
