/**
 * The real hub, encoder, ring and gateway modules wired in one thread, with uWS, the feed and the threads' scheduling played
 * by the test: when a batch is encoded, when a worker turns, when a socket takes what waits for it, is the test's choice.
 */
import { CommandHandler, type CommandHandlerOptions } from '../../src/gateway/commands/command-handler.js';
import { RoomPublishing } from '../../src/gateway/commands/room-publishing.js';
import { SymbolLookup } from '../../src/gateway/commands/symbol-lookup.js';
import { TopicCommands } from '../../src/gateway/commands/topic-commands.js';
import { Fanout } from '../../src/gateway/delivery/fanout.js';
import { Gaps } from '../../src/gateway/events/gaps.js';
import type { DeliveryJournal } from '../../src/gateway/journal/delivery-journal.js';
import type { Session, Socket } from '../../src/gateway/model/session.js';
import { Outbox } from '../../src/gateway/sending/outbox.js';
import type { Reauthentication } from '../../src/gateway/sessions/reauthentication.js';
import { Replies } from '../../src/gateway/sessions/replies.js';
import type { Conflation } from '../../src/gateway/slow-consumers/conflation.js';
import { Ladder } from '../../src/gateway/slow-consumers/ladder.js';
import { Heartbeats } from '../../src/gateway/subscriptions/heartbeats.js';
import { Subscriptions } from '../../src/gateway/subscriptions/subscriptions.js';
import type { RequestLimits } from '../../src/gateway/views/view-requests.js';
import { Views } from '../../src/gateway/views/views.js';
import type { Hub } from '../../src/hub/hub.js';
import { createRing, RingReader } from '../../src/threads/ring.js';
import type { FromWorker, InterestChange, ToWorker } from '../../src/threads/thread-messages.js';
import { newAges } from './ages.js';
import { FakeSocket, FakeUws, type Receive } from './fake-uws.js';
import type { NewJournal } from './journal/recorded.js';
import { type NewSession, newSession, unlimitedPublished } from './new-session.js';
import type { OneThreadFeed } from './one-thread-feed.js';
import { newOneThreadHub } from './one-thread-hub.js';
import { KILLED, type StepThread } from './step-thread.js';
import { newWorkBudgets } from './work-budgets.js';

const RING_BYTES = 64 * 1024;
const SUBSCRIPTIONS_MAX = 64;
const TOPICS_PER_TURN = 2;
const TURNS: CommandHandlerOptions['turns'] = {
  action: '',
  later: (session, serve) => queueMicrotask(() => serve(session)),
};
/** A few deltas: snapshots of several symbols leave in parts now and then. */
const ASSEMBLY_BYTES_MAX = 512;
/** Little, so that requests, snapshots and replays wait for each other. */
const REQUEST_LIMITS: RequestLimits = { requestsCostMax: 3, replaysAtOnceMax: 2 };
const DELIVERED_BYTES_MAX = 600;
const HEARTBEAT_TIMES = { heartbeatIntervalMs: 1000, heartbeatIntervalMaxMs: 30_000 };
/** Short, so that clients are slowed and given back their class again and again. */
const RESTORE_AFTER_MS = 100;
/** When the clock begins, µs since the Unix epoch. */
const START_MICROS = 1_700_000_000_000_000;

export interface OneThreadOptions {
  readonly encoders: number;
  readonly symbols: readonly string[];
  readonly feed: OneThreadFeed;
  readonly historyBytes: number;
  readonly backpressureBytes: number;
  /** Messages that are to be refused. */
  readonly isRefused: (payload: Uint8Array) => boolean;
  /** Told of each refused message. */
  readonly onRejected?: (reason: string) => void;
  readonly ringBytes?: number;
  readonly assemblyBytesMax?: number;
  readonly deliveredBytesMax?: number;
  readonly requestLimits?: RequestLimits;
  readonly resumedAtOnceMax?: number;
  /** How much the kernel takes for a client that does not read. */
  readonly kernelBytes?: number;
  readonly restoreAfterMs?: number;
  /** Nothing is recorded where it is left out. */
  readonly newJournal?: NewJournal;
  /** A clock of the test's own. */
  readonly nowMicros?: () => number;
}

export class OneThreadGateway {
  readonly hub: Hub;
  readonly faults: string[] = [];
  readonly subscriptions: Subscriptions;
  readonly #uws: FakeUws;
  readonly #threads: StepThread[] = [];
  readonly #views: Views;
  readonly #fanout: Fanout;
  readonly #ladder: Ladder;
  readonly #commands: CommandHandler;
  readonly #symbols: SymbolLookup;
  readonly #heartbeats: Heartbeats;
  readonly #eventSymbols = new Map<number, string>();
  readonly #journal: DeliveryJournal | undefined;
  readonly #sessions = new Set<Session>();
  #changes: InterestChange[] = [];
  #retailDue = false;
  #lastSession = 0;
  #ticks = 0;

  constructor(options: OneThreadOptions) {
    const { backpressureBytes } = options;
    this.#uws = new FakeUws(backpressureBytes, options.kernelBytes);
    const rings = Array.from({ length: options.encoders }, () => createRing(options.ringBytes ?? RING_BYTES));
    // Two readings are never alike.
    const ownMicros = () => START_MICROS + Math.floor(performance.now() * 1000) + this.#ticks++;
    const nowMicros = options.nowMicros ?? ownMicros;
    this.hub = this.#newHub(options, rings, nowMicros);
    options.feed.deliver = message => this.hub.message(message);
    const sentCell = () => ({ messages: 0, bytes: 0 });
    const turn = { current: 0 };
    const journal = options.newJournal?.(turn, source => this.#eventSymbols.get(source));
    this.#journal = journal;
    this.#views = new Views(
      options.encoders,
      change => this.#changes.push(change),
      sentCell,
      options.requestLimits ?? REQUEST_LIMITS,
      journal,
    );
    const publish = (topic: string, bytes: Uint8Array, isBinary: boolean) => this.#uws.publish(topic, bytes, isBinary);
    const outbox = new Outbox(publish, nowMicros, sentCell, false, undefined, journal);
    const gaps = new Gaps(outbox, source => this.#eventSymbols.get(source));
    const nowMs = () => nowMicros() / 1000;
    const ages = newAges({
      backpressureBytesMax: backpressureBytes,
      outbox,
      nowMs,
      sessions: this.#sessions,
      ping: (session, payload) => session.socket?.ping(payload),
    });
    this.subscriptions = new Subscriptions({
      views: this.#views,
      outbox,
      gaps,
      turn,
      // Somebody turns all the time.
      wake: () => {},
      deliveredBytesMax: options.deliveredBytesMax ?? DELIVERED_BYTES_MAX,
      replayKeptBytesMin: 0,
      bufferedBytesMax: backpressureBytes / 4,
      room: ages.receipts,
      nowMs,
      resumedAtOnceMax: options.resumedAtOnceMax ?? 3,
      assemblyBytesMax: options.assemblyBytesMax ?? ASSEMBLY_BYTES_MAX,
    });
    this.#ladder = this.#newLadder(outbox, ages, options, nowMs);
    this.#fanout = new Fanout({
      rings: rings.map(ring => new RingReader(ring, 0)),
      views: this.#views,
      subscriptions: this.subscriptions,
      outbox,
      gaps,
      nowMicros,
      timeOfDayMicros: nowMicros,
      ladder: this.#ladder,
      turn,
    });
    this.#heartbeats = new Heartbeats(this.#views, outbox, HEARTBEAT_TIMES, nowMicros);
    const post = (message: FromWorker) => this.hub.fromWorker(0, message);
    this.#symbols = new SymbolLookup(options.symbols, post);
    this.#commands = this.#newCommands(new Replies(outbox), post);
    this.#uws.onDropped = socket => this.#ladder.dropped(socket.session, this.#fanout.turn);
    this.#uws.onDrain = socket => this.#ladder.drained(socket.session);
    this.#uws.onPong = (socket, payload) => this.#ladder.ponged(socket.session, payload);
  }

  get overruns(): number {
    return this.#fanout.counters.overruns;
  }

  get stalls(): number {
    return this.#ladder.counters.stalls;
  }

  get conflation(): Readonly<Conflation['counters']> {
    return this.#ladder.conflation.counters;
  }

  connect(client: Omit<NewSession, 'id'>, receive: Receive): FakeSocket {
    const session = newSession({ ...client, id: ++this.#lastSession });
    const socket = new FakeSocket(this.#uws, session, receive);
    // The fake has the methods that the gateway calls, and no others.
    session.open(socket as unknown as Socket);
    this.#uws.sockets.add(socket);
    this.#sessions.add(session);
    return socket;
  }

  disconnect(socket: FakeSocket): void {
    socket.isOpen = false;
    this.#uws.sockets.delete(socket);
    this.#sessions.delete(socket.session);
    this.#ladder.closed(socket.session);
    this.subscriptions.closed(socket.session);
    this.#journal?.record({
      k: 'closed',
      c: `c${socket.session.id}`,
      code: 1006,
      reason: '',
      by: 'client',
      buffered: 0,
    });
  }

  /** The client sends a command. */
  command({ session }: FakeSocket, command: object): void {
    const bytes = new TextEncoder().encode(JSON.stringify(command));
    this.#commands.receive(session, bytes.buffer as ArrayBuffer, false);
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
    } else if (this.#fanout.read()) {
      this.#fanout.publish('institutional');
      this.#retailDue = true;
      return;
    }
    this.subscriptions.deliveries.turn();
  }

  /** uWS writes what was published. */
  flush(): void {
    this.#uws.flush();
    this.#ladder.settle();
  }

  glance(): void {
    this.#ladder.glance();
  }

  sample(): void {
    this.#ladder.glance();
    this.#ladder.sample();
    this.#views.expire(performance.now());
  }

  /** Topics on which nothing happened say where they stand. */
  heartbeat(): void {
    this.#heartbeats.sweep();
  }

  /** True while something is still on its way. */
  get isBusy(): boolean {
    const queued = this.hub.shards.some(shard => shard.queuedBytes > 0);
    const encoding = this.#threads.some(thread => thread.isWaiting);
    return (
      queued ||
      encoding ||
      this.#changes.length > 0 ||
      this.#retailDue ||
      this.#fanout.hasMore ||
      this.subscriptions.deliveries.hasMore
    );
  }

  #newHub(options: OneThreadOptions, rings: readonly SharedArrayBuffer[], nowMicros: () => number): Hub {
    const { symbols, feed, historyBytes, isRefused } = options;
    return newOneThreadHub({
      rings,
      threads: this.#threads,
      nowMicros,
      ...{ symbols, feed, historyBytes },
      toWorker: message => this.#fromHub(message),
      onRejected: (subject, payload, reason) => {
        options.onRejected?.(reason);
        if (!isRefused(payload)) this.faults.push(`rejected ${subject}: ${reason}`);
      },
      onFault: (what, detail) => {
        if (!detail.includes(KILLED)) this.faults.push(`${what}: ${detail}`);
      },
    });
  }

  #newLadder(outbox: Outbox, ages: ReturnType<typeof newAges>, options: OneThreadOptions, nowMs: () => number): Ladder {
    return new Ladder({
      ...ages,
      subscriptions: this.subscriptions,
      outbox,
      backpressureBytesMax: options.backpressureBytes,
      // Slow clients are never given up here: what they are told is the question.
      circuit: {
        opensMax: Number.POSITIVE_INFINITY,
        recoveryMs: Number.POSITIVE_INFINITY,
        probes: 1,
        restoreAfterMs: options.restoreAfterMs ?? RESTORE_AFTER_MS,
      },
      nowMs,
      close: () => {},
    });
  }

  #newCommands(replies: Replies, post: (message: FromWorker) => void): CommandHandler {
    return new CommandHandler({
      topics: new TopicCommands({
        use: { begin: () => undefined },
        subscriptions: this.subscriptions,
        symbols: this.#symbols,
        replies,
        subscriptionsMax: SUBSCRIPTIONS_MAX,
        turns: TURNS,
        topicsPerTurn: TOPICS_PER_TURN,
      }),
      rooms: new RoomPublishing({
        replies,
        post,
        messageBytesMax: 16 * 1024,
        published: unlimitedPublished(),
        budgets: newWorkBudgets(),
      }),
      // No client sends `auth` here.
      reauthentication: undefined as unknown as Reauthentication,
      replies,
      turns: TURNS,
      budgets: newWorkBudgets(),
      namesMax: SUBSCRIPTIONS_MAX,
      onFault: (what, cause) => this.faults.push(`${what}: ${cause}`),
    });
  }

  #fromHub(message: ToWorker): void {
    if (message.type === 'event_sources') {
      for (const [id, symbol] of message.sources) this.#eventSymbols.set(id, symbol);
    } else if (message.type === 'symbols') {
      this.#symbols.add(message.symbols);
    } else if (message.type === 'forgotten') {
      this.#symbols.forget(message.symbols);
      this.#views.forgetSources(message.sources);
      for (const id of message.sources) this.#eventSymbols.delete(id);
    } else if (message.type === 'known') {
      this.#symbols.answer(message.id, message.symbols);
    } else if (message.type === 'refused') {
      const refused = this.#views.asked(message.request);
      if (refused === undefined) this.subscriptions.recoveries.refused(message.request);
      else this.subscriptions.viewChanges.refused(refused, 'full');
    } else if (message.type === 'held') {
      this.subscriptions.recoveries.held(message.request, message.isHeld);
    }
  }
}
