/** A feed's sink that keeps what it is given. */
import type { FeedMessage, FeedSink } from '../../src/feed-contract/feed.js';

export class Collector implements FeedSink {
  readonly messages: FeedMessage[] = [];
  readonly statuses: string[] = [];
  readonly notices: string[] = [];

  message(message: FeedMessage): void {
    this.messages.push({ ...message, payload: Buffer.from(message.payload) });
  }

  status(status: string, detail: string): void {
    this.statuses.push(`${status}: ${detail}`);
  }

  notice(what: string, detail: string): void {
    this.notices.push(`${what}: ${detail}`);
  }

  get live(): boolean {
    return this.statuses.at(-1)?.startsWith('live') === true;
  }

  /** Epochs of a subject's messages, each once, in order. @param subject left out: of all */
  epochs(subject?: string): string[] {
    const of = this.messages.filter(message => subject === undefined || message.subject === subject);
    return [...new Set(of.map(message => message.epoch))];
  }

  /** Texts of a subject's messages. */
  texts(subject: string): string[] {
    return this.messages
      .filter(message => message.subject === subject)
      .map(message => Buffer.from(message.payload).toString());
  }
}
