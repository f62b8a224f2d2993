/**
 * The real hub, encoder, ring and gateway modules wired in one thread, with uWS and the threads' scheduling played by the
 * test: when a batch is encoded, when a worker turns, when a socket takes what waits for it, is the test's choice.
 */
import { compileEntitlements } from '../../src/auth/credential.js';
import { ShardEncoder } from '../../src/encoder/encoder.js';
import { EventLosses } from '../../src/gateway/event-losses.js';
import { Fanout } from '../../src/gateway/fanout.js';
import { LaneTable } from '../../src/gateway/lane-table.js';
import { Outbox } from '../../src/gateway/outbox.js';
import type { Session, Socket } from '../../src/gateway/session.js';
import { SlowConsumers } from '../../src/gateway/slow-consumers.js';
import { Subscriptions } from '../../src/gateway/subscriptions.js';
import type { EncoderThread } from '../../src/hub/encoder-thread.js';
import { Hub } from '../../src/hub/hub.js';
import type { BatchResult, EncoderTask } from '../../src/protocol/batch.js';
import type { Format, Tier } from '../../src/protocol/lanes.js';
import { createDoorbells, createRing, RingReader } from '../../src/protocol/ring.js';
import type { InterestChange } from '../../src/protocol/thread-messages.js';

const RING_BYTES = 64 * 1024;
const BACKPRESSURE_BYTES_MAX = 4096;
const SEND_OK = 1;
const SEND_BACKPRESSURE = 0;
const SEND_DROPPED = 2;

/** A socket as uWS keeps it: publishes wait for the flush, sends drain them first, a full buffer drops in silence. */
export class FakeSocket {
  readonly topics = new Set<string>();
  /** Bytes of messages that the client has not read. */
  bufferedBytes = 0;
  isReading = true;
  isOpen = true;
  readonly session: Session;
  readonly #uws: FakeUws;
  readonly #receive: (bytes: Uint8Array, isBinary: boolean) => void;
  #buffer: { bytes: Uint8Array; isBinary: boolean }[] = [];
  published: { bytes: Uint8Array; isBinary: boolean }[] = [];

  constructor(uws: FakeUws, session: Session, receive: FakeSocket['receive']) {
    this.#uws = uws;
    this.session = session;
    this.#receive = receive;
  }

  get receive(): (bytes: Uint8Array, isBinary: boolean) => void {
    return this.#receive;
  }

  subscribe(topic: string): boolean {
    this.topics.add(topic);
    return true;
  }

  unsubscribe(topic: string): boolean {
    return this.topics.delete(topic);
  }

  getBufferedAmount(): number {
    return this.bufferedBytes;
  }

  send(message: Uint8Array | string, isBinary: boolean): number {
    if (this.bufferedBytes > BACKPRESSURE_BYTES_MAX) {
      this.#uws.onDropped(this);
      return SEND_DROPPED;
    }
    this.flush();
    return this.#take(typeof message === 'string' ? Buffer.from(message) : message.slice(), isBinary);
  }

  /** Writes the published messages; the first that finds the buffer full ends it, and the rest vanish. */
  flush(): void {
    const batch = this.published;
    this.published = [];
    for (const { bytes, isBinary } of batch) {
      if (this.bufferedBytes > BACKPRESSURE_BYTES_MAX) {
        this.#uws.onDropped(this);
        return;
      }
      this.#take(bytes, isBinary);
    }
  }

  /** The client reads again. */
  drain(): void {
    this.isReading = true;
    const waiting = this.#buffer;
    this.#buffer = [];
    this.bufferedBytes = 0;
    for (const { bytes, isBinary } of waiting) this.#receive(bytes, isBinary);
    if (waiting.length > 0) this.#uws.onDrain(this);
  }

  #take(bytes: Uint8Array, isBinary: boolean): number {
    if (this.isReading) {
      this.#receive(bytes, isBinary);
      return SEND_OK;
    }
    this.#buffer.push({ bytes, isBinary });
    this.bufferedBytes += bytes.length;
    return SEND_BACKPRESSURE;
  }
}

class FakeUws {
  readonly sockets = new Set<FakeSocket>();
  onDropped: (socket: FakeSocket) => void = () => {};
  onDrain: (socket: FakeSocket) => void = () => {};

  publish(topic: string, message: Uint8Array, isBinary: boolean): boolean {
    const bytes = message.slice();
    for (const socket of this.sockets) if (socket.topics.has(topic)) socket.published.push({ bytes, isBinary });
    return true;
  }

  flush(): void {
    for (const socket of this.sockets) socket.flush();
  }
}

/** An encoder thread whose batches are encoded when the test says so. */
class StepThread implements EncoderThread {
  onDeath: (cause: unknown) => void = () => {};
  #waiting: { task: EncoderTask; resolve: (r: BatchResult) => void; reject: (cause: unknown) => void } | undefined;
  readonly #encoder: ShardEncoder;

  constructor(encoder: ShardEncoder) {
    this.#encoder = encoder;
  }

  run(task: EncoderTask): Promise<BatchResult> {
    return new Promise((resolve, reject) => {
      this.#waiting = { task, resolve, reject };
    });
  }

  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  step(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(this.#encoder.process(waiting.task.buffer, waiting.task.bytes));
  }

  /** Dies with the batch it holds, if any. */
  crash(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    const cause = new Error('the test killed the encoder');
    if (waiting === undefined) this.onDeath(cause);
    else waiting.reject(cause);
  }

  destroy(): Promise<void> {
    return Promise.resolve();
  }
}

export interface OneThreadOptions {
  readonly encoders: number;
  readonly symbols: readonly string[];
}

export class OneThreadGateway {
  readonly hub: Hub;
  readonly faults: string[] = [];
  readonly subscriptions: Subscriptions;
  readonly #uws = new FakeUws();
  readonly #threads: StepThread[] = [];
  readonly #table: LaneTable;
  readonly #fanout: Fanout;
  readonly #slow: SlowConsumers;
  #changes: InterestChange[] = [];
  #retailDue = false;
  #lastSession = 0;
  #micros = 1_700_000_000_000_000;

  constructor(options: OneThreadOptions) {
    const rings = Array.from({ length: options.encoders }, () => createRing(RING_BYTES));
    const doorbells = createDoorbells(1);
    const symbolsOf = new Map<number, string>();
    const eventSymbol = (source: number) => symbolsOf.get(source);
    const nowMicros = () => this.#micros++;
    this.hub = new Hub({
      encoders: options.encoders,
      startEncoder: shard => {
        const thread = new StepThread(new ShardEncoder(rings[shard] as SharedArrayBuffer, doorbells));
        this.#threads[shard] = thread;
        return thread;
      },
      symbols: options.symbols,
      epoch: 'gw1',
      nowMicros,
      workers: 1,
      toWorker: (_worker, message) => {
        if (message.type === 'event_sources') for (const [id, symbol] of message.sources) symbolsOf.set(id, symbol);
      },
      onInterest: () => {},
      onRejected: (subject, _payload, reason) => this.faults.push(`rejected ${subject}: ${reason}`),
      onFault: (what, detail) => {
        if (!detail.includes('the test killed')) this.faults.push(`${what}: ${detail}`);
      },
    });
    const sentCell = () => ({ messages: 0, bytes: 0 });
    const turn = { current: 0 };
    this.#table = new LaneTable(options.encoders, change => this.#changes.push(change), sentCell);
    const outbox = new Outbox(
      (topic, bytes, isBinary) => this.#uws.publish(topic, bytes, isBinary),
      nowMicros,
      sentCell,
    );
    this.subscriptions = new Subscriptions(this.#table, outbox, new EventLosses(outbox, eventSymbol), turn, 3);
    this.#slow = new SlowConsumers(this.subscriptions, outbox, BACKPRESSURE_BYTES_MAX);
    this.#fanout = new Fanout({
      rings: rings.map(ring => new RingReader(ring, 0)),
      table: this.#table,
      subscriptions: this.subscriptions,
      outbox,
      eventSymbol,
      nowMicros,
      slow: this.#slow,
      turn,
    });
    this.#uws.onDropped = socket => this.#slow.dropped(socket.session, this.#fanout.turn);
    this.#uws.onDrain = socket => this.#slow.drained(socket.session);
  }

  get overruns(): number {
    return this.#fanout.counters.overruns;
  }

  get stalls(): number {
    return this.#slow.counters.stalls;
  }

  connect(format: Format, tier: Tier, receive: (bytes: Uint8Array, isBinary: boolean) => void): FakeSocket {
    const credential = {
      sub: 'tester',
      tier,
      roles: [],
      entitlements: undefined,
      expiresAtMs: Number.POSITIVE_INFINITY,
      jti: undefined,
    };
    const session: Session = {
      id: ++this.#lastSession,
      credential,
      entitlements: compileEntitlements(credential),
      format,
      isStamped: false,
      tier,
      defaultClass: 0,
      fastestClass: 0,
      subscriptions: new Map(),
      socket: undefined,
      isStalled: false,
      droppedInTurn: 0,
      sampledBytes: 0,
      isBusy: false,
      backlog: [],
    };
    const socket = new FakeSocket(this.#uws, session, receive);
    // The fake has the methods that the gateway calls, and no others.
    session.socket = socket as unknown as Socket;
    this.#uws.sockets.add(socket);
    return socket;
  }

  disconnect(socket: FakeSocket): void {
    socket.isOpen = false;
    this.#uws.sockets.delete(socket);
    this.#slow.closed(socket.session);
    this.subscriptions.closed(socket.session);
  }

  /** Hands the worker's changes of interest to the hub. */
  deliverInterest(): void {
    const changes = this.#changes;
    this.#changes = [];
    if (changes.length > 0) this.hub.fromWorker(0, { type: 'interest', changes });
  }

  encode(shard: number): void {
    this.#threads[shard]?.step();
  }

  crash(shard: number): void {
    this.#threads[shard]?.crash();
  }

  /** One half turn of the worker: institutional lanes with a read, then the retail lanes. */
  turn(): void {
    // Between two turns of a worker lies a turn of its loop, at the end of which uWS writes.
    this.flush();
    if (this.#retailDue) {
      this.#retailDue = false;
      this.#fanout.publish('retail');
      return;
    }
    if (!this.#fanout.read()) return;
    this.#fanout.publish('institutional');
    this.#retailDue = true;
  }

  /** uWS writes what was published. */
  flush(): void {
    this.#uws.flush();
    this.#slow.settle();
  }

  sample(): void {
    this.#slow.sample();
  }

  /** True while something is still on its way. */
  get isBusy(): boolean {
    const queued = this.hub.shards.some(shard => shard.queuedBytes > 0);
    const encoding = this.#threads.some(thread => thread.isWaiting);
    return queued || encoding || this.#changes.length > 0 || this.#retailDue || this.#fanout.hasMore;
  }
}
