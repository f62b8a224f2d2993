/**
 * A stream of the orders on `control.revoke`: it keeps orders published while no gateway is connected, until one takes
 * them. Orders that are taken, and in the bucket, leave the stream.
 */
import { DiscardPolicy, type JetStreamManager, type JsMsg, RetentionPolicy, StorageType, type StreamInfo } from 'nats';
import { findStream } from '../feed/jetstream-stream.js';
import { StreamConsumer } from '../feed/stream-consumer.js';
import type { SubjectPrefix } from '../protocol/subject-prefix.js';
import { codeOf } from './bucket-entries.js';

const SUBJECT = 'control.revoke';
/** Exceeded only if no gateway was connected for very long. */
const BYTES_MAX = 64 * 1024 ** 2;
const SUBJECTS_OVERLAP = 10_065;

interface OrderInboxOptions {
  readonly bucket: string;
  /** Of the subjects at the server. */
  readonly prefix: SubjectPrefix;
  /** Servers that hold the stream, if it is created here. */
  readonly replicas: number;
  /** @returns false if the order must be kept for later */
  readonly onOrder: (payload: Uint8Array, atMs: number) => boolean;
  readonly onLost: (reason: string) => void;
}

export class OrderInbox {
  /** Resolves once all orders that waited at the opening are taken; also when it is closed. */
  readonly caughtUp: Promise<void>;
  readonly #manager: JetStreamManager;
  readonly #stream: string;
  readonly #isOwn: boolean;
  readonly #options: OrderInboxOptions;
  #consumer: StreamConsumer | undefined;
  #lastSeq = 0;
  #clearedSeq = 0;
  #isBlocked = false;
  #resolve = (): void => {};

  private constructor(manager: JetStreamManager, stream: string, isOwn: boolean, options: OrderInboxOptions) {
    this.#manager = manager;
    this.#stream = stream;
    this.#isOwn = isOwn;
    this.#options = options;
    this.caughtUp = new Promise(resolve => {
      this.#resolve = resolve;
    });
  }

  /** Reads the stream from its beginning. @throws {NatsError} if that is not possible. */
  static async open(manager: JetStreamManager, options: OrderInboxOptions): Promise<OrderInbox> {
    const subject = options.prefix.add(SUBJECT);
    const { name, isOwn } = await openStream(manager, orderStream(options.bucket), subject, options.replicas);
    const inbox = new OrderInbox(manager, name, isOwn, options);
    const consumer = await StreamConsumer.open(manager, {
      stream: name,
      filter: subject,
      lastSeq: 0,
      isWhole: true,
      onMessage: (message, from) => inbox.#received(message, from),
      onLost: reason => options.onLost(`orders: ${reason}`),
    });
    inbox.#consumer = consumer;
    if (consumer.deliverySeq >= consumer.pendingAtStart) inbox.#resolve();
    return inbox;
  }

  /** Removes what was taken. The caller must have all of it in the bucket. */
  async clear(): Promise<void> {
    const seq = this.#lastSeq;
    if (!this.#isOwn || this.#isBlocked || seq === this.#clearedSeq) return;
    await this.#manager.streams.purge(this.#stream, { seq: seq + 1 });
    this.#clearedSeq = seq;
  }

  close(): void {
    this.#consumer?.close();
    this.#resolve();
  }

  #received(message: JsMsg, consumer: StreamConsumer): void {
    const { streamSequence, timestampNanos } = message.info;
    // An order that must be kept also keeps all later ones.
    if (!this.#options.onOrder(message.data, timestampNanos / 1e6)) this.#isBlocked = true;
    this.#lastSeq = streamSequence;
    if (consumer.deliverySeq >= consumer.pendingAtStart) this.#resolve();
  }
}

/** Its name, for the gateways of one bucket. */
export const orderStream = (bucket: string): string => `${bucket}_ORDERS`;

/** @param prefix of the subjects at the server @param replicas servers of a cluster that hold it */
export function createOrderStream(
  manager: JetStreamManager,
  bucket: string,
  prefix: SubjectPrefix,
  replicas: number,
): Promise<StreamInfo> {
  return addStream(manager, orderStream(bucket), prefix.add(SUBJECT), replicas);
}

function addStream(manager: JetStreamManager, name: string, subject: string, replicas: number): Promise<StreamInfo> {
  return manager.streams.add({
    name,
    subjects: [subject],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    num_replicas: replicas,
    discard: DiscardPolicy.New,
    max_bytes: BYTES_MAX,
    // The gateways answer the sender, not the stream.
    no_ack: true,
  });
}

/** If operators have their own stream for the subject, it is read and left unchanged. */
async function openStream(
  manager: JetStreamManager,
  name: string,
  subject: string,
  replicas: number,
): Promise<{ name: string; isOwn: boolean }> {
  if ((await findStream(manager, name)) !== undefined) return { name, isOwn: true };
  try {
    await addStream(manager, name, subject, replicas);
    return { name, isOwn: true };
  } catch (error) {
    if (codeOf(error) !== SUBJECTS_OVERLAP) throw error;
    return { name: await manager.streams.find(subject), isOwn: false };
  }
}
