/** A feed that does what the test says. */
import {
  type Feed,
  type FeedHealth,
  type FeedMessage,
  type FeedSink,
  newFeedMessage,
  type PositionOutcome,
  type PublishOutcome,
  type StoredOutcome,
} from '../../src/feed-contract/feed.js';
import { DONE, type FeedOutcome, failed } from '../../src/feed-contract/feed-outcome.js';

export class ScriptedFeed implements Feed {
  readonly name = 'nats';
  sink: FeedSink | undefined;
  readonly wanted = new Set<string>();
  readonly published: string[] = [];
  isStopped = false;
  behindMessages = 0;

  /** @param failure why `start` fails */
  constructor(readonly failure?: string) {}

  async start(sink: FeedSink): Promise<FeedOutcome> {
    if (this.failure !== undefined) return failed('unreachable', this.failure);
    this.sink = sink;
    sink.status('live', 'connected');
    return DONE;
  }

  /** Delivers a message; numbered where it has a `seq`. */
  put(text: string, numbering: Partial<FeedMessage> = {}): void {
    const given = numbering.seq === undefined ? {} : { epoch: 'e1', contiguous: true, ...numbering };
    this.sink?.message({ ...newFeedMessage(), subject: 'md.trades.A', payload: Buffer.from(text), ...given });
  }

  lose(): void {
    this.sink?.status('stale', 'disconnected');
  }

  comeBack(): void {
    this.sink?.status('live', 'reconnected');
  }

  follow(subject: string, wanted: boolean): FeedOutcome {
    if (wanted) this.wanted.add(subject);
    else this.wanted.delete(subject);
    return DONE;
  }

  deadLetter(): void {
    throw new Error('no dead letter was to be expected');
  }

  async publish(subject: string): Promise<PublishOutcome> {
    this.published.push(subject);
    return { ok: true, position: undefined };
  }

  position(): PositionOutcome {
    return failed('not_stored', 'it stores nothing');
  }

  async stored(): Promise<StoredOutcome> {
    return failed('not_stored', 'it stores nothing');
  }

  get health(): FeedHealth {
    return {
      behind: this.behindMessages,
      reconnects: 0,
      consumerRecreations: 0,
      headersIgnored: 0,
      errors: new Map(),
      roundTripMs: 1,
      queuedBytes: 0,
    };
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.sink = undefined;
  }
}
