/** One FIX client: its socket, its session, its market data, and how it keeps up. */
import type { Socket } from 'node:net';
import type { Credential, Entitlements } from '../auth/credential.js';
import type { Config, FixConfig } from '../config/environment.js';
import { RESENT_MESSAGE_UNITS } from '../protocol/costs.js';
import type { FixEnd } from '../threads/fix-stats.js';
import type { FixAccess, LoggedConnection, LogonRefusal, WorkBudget } from './access.js';
import type { FixCommandCounts } from './command-counts.js';
import { Flow } from './flow.js';
import { HandedOver } from './handed-over.js';
import { MarketData } from './market/market-data.js';
import type { FixViews } from './market/views.js';
import type { FixRecords } from './records.js';
import { SecondCount } from './second-count.js';
import { AcceptorSession } from './session/acceptor-session.js';
import { LOGGED_OUT, type SessionEvent, type SessionHost, type SessionSettings } from './session/contract.js';
import type { LogonRequest } from './session/logon.js';
import type { SessionNumbers } from './session/numbers.js';
import type { FixMessage } from './wire/message.js';
import type { MessageWriter } from './wire/writer.js';

/** How long a client may take to read what was sent before its connection is cut. */
const LINGER_MS = 2_000;
const LIMITED_ADVICE = 'log on again, and send fewer';
const SLOW_ADVICE = 'log on again, and read faster or request less';
/** Room for what one turn sends; a larger one, made for a burst, goes to the socket instead of being kept. */
const FIRST_BYTES = 2 * 1024;
const KEPT_BYTES_MAX = 64 * 1024;

interface ConnectionParts {
  readonly config: Pick<Config, 'limits' | 'circuit'>;
  readonly fix: FixConfig;
  readonly settings: SessionSettings;
  readonly access: FixAccess;
  readonly views: FixViews;
  /** Undefined: nothing is recorded. */
  readonly records: FixRecords | undefined;
  /** Undefined: there is no surveillance. */
  readonly counts: FixCommandCounts | undefined;
  /** Shared by all sessions. */
  readonly writer: MessageWriter;
  readonly nowMs: () => number;
  /** µs since the Unix epoch. */
  readonly wallMicros: () => number;
  /** The client wants to log on: answer with `admit` or `refuse`. */
  readonly onLogon: (connection: FixConnection, request: LogonRequest) => void;
  /** The client has reset its numbers. */
  readonly onStartedOver: (connection: FixConnection) => void;
  /** Something waits for `flush`. */
  readonly onUnflushed: (connection: FixConnection) => void;
  readonly onEnded: (connection: FixConnection, kind: FixEnd, reason: string) => void;
}

export class FixConnection implements LoggedConnection {
  readonly id: number;
  readonly address: string;
  readonly session: AcceptorSession;
  readonly openedMs: number;
  credential: Credential | undefined;
  /** User and SenderCompID, once they are known to be its own. */
  identity: string | undefined;
  /** Names its sequence numbers; undefined until it is admitted. */
  key: string | undefined;
  market: MarketData | undefined;
  /** Undefined until it is refused, and if the session refused it. */
  refusal: LogonRefusal | undefined;
  /** Its numbers are on their way: its identity stays taken until they are here. */
  isOpening = false;
  receivedBytes = 0;
  sentBytes = 0;
  /** Monotonic, ms. */
  lastReceivedMs: number;
  messagesOut = 0;
  readonly #parts: ConnectionParts;
  readonly #socket: Socket;
  readonly #flow: Flow;
  /** Undefined: nothing is recorded. */
  readonly #handedOver: HandedOver | undefined;
  #entitlements: Entitlements | undefined;
  /** Undefined until it is admitted. */
  #budget: WorkBudget | undefined;
  #pending = Buffer.allocUnsafe(FIRST_BYTES);
  #pendingBytes = 0;
  /** Of these bytes. */
  #messagesPending = 0;
  /** Messages of each write that the socket has not finished, and their sum. */
  readonly #writes: number[] = [];
  #messagesWaiting = 0;
  #isMarked = false;
  /** Undefined: the session decides. */
  #endKind: FixEnd | undefined;
  /** Of the Logout that was sent, unless it answered the client's. */
  #logoutText: string | undefined;
  #isOver = false;
  readonly #messagesThisSecond = new SecondCount();

  constructor(id: number, address: string, socket: Socket, parts: ConnectionParts) {
    this.id = id;
    this.address = address;
    this.#socket = socket;
    this.#parts = parts;
    this.#handedOver = parts.records && new HandedOver();
    this.openedMs = parts.nowMs();
    this.lastReceivedMs = this.openedMs;
    const host: SessionHost = {
      nowMs: parts.nowMs,
      wallMicros: parts.wallMicros,
      send: bytes => this.#send(bytes),
      received: bytes => this.#countMessage(bytes),
      taken: message => parts.records?.received(id, message),
      told: event => this.#told(event),
      confirmed: micros => parts.records?.confirmed(id, micros),
      logon: request => parts.onLogon(this, request),
      application: message => this.#application(message),
      mayResend: messages => this.#budget?.charge(messages * RESENT_MESSAGE_UNITS) === 0,
      startedOver: () => parts.onStartedOver(this),
      filled: begin => this.#filled(begin),
      disconnect: reason => this.#disconnected(reason),
    };
    this.session = new AcceptorSession(parts.settings, host, parts.writer);
    this.#flow = new Flow({
      backpressureBytesMax: parts.config.limits.backpressureBytesMax,
      circuit: parts.config.circuit,
      pause: () => this.#paused(),
      resume: level => this.market?.resume(level),
      restore: level => this.market?.setLevel(level),
      tooSlow: reason => this.end('slow', reason, true),
    });
    socket.setNoDelay(true);
    socket.on('data', bytes => this.#received(bytes));
    socket.on('error', () => this.#broken('connection error'));
    socket.on('close', () => this.#broken('connection closed by the client'));
    socket.on('drain', () => {
      this.#flow.check(socket.writableLength, parts.nowMs());
      this.market?.pump();
    });
  }

  get stalls(): number {
    return this.#flow.stalls;
  }

  get isPaused(): boolean {
    return this.#flow.isPaused;
  }

  get level(): number {
    return this.#flow.level;
  }

  /** Bytes that wait for the socket. */
  get buffered(): number {
    return this.#socket.writableLength + this.#pendingBytes;
  }

  /** Lets the client in, with its numbers. */
  admit(key: string, credential: Credential, numbers: SessionNumbers): void {
    const { access, views, fix, config } = this.#parts;
    this.key = key;
    this.credential = credential;
    this.#entitlements = access.entitlementsOf(credential);
    const entitlements = () => access.entitlementsOf(this.credential ?? credential);
    const budget = access.budgetOf(this.address, () => this.credential ?? credential);
    this.#budget = budget;
    this.market = new MarketData({
      views,
      tier: credential.tier,
      owner: access.ownerOf(this.address, credential),
      hasSeqTags: fix.hasSeqTags,
      topicsMax: config.limits.subscriptionsMax,
      entitlements,
      unknown: symbols => access.unknown(symbols),
      budget,
      room: () => this.#flow.room(this.buffered),
      journal: this.#parts.records?.client(this.id, entitlements),
      begin: type => this.session.begin(type),
      end: isKept => this.session.end(isKept),
      isActive: () => this.session.isActive,
      depth: () => this.#depth + this.#messagesPending,
    });
    this.session.accept(numbers);
  }

  /** The client has these rights from now on. */
  renew(credential: Credential): void {
    const { access, records } = this.#parts;
    const entitlements = access.entitlementsOf(credential);
    if (credential === this.credential && entitlements === this.#entitlements) return;
    this.credential = credential;
    this.#entitlements = entitlements;
    if (this.market === undefined) return;
    records?.authenticated(this, credential, entitlements);
    this.market.recheck(credential.tier);
  }

  /** @param isSilent without a message */
  refuse(refusal: LogonRefusal, isSilent = false): void {
    this.#endKind = 'refused';
    this.refusal = refusal;
    if (isSilent) this.session.drop(refusal.text);
    else this.session.refuse(refusal.text);
  }

  /** Logs the client out. @param isAtOnce without waiting for its answer */
  end(kind: FixEnd, text: string, isAtOnce = false): void {
    this.#endKind = kind;
    if (kind === 'slow') this.market?.overrun();
    this.session.leave(kind === 'slow' ? `${text}; ${SLOW_ADVICE}` : text, isAtOnce);
    // Market data ends with the Logout, also if the client has to answer it.
    if (!this.session.isClosed) this.market?.close(true);
  }

  /** Call every 100 ms. */
  tick(): void {
    this.session.tick();
    this.market?.tick();
    this.#noteHandedOver();
    if (this.session.isActive) this.#flow.check(this.buffered, this.#parts.nowMs());
    this.#checkQueue();
  }

  /** Writes what was sent since the last call. */
  flush(): void {
    this.#isMarked = false;
    this.#checkQueue();
    if (this.#pendingBytes === 0 || this.#socket.destroyed) return;
    this.#writes.push(this.#messagesPending);
    this.#messagesWaiting += this.#messagesPending;
    // The socket keeps the bytes until the kernel has them.
    const sent = this.#pending.subarray(0, this.#pendingBytes);
    if (this.#pending.length > KEPT_BYTES_MAX) {
      this.#pending = Buffer.allocUnsafe(FIRST_BYTES);
      this.#socket.write(sent, this.#written);
    } else this.#socket.write(Buffer.from(sent), this.#written);
    this.#pendingBytes = 0;
    this.#messagesPending = 0;
    this.#noteHandedOver();
    this.#flow.check(this.#socket.writableLength, this.#parts.nowMs());
    this.market?.pump();
  }

  /** Cuts the connection. */
  cut(): void {
    this.#socket.destroy();
  }

  /** Messages that the socket has not finished. */
  get #depth(): number {
    return this.#socket.writableLength === 0 ? 0 : this.#messagesWaiting;
  }

  #checkQueue(): void {
    if (!this.session.isActive) return;
    const reason = this.market?.queued(this.#depth);
    if (reason !== undefined) this.end('slow', reason, true);
  }

  readonly #written = (): void => {
    this.#messagesWaiting -= this.#writes.shift() ?? 0;
  };

  #send(bytes: Buffer): void {
    const needed = this.#pendingBytes + bytes.length;
    if (needed > this.#pending.length) {
      const larger = Buffer.allocUnsafe(needed * 2);
      larger.set(this.#pending.subarray(0, this.#pendingBytes));
      this.#pending = larger;
    }
    this.#pending.set(bytes, this.#pendingBytes);
    this.#pendingBytes = needed;
    this.sentBytes += bytes.length;
    this.messagesOut++;
    this.#messagesPending++;
    if (this.#isMarked) return;
    this.#isMarked = true;
    this.#parts.onUnflushed(this);
  }

  #received(bytes: Buffer): void {
    this.receivedBytes += bytes.length;
    this.lastReceivedMs = this.#parts.nowMs();
    if (this.session.isClosed) return;
    this.session.receive(bytes);
    this.flush();
  }

  #countMessage(bytes: number): void {
    const { messagesPerSecondMax } = this.#parts.config.limits;
    if (this.#messagesThisSecond.next(this.#parts.nowMs()) > messagesPerSecondMax) {
      this.end('limited', `more than ${messagesPerSecondMax} messages in a second; ${LIMITED_ADVICE}`, true);
    } else if (this.#budget?.read(bytes) === false) {
      this.end('limited', `too many messages while the work budget is used up; ${LIMITED_ADVICE}`, true);
    }
  }

  #application(message: FixMessage): undefined {
    this.#parts.counts?.take(this, message);
    this.market?.message(message);
    return undefined;
  }

  /** Before it is admitted, only its refusal is recorded. */
  #told(event: SessionEvent): void {
    if (event.is === 'logout') this.#logoutText = event.text;
    if (this.key !== undefined) this.#parts.records?.told(this.id, event);
  }

  #noteHandedOver(): void {
    if (this.#pendingBytes === 0) this.#handedOver?.note(this.session.numbers.nextOut, this.#parts.wallMicros());
  }

  /** The client asks for messages again, from this number on. */
  #filled(begin: number): void {
    const micros = this.#handedOver?.before(begin);
    if (micros !== undefined) this.#parts.records?.confirmed(this.id, micros);
    this.market?.filled();
  }

  #paused(): void {
    this.market?.pause();
    if (this.market?.endsWhenSlow === true) this.end('slow', 'slow consumer: ApplQueueAction 3 was asked for', true);
  }

  /** The session is over: what was sent still goes out. */
  #disconnected(reason: string): void {
    if (this.#isOver) return;
    this.flush();
    this.#over(reason);
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  #broken(reason: string): void {
    if (this.#isOver) return;
    // A client that closes the connection once it has read its Logout was logged out.
    this.#endKind ??= 'broken';
    this.session.drop(reason);
  }

  #over(reason: string): void {
    this.#isOver = true;
    this.market?.close(false);
    const kind =
      this.#endKind ?? (reason === LOGGED_OUT ? 'left' : this.credential === undefined ? 'refused' : 'protocol');
    // A client that answers our Logout does not tell why it was sent.
    this.#parts.onEnded(this, kind, this.#logoutText ?? reason);
  }
}
