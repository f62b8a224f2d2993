/** Client commands of one worker: each is answered, and answered in the order in which it came. */
import { Unpackr } from 'msgpackr';
import type { ErrorCode } from '../protocol/codes.js';
import {
  type Command,
  type CommandId,
  parseCommand,
  type ResyncCommand,
  type SubscribeCommand,
  type UnsubscribeCommand,
} from '../protocol/commands.js';
import { CLASSES, classNumber, DEPTHS, depthDetail } from '../protocol/lanes.js';
import { isPlainMsgpack } from '../protocol/msgpack.js';
import { ALL_SYMBOLS, isStateStream, isStream, type Stream, topicOf } from '../protocol/topics.js';
import { laneFor, shorten } from './admission.js';
import type { KnownSymbols } from './known-symbols.js';
import type { LaneEntry } from './lane-table.js';
import type { Outbox } from './outbox.js';
import type { Session } from './session.js';
import type { Subscriptions, Wanted } from './subscriptions.js';

/** Commands that wait while an earlier one of the session waits for the hub. */
export const BACKLOG_MAX = 200;
/** Their bytes. */
export const BACKLOG_BYTES_MAX = 2 * 1024 * 1024;

/** Undefined: answered at once. A promise: later commands of the session wait for it. */
type Handled = undefined | Promise<void>;

export class CommandHandler {
  readonly #subscriptions: Subscriptions;
  readonly #symbols: KnownSymbols;
  readonly #outbox: Outbox;
  readonly #subscriptionsMax: number;
  readonly #onFault: (what: string, cause: unknown) => void;
  readonly #unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });
  readonly #textDecoder = new TextDecoder();

  constructor(options: {
    subscriptions: Subscriptions;
    symbols: KnownSymbols;
    outbox: Outbox;
    subscriptionsMax: number;
    onFault: (what: string, cause: unknown) => void;
  }) {
    this.#subscriptions = options.subscriptions;
    this.#symbols = options.symbols;
    this.#outbox = options.outbox;
    this.#subscriptionsMax = options.subscriptionsMax;
    this.#onFault = options.onFault;
  }

  /** Takes one client message. The bytes are only valid during the call. */
  receive(session: Session, bytes: ArrayBuffer, isBinary: boolean): void {
    if (session.isBusy) {
      const waiting = session.backlog.reduce((total, next) => total + next.bytes.byteLength, 0);
      if (session.backlog.length >= BACKLOG_MAX || waiting + bytes.byteLength > BACKLOG_BYTES_MAX) {
        this.#fail(session, undefined, 'rate_limited', 'too many commands are waiting to be answered');
      } else {
        session.backlog.push({ bytes: bytes.slice(0), isBinary });
      }
      return;
    }
    const handled = this.#handle(session, bytes, isBinary);
    if (handled !== undefined) void this.#serveInOrder(session, handled);
  }

  async #serveInOrder(session: Session, first: Promise<void>): Promise<void> {
    session.isBusy = true;
    try {
      await first;
      for (let next = session.backlog.shift(); next !== undefined; next = session.backlog.shift()) {
        await this.#handle(session, next.bytes, next.isBinary);
      }
    } catch (cause) {
      this.#onFault('a command failed', cause);
      this.#fail(session, undefined, 'internal', 'the command failed');
    } finally {
      session.isBusy = false;
    }
  }

  #handle(session: Session, bytes: ArrayBuffer, isBinary: boolean): Handled {
    const value = this.#decode(session, bytes, isBinary);
    if (value === undefined) {
      const expected = session.format === 'json' ? 'JSON text' : 'one MessagePack map';
      this.#fail(session, undefined, 'invalid_json', `the message is not ${expected}`);
      return undefined;
    }
    const parsed = parseCommand(value);
    if (parsed.ok) return this.#execute(session, parsed.command);
    this.#fail(session, parsed.id, parsed.code, parsed.message);
    return undefined;
  }

  #decode(session: Session, bytes: ArrayBuffer, isBinary: boolean): unknown {
    try {
      if (!isBinary) return JSON.parse(this.#textDecoder.decode(bytes));
      const view = new Uint8Array(bytes);
      if (session.format !== 'msgpack' || !isPlainMsgpack(view, 0, view.length)) return undefined;
      return this.#unpackr.unpack(view);
    } catch {
      // Not decodable is an answer to the client, not a fault.
      return undefined;
    }
  }

  #execute(session: Session, command: Command): Handled {
    switch (command.action) {
      case 'subscribe':
        return this.#subscribe(session, command);
      case 'unsubscribe':
        return this.#unsubscribe(session, command);
      case 'resync':
        return this.#resync(session, command);
      case 'ping':
        this.#answer(session, command.id, { type: 'pong', time: new Date().toISOString() });
        return undefined;
    }
  }

  #subscribe(session: Session, command: SubscribeCommand): Handled {
    const target = this.#target(session, command);
    if (target === undefined) return undefined;
    const rateClass = this.#classOf(session, command);
    const detail = this.#detailOf(session, command);
    if (rateClass === undefined || detail === undefined) return undefined;
    if (target.symbols.length > this.#subscriptionsMax) {
      this.#fail(session, command.id, 'too_many_subscriptions', `at most ${this.#subscriptionsMax} a connection`);
      return undefined;
    }
    const unknown = target.isAll ? [] : this.#symbols.unknown(target.symbols);
    if (unknown instanceof Promise) {
      return unknown.then(names => this.#subscribeKnown(session, command, target, names, rateClass, detail));
    }
    return this.#subscribeKnown(session, command, target, unknown, rateClass, detail);
  }

  #subscribeKnown(
    session: Session,
    command: SubscribeCommand,
    target: Target,
    unknown: readonly string[],
    rateClass: number,
    detail: number,
  ): Handled {
    if (session.socket === undefined) return undefined;
    const { stream } = target;
    // A client may name a hundred thousand: nothing here may take their square.
    const unknownSet = new Set(unknown);
    const known = target.symbols.filter(symbol => !unknownSet.has(symbol));
    const allowed = known.filter(symbol => session.entitlements.maySubscribe(stream, symbol));
    const lane = laneFor(session, stream, detail, rateClass);
    const wanted = allowed.map(symbol => ({ stream, symbol, lane }));
    const added = wanted.filter(({ symbol }) => !session.subscriptions.has(topicOf(stream, symbol))).length;
    if (session.subscriptions.size + added > this.#subscriptionsMax) {
      this.#fail(session, command.id, 'too_many_subscriptions', `at most ${this.#subscriptionsMax} a connection`);
      return undefined;
    }
    const answer = () => {
      if (wanted.length > 0) this.#subscribed(session, command, stream, wanted, rateClass);
      this.#refuse(session, command.id, stream, unknown, known, allowed);
    };
    if (isStateStream(stream) || wanted.length === 0) {
      const present = wanted.filter(({ symbol }) => session.subscriptions.has(topicOf(stream, symbol)));
      answer();
      this.#subscriptions.subscribe(session, wanted);
      // Who is told that nothing was recovered is promised a snapshot.
      if (command.since !== undefined) {
        for (const { symbol } of present) this.#subscriptions.resync(session, topicOf(stream, symbol));
      }
      return undefined;
    }
    // 'subscribed' on an event stream promises every message from here on, so the lanes must be live first.
    this.#subscriptions.subscribe(session, wanted);
    return this.#whenLive(session, wanted, answer);
  }

  #whenLive(session: Session, wanted: readonly Wanted[], run: () => void): Handled {
    const entries = wanted.map(({ stream, symbol }) => session.subscriptions.get(topicOf(stream, symbol))?.entry);
    const pending = entries.filter((entry): entry is LaneEntry => entry !== undefined && entry.source < 0);
    if (pending.length === 0) {
      run();
      return undefined;
    }
    const live = pending.map(entry => new Promise<void>(resolve => entry.whenLive.push(resolve)));
    return Promise.all(live).then(run);
  }

  #subscribed(
    session: Session,
    command: SubscribeCommand,
    stream: Stream,
    wanted: readonly Wanted[],
    rateClass: number,
  ): void {
    this.#answer(session, command.id, {
      type: 'subscribed',
      stream,
      topics: wanted.map(({ symbol }) => topicOf(stream, symbol)),
      ...(isStateStream(stream) ? { class: CLASSES[rateClass] } : undefined),
      ...(command.since === undefined ? undefined : { recovered: false }),
    });
  }

  #refuse(
    session: Session,
    id: CommandId | undefined,
    stream: Stream,
    unknown: readonly string[],
    known: readonly string[],
    allowed: readonly string[],
  ): void {
    if (unknown.length > 0) this.#fail(session, id, 'invalid_symbol', `unknown: ${shorten(unknown)}`);
    if (allowed.length === known.length) return;
    const allowedSet = new Set(allowed);
    const denied = known.filter(symbol => !allowedSet.has(symbol));
    // Quotes need a credential, whoever asks for which.
    const code = session.credential.sub === '' ? 'unauthorized' : 'forbidden';
    this.#fail(session, id, code, `not entitled to ${stream} of ${shorten(denied)}`);
  }

  #unsubscribe(session: Session, command: UnsubscribeCommand): Handled {
    const target = this.#target(session, command);
    if (target === undefined) return undefined;
    const topics = target.symbols.map(symbol => topicOf(target.stream, symbol));
    for (const topic of topics) this.#subscriptions.unsubscribe(session, topic);
    this.#answer(session, command.id, { type: 'unsubscribed', stream: target.stream, topics });
    return undefined;
  }

  #resync(session: Session, command: ResyncCommand): Handled {
    const target = this.#target(session, command);
    if (target === undefined) return undefined;
    const missing = target.symbols.filter(symbol => {
      return !this.#subscriptions.resync(session, topicOf(target.stream, symbol));
    });
    if (missing.length > 0) this.#fail(session, command.id, 'not_subscribed', `not subscribed: ${shorten(missing)}`);
    return undefined;
  }

  /** Stream and symbols that a command names; undefined when it was answered with an error. */
  #target(session: Session, command: SubscribeCommand | UnsubscribeCommand | ResyncCommand): Target | undefined {
    if (command.stream === undefined && command.channels !== undefined) {
      this.#fail(session, command.id, 'unknown_channel', `unknown: ${shorten(command.channels)}`);
      return undefined;
    }
    if (command.stream === undefined) {
      this.#fail(session, command.id, 'invalid_message', 'stream: name one');
      return undefined;
    }
    if (!isStream(command.stream)) {
      this.#fail(session, command.id, 'unknown_stream', `unknown stream ${shorten([command.stream])}`);
      return undefined;
    }
    const named = [...(command.symbol === undefined ? [] : [command.symbol]), ...(command.symbols ?? [])];
    const symbols = [...new Set(named.filter(symbol => symbol !== ''))];
    const isAll = command.stream === 'trades' && (symbols.length === 0 || symbols.includes(ALL_SYMBOLS));
    if (isAll) return { stream: 'trades', symbols: [ALL_SYMBOLS], isAll };
    if (symbols.length > 0) return { stream: command.stream, symbols, isAll };
    this.#fail(session, command.id, 'missing_symbol', `${command.stream}: name a symbol`);
    return undefined;
  }

  #classOf(session: Session, command: SubscribeCommand): number | undefined {
    if (command.class === undefined) return session.defaultClass;
    const rateClass = classNumber(command.class);
    if (rateClass === undefined) {
      this.#fail(session, command.id, 'invalid_message', `class: must be one of ${CLASSES.join(', ')}`);
      return undefined;
    }
    if (rateClass >= session.fastestClass) return rateClass;
    const fastest = CLASSES[session.fastestClass];
    this.#fail(session, command.id, 'forbidden', `class: the fastest for this credential is ${fastest}`);
    return undefined;
  }

  #detailOf(session: Session, command: SubscribeCommand): number | undefined {
    const detail = depthDetail(command.depth ?? DEPTHS[0]);
    if (detail === undefined) {
      this.#fail(session, command.id, 'invalid_message', `depth: must be one of ${DEPTHS.join(', ')}`);
    }
    return detail;
  }

  #answer(
    session: Session,
    id: CommandId | undefined,
    message: { readonly type: string; [member: string]: unknown },
  ): void {
    const { type, ...rest } = message;
    this.#outbox.send(session, id === undefined ? message : { type, id, ...rest });
  }

  #fail(session: Session, id: CommandId | undefined, code: ErrorCode, message: string): void {
    this.#answer(session, id, { type: 'error', code, message });
  }
}

interface Target {
  readonly stream: Stream;
  readonly symbols: readonly string[];
  /** The trades of all symbols. */
  readonly isAll: boolean;
}
