/** One ephemeral consumer of a stream: delivers in order, without a hole in its own numbering, until it is lost. */
import { ConsumerEvents, type ConsumerInfo, type ConsumerMessages, type JetStreamManager, type JsMsg } from 'nats';
import { consumerConfig } from './jetstream-stream.js';
import { rethrowOutside } from './nats-connection.js';

/** Most messages in flight from the server. */
const PULL_MESSAGES_MAX = 4_096;
/** How long one request for messages lasts; nats.js renews it. */
const PULL_EXPIRES_MS = 10_000;
/** After two missed heartbeats, the consumer counts as lost: within 1.2 s of the death of its node. */
const HEARTBEAT_MS = 400;
/** No heartbeat has been missed by then, so one has come. */
const BEGUN_MS_MAX = 4 * HEARTBEAT_MS;
/** Asks for one message shorter than any, and does not wait: the server answers at once, and delivers nothing. */
const PROBE = new TextEncoder().encode('{"batch":1,"no_wait":true,"max_bytes":1}');

/** A consumer that is not created within this time is requested once more, */
const ANOTHER_AFTER_MS = 300;
/** at most so often. */
const ADDED_MAX = 5;

interface StreamConsumerOptions {
  readonly stream: string;
  readonly filter: string;
  /** It starts after this sequence; if 0, at the last message of every subject. */
  readonly lastSeq: number;
  /** With a `lastSeq` of 0, it starts at the first message. */
  readonly isWhole?: boolean;
  /**
   * Sends a request to JetStream's API. With it, `open` proves that messages are delivered: without the right to ask for
   * them, the server creates a consumer, and ignores its requests.
   */
  readonly ask?: (call: string, payload: Uint8Array) => Promise<unknown>;
  /** Called before its first message. */
  readonly onOpen?: (consumer: StreamConsumer) => void;
  readonly onMessage: (message: JsMsg, consumer: StreamConsumer) => void;
  /** Called once, unless the consumer was closed before. */
  readonly onLost: (reason: string, consumer: StreamConsumer) => void;
}

export class StreamConsumer {
  readonly name: string;
  /** Messages waiting for it when it started. */
  readonly pendingAtStart: number;
  readonly #options: StreamConsumerOptions;
  #messages: ConsumerMessages | undefined;
  #begin = (): void => {};
  isClosed = false;
  /** Position in its own numbering, which has no holes. */
  deliverySeq = 0;

  private constructor(name: string, pending: number, options: StreamConsumerOptions) {
    this.name = name;
    this.pendingAtStart = pending;
    this.#options = options;
  }

  /** @throws {NatsError} if the server does not create one, or does not deliver its messages */
  static async open(manager: JetStreamManager, options: StreamConsumerOptions): Promise<StreamConsumer> {
    const { stream, lastSeq, filter, isWhole, ask } = options;
    const add = () => manager.consumers.add(stream, consumerConfig(lastSeq, filter, isWhole));
    // One that begins with the last message of every subject may cost the server much.
    const info = lastSeq === 0 ? await add() : await addSoon(add, ({ name }) => manager.consumers.delete(stream, name));
    // A consumer that begins with the last message of every subject would skip one.
    if (info.num_pending === 0) await ask?.(`CONSUMER.MSG.NEXT.${stream}.${info.name}`, PROBE);
    const consumer = new StreamConsumer(info.name, info.num_pending, options);
    options.onOpen?.(consumer);
    const messages = await manager
      .jetstream()
      .consumers.getPullConsumerFor(info)
      .consume({
        max_messages: PULL_MESSAGES_MAX,
        expires: PULL_EXPIRES_MS,
        idle_heartbeat: HEARTBEAT_MS,
        abort_on_missing_resource: true,
        callback: message => consumer.#received(message),
      });
    consumer.#messages = messages;
    consumer.#watch(messages);
    if (ask !== undefined && info.num_pending > 0) await consumer.#begun();
    return consumer;
  }

  close(): void {
    this.isClosed = true;
    this.#begin();
    this.#messages?.close().catch(() => undefined);
  }

  /** Resolves once it has delivered something, or not even a heartbeat. @throws {Error} in that case */
  async #begun(): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, BEGUN_MS_MAX);
      this.#begin = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.deliverySeq > 0 || this.isClosed) this.#begin();
    });
    if (!this.isClosed || this.deliverySeq > 0) return;
    throw new Error('its consumer delivers neither messages nor heartbeats');
  }

  #received(message: JsMsg): void {
    if (this.isClosed) return;
    if (message.info.deliverySequence !== this.deliverySeq + 1) {
      this.#lost('messages were lost on the way');
      return;
    }
    this.deliverySeq++;
    if (this.deliverySeq === 1) this.#begin();
    try {
      this.#options.onMessage(message, this);
    } catch (error) {
      rethrowOutside(error);
    }
  }

  #watch(messages: ConsumerMessages): void {
    const follow = async (): Promise<void> => {
      for await (const status of await messages.status()) {
        if (status.type === ConsumerEvents.HeartbeatsMissed) this.#lost('heartbeats missed');
      }
    };
    const ended = (error: unknown): void => this.#lost(error instanceof Error ? error.message : 'consumer closed');
    follow().catch(ended);
    messages.closed().then(ended, ended);
  }

  #lost(reason: string): void {
    if (this.isClosed) return;
    this.close();
    this.#options.onLost(reason, this);
  }
}

/**
 * A cluster may place a consumer on a node that has just died, and then never answers. Another request goes to a node
 * by chance, so the first answer counts.
 * @param drop deletes a consumer that came too late; without that, the server does
 */
async function addSoon(
  add: () => Promise<ConsumerInfo>,
  drop: (late: ConsumerInfo) => Promise<unknown>,
): Promise<ConsumerInfo> {
  const requests: Promise<ConsumerInfo>[] = [];
  let first: ConsumerInfo | undefined;
  for (;;) {
    const request = add();
    requests.push(request);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>(resolve => {
      if (requests.length < ADDED_MAX) timer = setTimeout(() => resolve(undefined), ANOTHER_AFTER_MS);
    });
    try {
      first = await Promise.race([...requests, late]);
    } finally {
      clearTimeout(timer);
      request.then(
        info => (first === undefined || info === first ? undefined : drop(info).catch(() => undefined)),
        () => undefined,
      );
    }
    if (first !== undefined) return first;
  }
}
