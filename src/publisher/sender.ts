/** What the senders for core NATS and JetStream share. */
import type { MsgHdrs } from 'nats';
import { PublisherError, PublisherOverflow } from './errors.js';
import type { PublishAck } from './messages.js';

/** A message, checked and encoded. */
export interface Outgoing {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers: MsgHdrs;
  /** False on subjects that several publishers share by nature. */
  readonly isNumbered: boolean;
}

export interface Sender {
  /** @throws {PublisherError} `overflow` or `closed`; then the message was not taken. */
  send(message: Outgoing): Promise<PublishAck>;
  /** See {@link Publisher.flush}. */
  flush(): Promise<void>;
  /** Gives up everything that still waits. */
  stop(): void;
  readonly waiting: Waiting;
  /** Messages repeated because no answer arrived. */
  readonly retries: number;
  /** Messages that the server did not confirm: they may be lost. */
  readonly unconfirmed: number;
}

/** What a waiting message takes besides its payload (mostly headers): measured, 1.0 kB. */
const MESSAGE_OVERHEAD_BYTES = 1024;

/** Counts what waits for the server, and refuses what would be too much. */
export class Waiting {
  messages = 0;
  bytes = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Above this a publisher that awaits is slowed down, so that it never reaches the limit. */
  get isHigh(): boolean {
    return this.bytes > this.#bytesMax / 2;
  }

  /** @throws {PublisherOverflow} if there is no room for it. */
  add(message: Outgoing): void {
    const bytes = bytesOf(message);
    if (this.bytes + bytes > this.#bytesMax) throw new PublisherOverflow(this.bytes, this.#bytesMax);
    this.messages++;
    this.bytes += bytes;
  }

  remove(messages: number, bytes: number): void {
    this.messages -= messages;
    this.bytes -= bytes;
  }
}

export function bytesOf(message: Outgoing): number {
  return message.payload.length + MESSAGE_OVERHEAD_BYTES;
}

export function closedError(cause?: unknown): PublisherError {
  return new PublisherError(
    'closed',
    'the publisher or its connection is closed',
    cause === undefined ? {} : { cause },
  );
}
