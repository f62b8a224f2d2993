/**
 * A feed for one-thread tests: NATS as the gateway meets it, with or without JetStream, and publishers that number for
 * themselves, lose their count, repeat themselves, or none of it.
 */

import type {
  PositionOutcome,
  PublishOutcome,
  StoredMessage,
  StoredOutcome,
  StoredRange,
} from '../../src/feed-contract/feed.js';
import { DONE, type FeedOutcome, failed } from '../../src/feed-contract/feed-outcome.js';
import type { HubFeed, HubMessage } from '../../src/hub/hub-feed.js';
import { isOnDemand, parseSubject } from '../../src/protocol/topics.js';

const FOLLOW_MS = 3;
const READ_MS = 4;

interface Stored extends StoredMessage {
  readonly subject: string;
}

export class OneThreadFeed implements HubFeed {
  /** True: one stream numbers everything and keeps it. */
  readonly isStream: boolean;
  /** Takes each message: the hub. */
  deliver: (message: HubMessage) => void = () => {};
  #streams = 1;
  #stream: Stored[] = [];
  #lastSeq = 0;
  #firstSeq = 1;
  readonly #followed = new Set<string>();
  /** Publishers that number for themselves. */
  readonly #publishers = new Map<string, { epoch: string; seq: number; last: HubMessage | undefined }>();
  #publisherEpochs = 0;

  constructor(isStream: boolean) {
    this.isStream = isStream;
  }

  /** What the stream's sequences count in. */
  get streamEpoch(): string {
    return `js${this.#streams}`;
  }

  follow(subject: string, wanted: boolean): FeedOutcome | Promise<FeedOutcome> {
    if (!wanted) {
      this.#followed.delete(subject);
      return DONE;
    }
    return new Promise(resolve => {
      setTimeout(() => {
        this.#followed.add(subject);
        resolve(DONE);
      }, FOLLOW_MS);
    });
  }

  async publish(): Promise<PublishOutcome> {
    return { ok: true, position: undefined };
  }

  position(): PositionOutcome {
    const position = { epoch: this.streamEpoch, seq: this.#lastSeq };
    return this.isStream ? { ok: true, position } : failed('not_stored', 'nothing is numbered');
  }

  stored({ subject, afterSeq, toSeq }: StoredRange): Promise<StoredOutcome> {
    const { streamEpoch } = this;
    return new Promise(resolve => {
      setTimeout(() => {
        const isGone = !this.isStream || streamEpoch !== this.streamEpoch || this.#firstSeq > afterSeq + 1;
        const isAsked = (m: Stored) => m.subject === subject && m.seq > afterSeq && m.seq <= toSeq;
        const messages = this.#stream.filter(isAsked);
        resolve(isGone ? failed('incomplete', 'messages have left the stream') : { ok: true, messages });
      }, READ_MS);
    });
  }

  /** Somebody publishes. @returns its position in the stream, where there is one */
  put(subject: string, value: object): { epoch: string; seq: number } | undefined {
    const payload = Buffer.from(JSON.stringify(value));
    const message = {
      subject,
      payload,
      tsEventMicros: 0,
      seq: 0,
      epoch: '',
      contiguous: false,
      publication: '',
      traceparent: '',
    };
    if (this.isStream) {
      const position = { epoch: this.streamEpoch, seq: ++this.#lastSeq };
      this.#stream.push({ ...position, subject, payload, tsEventMicros: 0 });
      this.deliver({ ...message, ...position });
      return position;
    }
    const kind = parseSubject(subject)?.kind;
    const publisher = this.#publishers.get(subject);
    const numbered =
      publisher === undefined
        ? message
        : { ...message, epoch: publisher.epoch, seq: ++publisher.seq, contiguous: true };
    if (publisher !== undefined) publisher.last = numbered;
    if (kind === undefined || !isOnDemand(kind) || this.#followed.has(subject)) this.deliver(numbered);
    return undefined;
  }

  /** The publisher of a subject begins to number, begins anew, or (`isNumbered` false) no longer does. */
  renumber(subject: string, isNumbered: boolean): void {
    if (isNumbered) {
      this.#publishers.set(subject, { epoch: `p${++this.#publisherEpochs}`, seq: 0, last: undefined });
    } else this.#publishers.delete(subject);
  }

  /** Messages of a numbering publisher do not arrive. */
  lose(subject: string, messages: number): void {
    const publisher = this.#publishers.get(subject);
    if (publisher !== undefined) publisher.seq += messages;
  }

  /** A numbering publisher repeats its last message. */
  repeat(subject: string): void {
    const last = this.#publishers.get(subject)?.last;
    if (last !== undefined) this.deliver(last);
  }

  /** The stream forgets all but its newest messages. */
  trim(messages: number): void {
    this.#firstSeq = Math.max(this.#firstSeq, this.#lastSeq - messages + 1);
    this.#stream = this.#stream.filter(({ seq }) => seq >= this.#firstSeq);
  }

  /** The stream is deleted and created anew. */
  recreate(): void {
    this.#streams++;
    this.#stream = [];
    this.#lastSeq = 0;
    this.#firstSeq = 1;
  }
}
