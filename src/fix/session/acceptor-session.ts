/**
 * The acceptor's side of one FIX 4.4 connection, without sockets and timers: bytes and time in, bytes and events out.
 *
 * The numbers in comments name the cases of the session tests in the FIX 4.4 specification, volume 2.
 */
import assert from 'node:assert/strict';
import { Framer } from '../wire/framer.js';
import { FixMessage } from '../wire/message.js';
import { MsgType, Tag } from '../wire/tags.js';
import { REJECT_TEXTS, RejectReason } from '../wire/validation.js';
import { MessageWriter } from '../wire/writer.js';
import type { SessionCounters, SessionHost, SessionSettings } from './contract.js';
import { type LogonRequest, logonFault, readLogon } from './logon.js';
import { isTimely, MessageHandler } from './message-handler.js';
import { FIRST_NUMBERS, type SessionNumbers } from './numbers.js';
import { Outgoing } from './outgoing.js';

/** How long a client may take to log on, and to answer a Logout. */
const LOGON_MS_MAX = 10_000;
const LOGOUT_MS_MAX = 10_000;
/** Silence after which a client is asked whether it is there, and after which it is gone; in heartbeat intervals. */
const TEST_AFTER = 1.2;
const GONE_AFTER = 2.4;
/** Most messages that wait while the credential is checked; a client sends nothing before its Logon is answered. */
const BEFORE_ANSWER_MAX = 16;

type State = 'connected' | 'verifying' | 'active' | 'leaving' | 'closed';

export class AcceptorSession {
  readonly counters: SessionCounters = { messagesIn: 0, garbled: 0, rejects: 0, resendsAsked: 0, resendsAnswered: 0 };
  readonly #settings: SessionSettings;
  readonly #host: SessionHost;
  readonly #framer: Framer;
  readonly #outgoing: Outgoing;
  readonly #handler: MessageHandler;
  #state: State = 'connected';
  /** When the state began. */
  #sinceMs: number;
  #logon: LogonRequest | undefined;
  #beforeAnswer: FixMessage[] = [];
  #heartbeatMs = 0;
  #lastReceivedMs: number;
  #isTestSent = false;
  #tests = 0;
  /** Of the last TestRequest. */
  #testedMs = 0;
  #testedMicros = 0;

  /** @param writer sessions may share one */
  constructor(settings: SessionSettings, host: SessionHost, writer = new MessageWriter()) {
    this.#settings = settings;
    this.#host = host;
    this.#framer = new Framer(settings.messageBytesMax);
    this.#sinceMs = host.nowMs();
    this.#lastReceivedMs = this.#sinceMs;
    this.#outgoing = new Outgoing(settings.compId, host, writer);
    this.#handler = new MessageHandler({
      settings,
      host,
      counters: this.counters,
      outgoing: this.#outgoing,
      leave: text => this.leave(text, true),
      close: reason => this.#close(reason),
      startOver: message => this.#startOver(message),
      isActive: () => this.isActive,
      isClosed: () => this.isClosed,
    });
  }

  get numbers(): SessionNumbers {
    return { nextIn: this.#handler.incoming.next, nextOut: this.#outgoing.next };
  }

  /** True while messages of the application may be sent. */
  get isActive(): boolean {
    return this.#state === 'active';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  get heartbeatMs(): number {
    return this.#heartbeatMs;
  }

  /** Bytes from the client, split in any way. */
  receive(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#framer.push(bytes);
    while (!this.isClosed) {
      const framed = this.#framer.next();
      if (framed === 'incomplete') return;
      if (framed === 'too_long') this.#tooLong();
      if (this.isClosed) return;
      this.#host.received(framed === 'message' ? this.#framer.message.length : 0);
      if (this.isClosed) return;
      const message = framed === 'message' ? FixMessage.parse(this.#framer.message) : undefined;
      if (message === undefined) this.#garbled();
      else this.#received(message);
    }
  }

  /** Call every 100 ms or so. */
  tick(): void {
    const nowMs = this.#host.nowMs();
    switch (this.#state) {
      case 'connected':
      case 'verifying':
        if (nowMs - this.#sinceMs >= LOGON_MS_MAX) this.#close('no Logon in time');
        return;
      case 'leaving':
        if (nowMs - this.#sinceMs >= LOGOUT_MS_MAX) this.#close('Logout was not answered in time');
        return;
      case 'active':
        this.#keepAlive(nowMs);
    }
  }

  /** The credential is good: the session continues with these numbers. */
  accept(numbers: SessionNumbers): void {
    if (this.#state !== 'verifying') return;
    const logon = this.#logon as LogonRequest;
    const { seqNum } = logon;
    // A Logon that is refused leaves the numbers as they are.
    this.#continueWith(logon.isReset && seqNum === 1 ? FIRST_NUMBERS : numbers);
    if (!logon.isReset && seqNum < this.#handler.incoming.next) {
      this.#handler.tooLow(seqNum);
      return;
    }
    const fault = this.#numberFault(logon);
    if (fault !== undefined) {
      this.leave(fault, true);
      return;
    }
    this.#enter('active');
    this.#testedMs = this.#sinceMs;
    this.#answerLogon(logon);
    const waiting = this.#beforeAnswer;
    this.#beforeAnswer = [];
    for (const message of waiting) if (!this.isClosed) this.#received(message);
  }

  /** Refuses the logon with a Logout, which has the number 1: nothing is known of the client. */
  refuse(text: string): void {
    if (this.#state !== 'verifying') return;
    this.leave(text, true);
  }

  /** Ends the connection without a message (1S b: another session has this identity; 1S c). */
  drop(reason: string): void {
    this.#close(reason);
  }

  /**
   * Logs the client out.
   * @param isAtOnce without waiting for its answer: what it sends means nothing any more
   */
  leave(text: string, isAtOnce = false): void {
    if (this.#state === 'connected') this.#close(text);
    if (this.#state === 'closed' || (this.#state === 'leaving' && !isAtOnce)) return;
    this.#host.told({ is: 'logout', text });
    this.#outgoing.send(MsgType.logout, [[Tag.text, text]]);
    // Before its Logon is answered, a client has nothing to log out of, and its numbers are not known.
    if (isAtOnce || this.#state === 'verifying') this.#close(text);
    else this.#enter('leaving');
  }

  /** Begins a message of the application: write its fields, then call `end`. */
  begin(type: string): MessageWriter {
    assert(this.isActive, 'messages are sent within a session');
    return this.#outgoing.begin(type);
  }

  /** Sends the message begun. @param isKept it is sent again when the client asks for it */
  end(isKept = false): void {
    this.#outgoing.end(isKept);
  }

  #continueWith({ nextIn, nextOut }: SessionNumbers): void {
    assert(nextIn >= 1 && nextOut >= 1, 'numbers start at 1');
    this.#handler.incoming.next = nextIn;
    this.#outgoing.next = nextOut;
  }

  #numberFault({ isReset, seqNum, nextExpected }: LogonRequest): string | undefined {
    if (isReset && seqNum !== 1) return 'ResetSeqNumFlag needs MsgSeqNum 1';
    const { next } = this.#outgoing;
    if (nextExpected === undefined || nextExpected <= next) return undefined;
    return `NextExpectedMsgSeqNum too high, expecting ${next} but received ${nextExpected}`;
  }

  #enter(state: State): void {
    this.#state = state;
    this.#sinceMs = this.#host.nowMs();
  }

  #close(reason: string): void {
    if (this.#state === 'closed') return;
    this.#enter('closed');
    this.#handler.incoming.clear();
    this.#beforeAnswer = [];
    this.#host.disconnect(reason);
  }

  #tooLong(): void {
    const text = `a message is longer than ${this.#settings.messageBytesMax} bytes, or a field has no end`;
    if (this.#state === 'active' || this.#state === 'leaving') this.leave(text, true);
    this.#close(text);
  }

  /** 2d, 2m, 2t, 3b, 3c: ignored, and its number is not used up. Before the logon there is nothing to protect. */
  #garbled(): void {
    this.counters.garbled++;
    if (this.#state === 'connected') this.#close('the first message is no Logon');
  }

  #received(message: FixMessage): void {
    this.counters.messagesIn++;
    if (this.isActive) this.#taken(message);
    this.#lastReceivedMs = this.#host.nowMs();
    this.#isTestSent = false;
    switch (this.#state) {
      case 'connected':
        this.#first(message);
        return;
      case 'verifying':
        if (this.#beforeAnswer.length < BEFORE_ANSWER_MAX) this.#beforeAnswer.push(message);
        else this.#close('too many messages before the Logon is answered');
        return;
      case 'leaving':
        if (message.type === MsgType.logout) this.#handler.loggedOut(message);
        else this.#handler.take(message);
        return;
      case 'active':
        this.#handler.take(message);
    }
  }

  #taken(message: FixMessage): void {
    this.#host.taken(message);
    if (message.type !== MsgType.heartbeat || message.text(Tag.testReqId) !== `T${this.#tests}`) return;
    this.#host.confirmed(this.#testedMicros);
  }

  #first(message: FixMessage): void {
    const logon = message.type === MsgType.logon ? readLogon(message) : undefined;
    // 1S c, 1S e: what has no identity here cannot be told anything either.
    if (logon === undefined || message.text(Tag.targetCompId) !== this.#settings.compId) {
      this.#close('the first message is no Logon, or has no valid CompIDs');
      return;
    }
    this.#outgoing.targetCompId = logon.senderCompId;
    this.#enter('verifying');
    const isLate = !isTimely(message, this.#host, this.#settings);
    const late = isLate ? REJECT_TEXTS[RejectReason.sendingTimeAccuracy] : undefined;
    const fault = logonFault(message, logon, this.#settings) ?? late;
    if (fault !== undefined) {
      this.leave(fault, true);
      return;
    }
    this.#heartbeatMs = logon.heartbeatSeconds * 1000;
    this.#logon = logon;
    this.#host.logon(logon);
  }

  #answerLogon({ seqNum, heartbeatSeconds, isReset, nextExpected }: LogonRequest): void {
    const { next } = this.#handler.incoming;
    const own = this.#outgoing.next;
    const fields: (readonly [number, string | number])[] = [
      [Tag.encryptMethod, 0],
      [Tag.heartBtInt, heartbeatSeconds],
    ];
    if (isReset) fields.push([Tag.resetSeqNumFlag, 'Y']);
    // The client sees what is missing, and sends it unasked.
    if (nextExpected !== undefined) fields.push([Tag.nextExpectedMsgSeqNum, seqNum === next ? next + 1 : next]);
    this.#outgoing.send(MsgType.logon, fields);
    if (nextExpected !== undefined && nextExpected < own) this.#handler.resend(nextExpected, own);
    this.#handler.incoming.done(seqNum, nextExpected === undefined);
    if (isReset) this.#host.startedOver();
  }

  /** A session that never ends starts its numbers over with a Logon (FIX 4.4, volume 2, on 24-hour connectivity). */
  #startOver(message: FixMessage): boolean {
    if (!this.isActive || message.isYes(Tag.possDupFlag)) return false;
    const logon = readLogon(message);
    if (logon?.isReset !== true || logon.seqNum !== 1 || (logon.nextExpected ?? 1) !== 1) return false;
    if (logonFault(message, logon, this.#settings) !== undefined) return false;
    this.#heartbeatMs = logon.heartbeatSeconds * 1000;
    this.#handler.incoming.clear();
    this.#handler.incoming.next = 1;
    this.#outgoing.startOver();
    this.#answerLogon(logon);
    return true;
  }

  #test(nowMs: number): void {
    this.#isTestSent = true;
    this.#testedMs = nowMs;
    this.#testedMicros = this.#host.wallMicros();
    this.#outgoing.send(MsgType.testRequest, [[Tag.testReqId, `T${++this.#tests}`]]);
  }

  /** 4a, 6 */
  #keepAlive(nowMs: number): void {
    const silentMs = nowMs - this.#lastReceivedMs;
    if (silentMs >= this.#heartbeatMs * GONE_AFTER) {
      this.leave('no answer to TestRequest', true);
      return;
    }
    const isSilent = silentMs >= this.#heartbeatMs * TEST_AFTER && !this.#isTestSent;
    const isProofDue = this.#settings.asksForProof && nowMs - this.#testedMs >= this.#heartbeatMs;
    if (isSilent || isProofDue) this.#test(nowMs);
    if (nowMs - this.#outgoing.lastSentMs >= this.#heartbeatMs) this.#outgoing.send(MsgType.heartbeat, []);
    this.#handler.incoming.askAgain(this.#heartbeatMs);
  }
}
