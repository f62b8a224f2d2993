/** Vectors: what published bytes become, by the real hub, encoder and gateway modules in one thread. */
import { headers, type Msg } from 'nats';
import { HeaderFaults, readCoreMessage } from '../../../src/feed/nats-headers.js';
import type { FeedMessage, FeedSink } from '../../../src/feed-contract/feed.js';
import { topicParts } from '../../../src/protocol/topic-parts.js';
import type { FakeSocket } from '../fake-uws.js';
import { OneThreadGateway } from '../one-thread.js';
import { OneThreadFeed } from '../one-thread-feed.js';
import type { PublishedMessage, VectorSpec } from './spec.js';

/** A vector without what Python works out: what it is expected to lead to. */
interface GeneratedVector {
  readonly name: string;
  readonly topics: readonly string[];
  readonly depth: number;
  /** The client came when everything was published. */
  readonly newcomer?: boolean;
  readonly published: readonly {
    readonly subject: string;
    readonly headers: Readonly<Record<string, string>>;
    /** For people; left out where the payload is no UTF-8. */
    readonly text?: string;
    readonly payload: string;
    /** Why it is refused; null: it is not. */
    readonly refused: string | null;
  }[];
  readonly frames: { readonly json: { readonly text: string }[]; readonly msgpack: { readonly hex: string }[] };
}

/** 2026-01-02T03:04:05Z, µs. */
const START_MICROS = 1_767_323_045_000_000;
const MICROS_PER_MESSAGE = 1_000;
const HEARTBEAT_MICROS = 1_500_000;
const HEARTBEATS = 2;
const RING_BYTES = 1024 * 1024;
const BUFFER_BYTES = 16 * 1024 * 1024;
/** Beyond the time that events wait for each other. */
const BATCH_MS = 50;
const ROUNDS = 4;
const USER = 'alice';
/** The names of a topic's stream, where they are market data. */
const MARKET_DATA = /^(?:quotes|trades|orderbook|depth):(.*)$/;

/** @param advance lets so many milliseconds of (faked) time pass, and everything that waits for them run */
export async function generateVector(
  spec: VectorSpec,
  advance: (ms: number) => Promise<unknown>,
): Promise<GeneratedVector> {
  const recorder = new VectorRecorder(spec, advance);
  return recorder.run();
}

class VectorRecorder {
  readonly #spec: VectorSpec;
  readonly #advance: (ms: number) => Promise<unknown>;
  readonly #gateway: OneThreadGateway;
  readonly #feed = new OneThreadFeed(false);
  /** A header that cannot be used is no fault of the vector's. */
  readonly #faults = new HeaderFaults({} as FeedSink);
  readonly #frames: GeneratedVector['frames'] = { json: [], msgpack: [] };
  #nowMicros = START_MICROS;
  #refused: string | null = null;

  constructor(spec: VectorSpec, advance: (ms: number) => Promise<unknown>) {
    this.#spec = spec;
    this.#advance = advance;
    const symbols = spec.topics.flatMap(topic => MARKET_DATA.exec(topic)?.[1] ?? []);
    this.#gateway = new OneThreadGateway({
      encoders: 1,
      symbols: symbols.filter(symbol => symbol !== '*'),
      feed: this.#feed,
      historyBytes: BUFFER_BYTES,
      backpressureBytes: BUFFER_BYTES,
      isRefused: () => true,
      ringBytes: RING_BYTES,
      assemblyBytesMax: RING_BYTES,
      nowMicros: () => this.#nowMicros,
      onRejected: reason => {
        this.#refused = reason;
      },
    });
  }

  async run(): Promise<GeneratedVector> {
    const { name, topics, published, depth = 10, isNewcomer = false, hasHeartbeats = false } = this.#spec;
    if (!isNewcomer) await this.#join();
    const messages: GeneratedVector['published'][number][] = [];
    for (const message of published) messages.push(await this.#publish(message));
    await this.#advance(BATCH_MS);
    await this.#work();
    if (isNewcomer) await this.#join();
    for (let i = 0; hasHeartbeats && i < HEARTBEATS; i++) {
      this.#nowMicros += HEARTBEAT_MICROS;
      this.#gateway.heartbeat();
      this.#gateway.flush();
    }
    await this.#gateway.hub.close();
    if (this.#gateway.faults.length > 0) throw new Error(`${name}: ${this.#gateway.faults.join('; ')}`);
    const newcomer = isNewcomer ? { newcomer: true } : {};
    return { name, topics, depth, ...newcomer, published: messages, frames: this.#frames };
  }

  async #join(): Promise<void> {
    const { json, msgpack } = this.#frames;
    const sockets = [
      this.#connect('json', bytes => json.push({ text: Buffer.from(bytes).toString() })),
      this.#connect('msgpack', bytes => msgpack.push({ hex: Buffer.from(bytes).toString('hex') })),
    ];
    for (const topic of this.#spec.topics) {
      for (const socket of sockets) this.#subscribe(socket, topic);
      await this.#work();
      // NATS is asked for some subjects only now.
      await this.#advance(BATCH_MS);
      await this.#work();
    }
  }

  #connect(format: 'json' | 'msgpack', receive: (bytes: Uint8Array) => void): FakeSocket {
    const isStamped = this.#spec.isStamped === true;
    return this.#gateway.connect({ sub: USER, tier: 'institutional', format, isStamped }, receive);
  }

  #subscribe(socket: FakeSocket, topic: string): void {
    const [stream, name] = topicParts(topic);
    const depth = stream === 'depth' ? { depth: this.#spec.depth ?? 10 } : {};
    const symbols = name === '*' || stream === 'orders' ? {} : { symbols: [name] };
    this.#gateway.command(socket, { action: 'subscribe', stream, ...symbols, ...depth });
  }

  async #publish(message: PublishedMessage): Promise<GeneratedVector['published'][number]> {
    this.#nowMicros += MICROS_PER_MESSAGE;
    this.#refused = null;
    const { subject, payload, headers: given } = message;
    this.#feed.deliver(readCoreMessage(received(message), {} as FeedMessage, this.#faults));
    await this.#work();
    const text = Buffer.from(payload).toString();
    const isText = Buffer.from(text).equals(payload);
    return {
      subject,
      headers: given,
      ...(isText ? { text } : {}),
      payload: Buffer.from(payload).toString('hex'),
      refused: this.#refused,
    };
  }

  /** What was done comes through, to the sockets. */
  async #work(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      this.#gateway.deliverInterest();
      await this.#advance(0);
      this.#gateway.encode(0);
      await this.#advance(0);
      this.#gateway.turn();
      this.#gateway.turn();
      this.#gateway.flush();
    }
  }
}

/** As nats.js hands it over. */
function received({ subject, payload, headers: given }: PublishedMessage): Msg {
  const head = headers();
  for (const [name, value] of Object.entries(given)) head.set(name, value);
  return { subject, data: payload, headers: Object.keys(given).length > 0 ? head : undefined } as Msg;
}
