/** A FIX client of the command line: logs on with new sequence numbers, asks for market data, and prints what it gets. */

import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Outgoing } from '../fix/session/outgoing.js';
import { Framer } from '../fix/wire/framer.js';
import { FixMessage } from '../fix/wire/message.js';
import { MsgType, Tag } from '../fix/wire/tags.js';
import { WallClock } from '../protocol/wall-clock.js';
import { CommandFailure } from './failure.js';
import { fixLine } from './fix-line.js';
import { note, say } from './output.js';

const HEARTBEAT_SECONDS = 30;
const TICK_MS = 1_000;
/** Silence after which the gateway is gone. */
const SILENCE_MS_MAX = 2.4 * HEARTBEAT_SECONDS * 1000;
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** How long a Logout may take to be answered. */
const LOGOUT_MS_MAX = 2_000;

/** What a shell reports of a program that Ctrl-C ended. */
const INTERRUPTED = 130;
const CUT = 'the gateway closed the connection without a Logout';
const UNANSWERED =
  'the gateway closed the connection without an answer: check --target and --sender, and whether another session uses this sender';

export interface FixSessionOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly ca?: string;
  readonly password: string | undefined;
  readonly username?: string;
  readonly sender: string;
  readonly target: string;
  readonly depth: number;
  readonly entries: readonly string[];
  readonly full: boolean;
  readonly snapshot: boolean;
  readonly raw: boolean;
  readonly count?: number;
}

export class FixSession {
  readonly #symbols: readonly string[];
  readonly #options: FixSessionOptions;
  readonly #framer = new Framer(MESSAGE_BYTES_MAX);
  readonly #outgoing: Outgoing;
  readonly #socket: Socket;
  #nextIn = 1;
  #shown = 0;
  #lastReceivedMs = performance.now();
  #isConnected = false;
  #isLoggedOn = false;
  /** The gateway logged us out. */
  #isAnswered = false;
  #isLeaving = false;
  #exitCode = 1;
  #end: () => void = () => {};

  constructor(symbols: readonly string[], options: FixSessionOptions) {
    this.#symbols = symbols;
    this.#options = options;
    const { host, port, tls, ca } = options;
    const trusted = ca === undefined ? {} : { ca: authorityIn(ca) };
    this.#socket = tls ? connectTls({ host, port, ...trusted }) : connect(port, host);
    const clock = new WallClock();
    this.#outgoing = new Outgoing(options.sender, {
      nowMs: () => performance.now(),
      wallMicros: () => clock.nowMicros(),
      send: bytes => this.#send(bytes),
    });
    this.#outgoing.targetCompId = options.target;
  }

  /** Runs until Ctrl-C, or until the gateway ends the session. @returns the exit code */
  async run(): Promise<number> {
    const { host, port, tls, username, password } = this.#options;
    const timer = setInterval(() => this.#tick(), TICK_MS);
    const interrupted = () => this.#interrupted();
    process.on('SIGINT', interrupted);
    this.#socket.on(tls ? 'secureConnect' : 'connect', () => {
      this.#isConnected = true;
      note(`connected to ${host}:${port}`);
      this.#outgoing.send(MsgType.logon, [
        [Tag.encryptMethod, 0],
        [Tag.heartBtInt, HEARTBEAT_SECONDS],
        [Tag.resetSeqNumFlag, 'Y'],
        ...(username === undefined ? [] : ([[Tag.username, username]] as const)),
        ...(password === undefined ? [] : ([[Tag.password, password]] as const)),
      ]);
    });
    this.#socket.on('data', bytes => this.#received(bytes));
    this.#socket.on('error', cause => note(`connection failed: ${cause.message}`));
    await new Promise<void>(resolve => {
      this.#end = resolve;
      this.#socket.on('close', () => resolve());
    });
    if (this.#isConnected && !this.#isAnswered && !this.#isLeaving) note(this.#isLoggedOn ? CUT : UNANSWERED);
    clearInterval(timer);
    process.removeListener('SIGINT', interrupted);
    this.#socket.destroy();
    return this.#exitCode;
  }

  #send(bytes: Buffer): void {
    const message = FixMessage.parse(bytes);
    if (this.#options.raw && message !== undefined) note(`> ${rawOf(message)}`);
    this.#socket.write(Buffer.from(bytes));
  }

  #received(bytes: Buffer): void {
    this.#lastReceivedMs = performance.now();
    this.#framer.push(bytes);
    for (let framed = this.#framer.next(); framed !== 'incomplete'; framed = this.#framer.next()) {
      const message = framed === 'message' ? FixMessage.parse(this.#framer.message) : undefined;
      if (message !== undefined) this.#message(message);
      else note(`a message is ${framed}`);
      if (framed !== 'too_long') continue;
      this.#end();
      return;
    }
  }

  #message(message: FixMessage): void {
    this.#show(message);
    const { type, seqNum } = message;
    if (type === MsgType.resendRequest) {
      this.#outgoing.resend(message.integer(Tag.beginSeqNo), this.#outgoing.next - 1, true);
    }
    if (seqNum > this.#nextIn) {
      note(`GAP: expected #${this.#nextIn}, got #${seqNum}; asking for the rest`);
      this.#outgoing.send(MsgType.resendRequest, [
        [Tag.beginSeqNo, this.#nextIn],
        [Tag.endSeqNo, 0],
      ]);
    }
    const filled = type === MsgType.sequenceReset ? message.integer(Tag.newSeqNo) : seqNum + 1;
    this.#nextIn = Math.max(this.#nextIn, filled);
    const isRefusal = type === MsgType.marketDataRequestReject || type === MsgType.businessReject;
    if (type === MsgType.logon) this.#loggedOn();
    else if (isRefusal && this.#shown === 0) this.#logOut(1);
    else if (type === MsgType.testRequest) {
      this.#outgoing.send(MsgType.heartbeat, [[Tag.testReqId, message.text(Tag.testReqId) ?? '']]);
    } else if (type === MsgType.logout) this.#loggedOut();
  }

  #show(message: FixMessage): void {
    const isHeartbeat = message.type === MsgType.heartbeat;
    if (this.#options.raw) say(rawOf(message));
    else if (!isHeartbeat) say(fixLine(message.tags.map((tag, at) => [tag, message.utf8At(at)] as const)));
    if (message.type !== MsgType.marketDataSnapshot && message.type !== MsgType.marketDataIncremental) return;
    const { count, snapshot } = this.#options;
    const isLastSnapshot = snapshot && this.#shown + 1 === new Set(this.#symbols).size;
    if (++this.#shown === count || isLastSnapshot) this.#logOut(0);
  }

  #loggedOn(): void {
    if (this.#isLoggedOn) return;
    this.#isLoggedOn = true;
    const { depth, entries, full, snapshot } = this.#options;
    const writer = this.#outgoing.begin(MsgType.marketDataRequest);
    writer.field(Tag.mdReqId, 'fix-client');
    writer.integer(Tag.subscriptionRequestType, snapshot ? 0 : 1);
    writer.integer(Tag.marketDepth, depth);
    writer.integer(Tag.mdUpdateType, full ? 0 : 1);
    writer.integer(Tag.noMdEntryTypes, entries.length);
    for (const entry of entries) writer.field(Tag.mdEntryType, entry);
    writer.integer(Tag.noRelatedSym, this.#symbols.length);
    for (const symbol of this.#symbols) writer.utf8(Tag.symbol, symbol);
    this.#outgoing.end();
  }

  /** Ctrl-C, the second time without waiting for the gateway. */
  #interrupted(): void {
    if (this.#isLoggedOn && !this.#isLeaving) {
      this.#logOut(0);
      return;
    }
    if (!this.#isLoggedOn) this.#exitCode = INTERRUPTED;
    this.#isLeaving = true;
    this.#end();
  }

  /** The gateway logs us out, or answers our Logout. */
  #loggedOut(): void {
    this.#isAnswered = true;
    if (!this.#isLeaving && this.#isLoggedOn) this.#outgoing.send(MsgType.logout, []);
    this.#socket.end();
  }

  #logOut(exitCode: number): void {
    this.#exitCode = exitCode;
    this.#isLeaving = true;
    this.#outgoing.send(MsgType.logout, []);
    setTimeout(() => this.#end(), LOGOUT_MS_MAX).unref();
  }

  #tick(): void {
    const nowMs = performance.now();
    if (nowMs - this.#lastReceivedMs > SILENCE_MS_MAX) {
      note('the gateway is silent; giving up');
      this.#end();
    }
    const isDue = nowMs - this.#outgoing.lastSentMs >= HEARTBEAT_SECONDS * 1000;
    if (this.#isLoggedOn && isDue) this.#outgoing.send(MsgType.heartbeat, []);
  }
}

/** @throws {CommandFailure} */
function authorityIn(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CommandFailure(`cannot read --ca ${file}: ${(cause as Error).message}`);
  }
}

/** With `|` for SOH, and without the password. */
function rawOf(message: FixMessage): string {
  return message.tags
    .map((tag, at) => `${message.tagTextAt(at)}=${tag === Tag.password ? '(hidden)' : message.utf8At(at)}|`)
    .join('');
}
