/** The commands of clients, generated: whatever comes is answered with what the protocol names, and changes nothing else. */
import { Packr, Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { openPolicy } from '../../src/auth/policy.js';
import { createTokenVerifier, mintToken } from '../../src/auth/token.js';
import { readConfig } from '../../src/config/environment.js';
import { CommandHandler, type CommandHandlerOptions } from '../../src/gateway/commands/command-handler.js';
import { RoomPublishing } from '../../src/gateway/commands/room-publishing.js';
import { SymbolLookup } from '../../src/gateway/commands/symbol-lookup.js';
import { TopicCommands } from '../../src/gateway/commands/topic-commands.js';
import { Gaps } from '../../src/gateway/events/gaps.js';
import { createSharedAttempts } from '../../src/gateway/limits/attempt-rates.js';
import { ConnectionLimits } from '../../src/gateway/limits/connection-limits.js';
import { createFailedCredentials } from '../../src/gateway/limits/failed-credentials.js';
import { RankCells } from '../../src/gateway/limits/rank.js';
import { createSharedCounts } from '../../src/gateway/limits/shared-counts.js';
import { createSharedDebts } from '../../src/gateway/limits/shared-debts.js';
import { createSharedRates } from '../../src/gateway/limits/shared-rates.js';
import type { Session, Socket } from '../../src/gateway/model/session.js';
import { Outbox } from '../../src/gateway/sending/outbox.js';
import { Credentials } from '../../src/gateway/sessions/credentials.js';
import { Reauthentication } from '../../src/gateway/sessions/reauthentication.js';
import { Replies } from '../../src/gateway/sessions/replies.js';
import { Subscriptions } from '../../src/gateway/subscriptions/subscriptions.js';
import { TierChanges } from '../../src/gateway/subscriptions/tier-changes.js';
import { Views } from '../../src/gateway/views/views.js';
import { parseCommand } from '../../src/protocol/commands.js';
import { MsgpackReader } from '../../src/protocol/msgpack-reader.js';
import { STREAMS } from '../../src/protocol/topics.js';
import { isMsgpackLane } from '../../src/threads/lanes.js';
import type { FromWorker, InterestChange } from '../../src/threads/thread-messages.js';
import { CommandGenerator } from '../fuzz/commands.js';
import { FuzzRandom } from '../fuzz/fuzz-random.js';
import { frameValidator } from '../support/frame-validator.js';
import { newSession, unlimitedPublished } from '../support/new-session.js';
import { revocationList } from '../support/revocations.js';
import { newWorkBudgets } from '../support/work-budgets.js';

const MESSAGES = Number(process.env.MILLRACE_FUZZ_MESSAGES ?? 100_000);
const SEED = Number(process.env.MILLRACE_FUZZ_SEED ?? 1);
const SECRET = 'a-secret-that-only-this-test-knows-0123456789';
const SUBSCRIPTIONS_MAX = 32;
const TOPICS_PER_TURN = 2;
const EVERYTHING = STREAMS.map(stream => `${stream}:*`);
/** Turns of the microtask queue that any command may take, but for the checking of a signature. */
const TURNS_MAX = 50;

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });
const reader = new MsgpackReader();

/** One worker's command side with a hub that answers at once. */
class Worker {
  readonly faults: string[] = [];
  readonly received = new Map<Session, Record<string, unknown>[]>();
  readonly commands: CommandHandler;
  readonly #views: Views;
  readonly #subscriptions: Subscriptions;
  readonly #symbols: SymbolLookup;
  readonly #rooms: RoomPublishing;
  readonly #changes: TierChanges;
  #pending: InterestChange[] = [];
  #asked: FromWorker[] = [];
  #sources = new Map<string, number>();

  constructor(tokens: Awaited<ReturnType<typeof createTokenVerifier>>, policy: Awaited<ReturnType<typeof openPolicy>>) {
    const cell = { messages: 0, bytes: 0 };
    this.#views = new Views(
      1,
      change => this.#pending.push(change),
      () => cell,
    );
    const outbox = new Outbox(
      () => true,
      () => Date.now() * 1000,
      () => cell,
      false,
    );
    const gaps = new Gaps(outbox, () => undefined);
    const bufferedBytesMax = 1024 * 1024;
    this.#subscriptions = new Subscriptions({
      views: this.#views,
      outbox,
      gaps,
      turn: { current: 1 },
      bufferedBytesMax,
      wake: () => {},
      nowMs: () => performance.now(),
    });
    const post = (message: FromWorker) => this.#asked.push(message);
    this.#symbols = new SymbolLookup(['A', 'B', 'C', 'BTC/USDT', 'S*'], post);
    const replies = new Replies(outbox);
    this.#rooms = new RoomPublishing({
      replies,
      post,
      messageBytesMax: 16 * 1024,
      published: unlimitedPublished(),
      budgets: newWorkBudgets(),
    });
    this.#changes = new TierChanges({
      views: this.#views,
      subscriptions: this.#subscriptions,
      nowMs: () => Number.POSITIVE_INFINITY,
      wake: () => {},
    });
    const authentication = {
      tokens,
      policy,
      apiKeys: undefined,
      defaultEntitlements: EVERYTHING,
      authorities: undefined,
    };
    const attempts = { wrongCredential: () => undefined };
    const turns: CommandHandlerOptions['turns'] = {
      action: '',
      later: (session, serve) => queueMicrotask(() => serve(session)),
    };
    this.commands = new CommandHandler({
      topics: new TopicCommands({
        use: { begin: () => undefined },
        subscriptions: this.#subscriptions,
        symbols: this.#symbols,
        replies,
        subscriptionsMax: SUBSCRIPTIONS_MAX,
        turns,
        topicsPerTurn: TOPICS_PER_TURN,
      }),
      rooms: this.#rooms,
      reauthentication: new Reauthentication({
        credentials: new Credentials(authentication, attempts, revocationList()),
        subscriptions: this.#subscriptions,
        tierChanges: this.#changes,
        limits: newLimits(),
        replies,
        onRenewed: () => {},
      }),
      replies,
      turns,
      budgets: newWorkBudgets(),
      namesMax: SUBSCRIPTIONS_MAX,
      onFault: (what, cause) => this.faults.push(`${what}: ${cause instanceof Error ? cause.stack : cause}`),
    });
  }

  get size(): number {
    return this.#views.size;
  }

  connect(session: Session): void {
    const frames: Record<string, unknown>[] = [];
    this.received.set(session, frames);
    const socket = {
      send: (message: Uint8Array | string, isBinary: boolean) => {
        const decoded: unknown = isBinary
          ? unpackr.unpack(message as Uint8Array)
          : JSON.parse(typeof message === 'string' ? message : Buffer.from(message).toString());
        frames.push(decoded as Record<string, unknown>);
        return 1;
      },
      subscribe: () => true,
      unsubscribe: () => true,
      getBufferedAmount: () => 0,
    };
    session.open(socket as unknown as Socket);
  }

  /** The hub's side: every lane goes live, nothing can be resumed that is not of epoch e, symbols that are asked for are unknown. */
  answerAll(): void {
    while (this.#pending.length > 0 || this.#asked.length > 0) {
      for (const change of this.#pending.splice(0)) this.#answer(change);
      for (const message of this.#asked.splice(0)) {
        if (message.type === 'lookup') this.#symbols.answer(message.id, []);
        else if (message.type === 'publish')
          this.#rooms.published({ type: 'published', id: message.id, epoch: 'e', seq: 1 });
      }
    }
    this.#changes.settle();
    this.#subscriptions.deliveries.turn();
  }

  #answer(change: InterestChange): void {
    if (change.op === 'unwant' || change.op === 'own') return;
    if (change.op === 'replay') {
      const { recoveries } = this.#subscriptions;
      const replay = recoveries.asked(change.request);
      const isRecovered = change.since.epoch === 'e' && change.since.seq >= 0 && change.since.seq <= 1;
      if (replay !== undefined) recoveries.ended(replay, isRecovered, { epoch: 'e', seq: 1 }, 7);
      return;
    }
    const view = this.#views.asked(change.request);
    if (view === undefined) {
      this.#views.requests.settled(change.request);
      return;
    }
    const source = this.#sources.get(view.sourceName) ?? this.#sources.size + 1;
    this.#sources.set(view.sourceName, source);
    view.seqs.moveTo(source, 1, 7, 'e');
    if (!this.#views.answered(view, source, 0)) return;
    view.moveTo('e', 1);
    const bytes = new Uint8Array(
      isMsgpackLane(view.lane) ? packr.pack(PART) : new TextEncoder().encode(JSON.stringify(PART)),
    );
    this.#subscriptions.viewChanges.answered(view, view.isState ? { seq: 1, epoch: 'e', bytes } : undefined);
  }
}

/** Stands for any document: as a frame of its own it is told from answers by its type. */
const PART = { type: 'document' };

function newLimits(): ConnectionLimits {
  const seed = [1, 2] as const;
  return new ConnectionLimits(readConfig({}).limits, {
    worker: 0,
    port: 0,
    rings: [],
    doorbells: new SharedArrayBuffer(4),
    readiness: new SharedArrayBuffer(4),
    liveSecret: 'of-a-test',
    connections: RankCells.create(1),
    waiting: RankCells.create(1),
    published: createSharedRates(1, seed, 1024),
    ownerSeed: seed,
    lagging: new SharedArrayBuffer(4),
    addresses: createSharedCounts(1, 1024, seed),
    users: createSharedCounts(1, 1024, seed),
    uses: createSharedCounts(1, 1024, seed),
    pending: createSharedCounts(1, 1024, seed),
    attempts: createSharedAttempts(1, seed),
    turns: new SharedArrayBuffer(4),
    failures: createFailedCredentials(1, seed),
    debts: { table: createSharedDebts(64), seed },
    revocations: [],
    keys: undefined,
  });
}

describe.each<[count: number, options: { timeout: number; tags?: string[] }]>([
  [MESSAGES / 5, { timeout: 300_000 }],
  [MESSAGES, { timeout: 600_000, tags: ['slow', 'bulk'] }],
])('R23 R47 of %d generated messages', (messages, options) => {
  it('R23 R47 each is answered, with nothing but what the protocol names', options, async () => {
    const tokens = [
      await mintToken({ secret: SECRET, sub: 'alice', tier: 'institutional', ttlMs: 3_600_000 }),
      await mintToken({ secret: SECRET, sub: 'bob', tier: 'retail', ttlMs: 3_600_000, entitlements: ['trades:A'] }),
      await mintToken({ secret: `${SECRET}!`, sub: 'eve', ttlMs: 3_600_000 }),
      'e.e.e',
    ];
    const config = readConfig({ AUTH_JWT_SECRET: SECRET });
    const worker = new Worker(await createTokenVerifier(config.auth), await openPolicy(undefined));
    const sessions = [
      newSession({ id: 1, sub: '', format: 'json', tier: 'retail' }),
      newSession({ id: 2, sub: 'alice', format: 'json', tier: 'institutional' }),
      newSession({ id: 3, sub: 'bob', format: 'msgpack', tier: 'retail' }),
    ];
    for (const session of sessions) worker.connect(session);
    const generator = new CommandGenerator(new FuzzRandom(SEED), tokens);
    const validate = frameValidator();
    const seen = new Map<string, number>();
    const kinds = new Map<string, number>();
    for (let n = 0; n < messages; n++) {
      const session = sessions[n % sessions.length] as Session;
      const frames = worker.received.get(session) as Record<string, unknown>[];
      const { bytes, isBinary } = generator.message(session.format === 'msgpack');
      worker.commands.receive(session, bytes.slice().buffer as ArrayBuffer, isBinary);
      await settled(worker, session);
      const shown = () => `message ${n}: ${isBinary ? Buffer.from(bytes).toString('hex') : Buffer.from(bytes)}`;
      const command = decoded(session, bytes, isBinary);
      if (frames.length === 0 && !isSilentResync(command)) expect.fail(`no answer to ${shown()}`);
      for (const frame of frames.splice(0)) {
        const type = String(frame.type);
        seen.set(type === 'error' ? `error ${frame.code}` : type, (seen.get(type) ?? 0) + 1);
        if (type === 'document' || type === 'quotes_patch') continue;
        const kind = `${type} ${frame.code} ${Object.keys(frame)}`;
        const before = kinds.get(kind) ?? 0;
        kinds.set(kind, before + 1);
        // Frames of one kind differ little.
        const verdict = before < 100 || n % 50 === 0 ? validate.check(frame) : undefined;
        if (verdict !== undefined && 'reasons' in verdict)
          expect.fail(`${JSON.stringify(frame)} is no frame (${verdict.reasons}) for ${shown()}`);
        const id = idOf(command);
        // MessagePack carries no half of a surrogate pair.
        if (typeof id === 'string' && /\p{Surrogate}/u.test(id)) continue;
        if (ANSWERS.has(type) && !Object.is(frame.id, id))
          expect.fail(`${JSON.stringify(frame)} has no id for ${shown()}`);
      }
    }
    expect(worker.faults).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    for (const session of sessions) expect(session.subscriptions.size).toBeLessThanOrEqual(SUBSCRIPTIONS_MAX);
    expect(worker.size).toBeLessThanOrEqual(2 * sessions.length * SUBSCRIPTIONS_MAX);
    // It went through all of it, not past it.
    const expected = ['subscribed', 'unsubscribed', 'ack', 'pong', 'warning', ...ERRORS.map(code => `error ${code}`)];
    expect(expected.filter(type => !seen.has(type))).toEqual([]);
  });
});

/** Frames that answer a command, rather than tell what follows from it. */
const ANSWERS: ReadonlySet<string> = new Set(['subscribed', 'unsubscribed', 'ack', 'pong', 'error']);

const ERRORS = [
  'invalid_json',
  'invalid_message',
  'unknown_action',
  'unknown_stream',
  'unknown_channel',
  'invalid_symbol',
  'missing_symbol',
  'forbidden',
  'unauthorized',
  'not_subscribed',
  'too_many_subscriptions',
];

/** Until the command is answered; a signature is checked on another thread. */
async function settled(worker: Worker, session: Session): Promise<void> {
  worker.answerAll();
  for (let turn = 0; session.backlog.isBusy; turn++) {
    if (turn > TURNS_MAX) await new Promise(resolve => setImmediate(resolve));
    else await undefined;
    worker.answerAll();
  }
}

function decoded(session: Session, bytes: Uint8Array, isBinary: boolean): unknown {
  try {
    if (!isBinary) return JSON.parse(new TextDecoder().decode(bytes));
    // Not msgpackr, which takes texts that are no UTF-8.
    return session.format === 'msgpack' ? reader.read(bytes, 0, bytes.length) : undefined;
  } catch {
    // It is no command; the answer says so.
    return undefined;
  }
}

function idOf(command: unknown): unknown {
  const { id: given } = (command ?? {}) as { id?: unknown };
  // As the answers are read here.
  const id = typeof given === 'bigint' ? Number(given) : given;
  return (typeof id === 'string' && id.length <= 128) || (typeof id === 'number' && Number.isFinite(id))
    ? id
    : undefined;
}

/** `resync` of an event topic has no snapshot to answer with. */
function isSilentResync(command: unknown): boolean {
  const parsed = parseCommand(command);
  return parsed.ok && parsed.command.action === 'resync';
}
