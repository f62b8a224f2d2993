/** A publisher that holds all that it publishes against the AsyncAPI document. */
import { Packr } from 'msgpackr';
import { connect, headers, type NatsConnection } from 'nats';
import type { Format } from '../../src/protocol/view-options.js';
import { MessageValidator, messagesOf, readAsyncApi } from './frame-validator.js';

const packr = new Packr({ useRecords: false });
const document = readAsyncApi();

export class CheckedPublisher {
  readonly nats: NatsConnection;
  readonly #validators = new Map<string, MessageValidator>();

  private constructor(nats: NatsConnection) {
    this.nats = nats;
  }

  static async connect(url: string): Promise<CheckedPublisher> {
    return new CheckedPublisher(await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 }));
  }

  /** Publishes what an operation of the document sends. @throws {Error} when the message is none of that operation's */
  publish(
    operation: string,
    subject: string,
    message: object,
    format: Format = 'json',
    given: Readonly<Record<string, string | number>> = {},
  ): void {
    const validator =
      this.#validators.get(operation) ?? new MessageValidator(document, messagesOf(document, operation));
    this.#validators.set(operation, validator);
    const verdict = validator.check(message);
    if ('reasons' in verdict) throw new Error(`${subject}: no message of ${operation}: ${verdict.reasons}`);
    const payload = format === 'json' ? Buffer.from(JSON.stringify(message)) : packr.pack(message);
    const hdrs = headers();
    for (const [name, value] of Object.entries(given)) hdrs.set(name, String(value));
    this.nats.publish(subject, payload, { headers: hdrs });
  }

  async close(): Promise<void> {
    await this.nats.close();
  }
}
