/** A feed that does what the test says. */
import {
  type Feed,
  type FeedMessage,
  type FeedSink,
  newFeedMessage,
  type PublishOutcome,
} from '../../src/feed/feed.js';

export class ScriptedFeed implements Feed {
  readonly name = 'nats';
  sink: FeedSink | undefined;
  readonly wanted = new Set<string>();
  readonly published: string[] = [];
  isStopped = false;
  behindMessages = 0;

  /** @param failure what `start` rejects with */
  constructor(readonly failure?: string) {}

  async start(sink: FeedSink): Promise<void> {
    if (this.failure !== undefined) throw new Error(this.failure);
    this.sink = sink;
    sink.status('live', 'connected');
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

  interest(subject: string, wanted: boolean): undefined {
    if (wanted) this.wanted.add(subject);
    else this.wanted.delete(subject);
  }

  deadLetter(): void {
    throw new Error('no dead letter was to be expected');
  }

  async publish(subject: string): Promise<PublishOutcome> {
    this.published.push(subject);
    return { ok: true, position: undefined };
  }

  behind(): number {
    return this.behindMessages;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.sink = undefined;
  }
}
