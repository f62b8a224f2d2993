/**
 * What the messages of a session do, once the client is logged on. The numbers in comments name the cases of the
 * session tests in the FIX 4.4 specification, volume 2.
 */
import type { FixMessage } from '../wire/message.js';
import { reversedRoute } from '../wire/reversed-route.js';
import { MsgType, Tag } from '../wire/tags.js';
import { utcMicros } from '../wire/utc.js';
import { REJECT_TEXTS, type Rejection, RejectReason, rejectionOf } from '../wire/validation.js';
import { LOGGED_OUT, type SessionCounters, type SessionHost, type SessionSettings } from './contract.js';
import { Incoming } from './incoming.js';
import type { Outgoing } from './outgoing.js';

/** True also if SendingTime is missing or unreadable, which has a reject reason of its own. */
export function isTimely(message: FixMessage, host: SessionHost, { sendingTimeMaxMs }: SessionSettings): boolean {
  const micros = utcMicros(message.text(Tag.sendingTime) ?? '');
  return micros === undefined || Math.abs(micros - host.wallMicros()) <= sendingTimeMaxMs * 1000;
}

/** SequenceReset without GapFill. */
function isReset(message: FixMessage): boolean {
  return message.type === MsgType.sequenceReset && !message.isYes(Tag.gapFillFlag);
}

interface HandlerOptions {
  readonly settings: SessionSettings;
  readonly host: SessionHost;
  readonly counters: SessionCounters;
  readonly outgoing: Outgoing;
  /** Logs the client out at once. */
  readonly leave: (text: string) => void;
  readonly close: (reason: string) => void;
  /** A Logon within the session. @returns false if it does not start the numbers over */
  readonly startOver: (logon: FixMessage) => boolean;
  /** False once a Logout was sent. */
  readonly isActive: () => boolean;
  readonly isClosed: () => boolean;
}

export class MessageHandler {
  readonly incoming: Incoming;
  readonly #options: HandlerOptions;
  readonly #outgoing: Outgoing;

  constructor(options: HandlerOptions) {
    this.#options = options;
    this.#outgoing = options.outgoing;
    this.incoming = new Incoming({
      handle: (message, standing) => this.#handle(message, standing),
      ask: begin => {
        options.counters.resendsAsked++;
        options.host.told({ is: 'asked', from: begin });
        this.#outgoing.send(MsgType.resendRequest, [
          [Tag.beginSeqNo, begin],
          [Tag.endSeqNo, 0],
        ]);
      },
      nowMs: options.host.nowMs,
    });
  }

  take(message: FixMessage): void {
    if (this.#isHeaderRight(message)) this.incoming.take(message);
  }

  /** What every message of the session must have; false: it goes no further. */
  #isHeaderRight(message: FixMessage): boolean {
    if (message.text(Tag.beginString) !== 'FIX.4.4') {
      this.#options.leave('Incorrect BeginString');
      return false;
    }
    // 11: the number of a Reset does not count, and may be 0.
    if (!(message.seqNum >= (isReset(message) ? 0 : 1))) {
      this.#options.leave('MsgSeqNum missing or no number');
      return false;
    }
    // 14b, 14d: a CompID that is missing or empty has a reject reason of its own.
    const target = message.text(Tag.targetCompId) || this.#options.settings.compId;
    const sender = message.text(Tag.senderCompId) || this.#outgoing.targetCompId;
    if (target !== this.#options.settings.compId || sender !== this.#outgoing.targetCompId) {
      const tag = sender === this.#outgoing.targetCompId ? Tag.targetCompId : Tag.senderCompId;
      this.#rejectAndLeave(message, RejectReason.compIdProblem, tag);
      return false;
    }
    if (!isTimely(message, this.#options.host, this.#options.settings)) {
      this.#rejectAndLeave(message, RejectReason.sendingTimeAccuracy, Tag.sendingTime);
      return false;
    }
    return true;
  }

  /** 2k, 2o, 2f: a Reject, then a Logout. The number is used up. */
  #rejectAndLeave(message: FixMessage, reason: RejectReason, tag: number): void {
    this.#reject(message, { reason, tag: String(tag) });
    if (message.seqNum === this.incoming.next) this.incoming.next++;
    this.#options.leave(REJECT_TEXTS[reason]);
  }

  tooLow(seqNum: number): void {
    this.#options.leave(`MsgSeqNum too low, expecting ${this.incoming.next} but received ${seqNum}`);
  }

  #reject(message: FixMessage, rejection: Rejection): void {
    const { reason, tag, text } = rejection;
    this.#options.counters.rejects++;
    this.#options.host.told({ is: 'rejected', message, rejection });
    const fields: (readonly [number, string | number])[] = [...reversedRoute(message)];
    fields.push([Tag.refSeqNum, message.seqNum], [Tag.text, text ?? REJECT_TEXTS[reason]]);
    if (tag !== undefined && /^-?\d{1,9}$/.test(tag)) fields.push([Tag.refTagId, tag]);
    if (message.type !== '') fields.push([Tag.refMsgType, message.type]);
    fields.push([Tag.sessionRejectReason, reason]);
    this.#outgoing.send(MsgType.reject, fields, true);
  }

  /** Where a message stands to the number expected. */
  #handle(message: FixMessage, standing: 'due' | 'ahead' | 'behind'): 'wait' | 'done' | 'number_kept' {
    if (this.#options.isClosed()) return 'number_kept';
    if (isReset(message)) {
      this.#sequenceReset(message);
      return 'number_kept';
    }
    if (message.type === MsgType.logon && this.#options.startOver(message)) return 'number_kept';
    if (message.isYes(Tag.possDupFlag) && !this.#isPossDupRight(message))
      return this.#options.isClosed() ? 'number_kept' : 'done';
    if (standing === 'behind') {
      if (!message.isYes(Tag.possDupFlag)) this.#behind(message);
      return 'number_kept';
    }
    if (standing === 'ahead') return this.#ahead(message);
    const rejection = rejectionOf(message);
    if (rejection !== undefined) {
      this.#reject(message, rejection);
      return 'done';
    }
    return this.#process(message);
  }

  /** 2g: OrigSendingTime is missing; 2f: it is later than SendingTime. */
  #isPossDupRight(message: FixMessage): boolean {
    const originally = message.text(Tag.origSendingTime);
    if (originally === undefined) {
      this.#reject(message, { reason: RejectReason.requiredTagMissing, tag: String(Tag.origSendingTime) });
      return false;
    }
    const [from, to] = [utcMicros(originally), utcMicros(message.text(Tag.sendingTime) ?? '')];
    if (from === undefined || to === undefined || from <= to) return true;
    this.#rejectAndLeave(message, RejectReason.sendingTimeAccuracy, Tag.origSendingTime);
    return false;
  }

  /** A ResendRequest is answered and a Logout obeyed at once (20): the client may wait for it before it fills the gap. */
  #ahead(message: FixMessage): 'wait' | 'done' | 'number_kept' {
    if (message.type === MsgType.logout) {
      this.#logout();
      return 'number_kept';
    }
    if (message.type !== MsgType.resendRequest || rejectionOf(message) !== undefined) return 'wait';
    this.#resendRequest(message);
    return 'done';
  }

  /** 2c. As with other engines, a ResendRequest is answered and a Logout obeyed whatever its number is (8, 20). */
  #behind(message: FixMessage): void {
    if (message.type === MsgType.logout) this.#logout();
    else if (message.type === MsgType.resendRequest && rejectionOf(message) === undefined) this.#resendRequest(message);
    else this.tooLow(message.seqNum);
  }

  #process(message: FixMessage): 'done' | 'number_kept' {
    switch (message.type) {
      case MsgType.heartbeat:
      case MsgType.reject:
        break;
      case MsgType.testRequest:
        this.#outgoing.send(MsgType.heartbeat, [[Tag.testReqId, message.text(Tag.testReqId) ?? '']]);
        break;
      case MsgType.resendRequest:
        this.#resendRequest(message);
        break;
      case MsgType.sequenceReset:
        return this.#gapFill(message);
      case MsgType.logout:
        this.incoming.next++;
        this.#logout();
        return 'number_kept';
      case MsgType.logon:
        this.#reject(message, { reason: RejectReason.other, text: 'already logged on' });
        break;
      default: {
        if (!this.#options.isActive()) break;
        const rejection = this.#options.host.application(message);
        if (rejection !== undefined) this.#reject(message, rejection);
      }
    }
    return 'done';
  }

  /** The client answers our Logout. */
  loggedOut(message: FixMessage): void {
    this.incoming.done(message.seqNum, false);
    this.#options.close(LOGGED_OUT);
  }

  /** 13b. While our own Logout waits for an answer, this is it. */
  #logout(): void {
    if (this.#options.isActive()) this.#outgoing.send(MsgType.logout, []);
    this.#options.close(LOGGED_OUT);
  }

  /** 8; the last message sent is the upper bound of what can be asked for. */
  #resendRequest(message: FixMessage): void {
    const begin = message.integer(Tag.beginSeqNo);
    const asked = message.integer(Tag.endSeqNo);
    const last = this.#outgoing.next - 1;
    const end = asked === 0 ? last : Math.min(asked, last);
    if (!(begin >= 1) || (asked !== 0 && !(asked >= begin))) {
      const tag = begin >= 1 ? Tag.endSeqNo : Tag.beginSeqNo;
      this.#reject(message, { reason: RejectReason.incorrectValue, tag: String(tag) });
      return;
    }
    if (begin > end) return;
    this.resend(begin, end);
  }

  /** What was sent with these numbers, again or filled. */
  resend(begin: number, end: number): void {
    this.#options.counters.resendsAnswered++;
    const { host } = this.#options;
    const kept = this.#outgoing.keptBetween(begin, end);
    const again = kept > 0 && host.mayResend(kept) ? kept : 0;
    host.told({ is: 'filled', from: begin, to: end, again });
    this.#outgoing.resend(begin, end, again > 0);
    if (this.#options.isActive()) this.#options.host.filled(begin, end);
  }

  /** 10: only forward. */
  #gapFill(message: FixMessage): 'done' | 'number_kept' {
    const newSeqNo = message.integer(Tag.newSeqNo);
    if (newSeqNo > message.seqNum) {
      this.incoming.skipTo(newSeqNo);
      return 'number_kept';
    }
    this.#reject(message, { reason: RejectReason.incorrectValue, tag: String(Tag.newSeqNo) });
    return 'number_kept';
  }

  /** 11: the message's own number does not count. */
  #sequenceReset(message: FixMessage): void {
    const rejection = rejectionOf(message);
    const newSeqNo = message.integer(Tag.newSeqNo);
    if (rejection !== undefined) this.#reject(message, rejection);
    else if (newSeqNo >= this.incoming.next) this.incoming.skipTo(newSeqNo);
    else this.#reject(message, { reason: RejectReason.incorrectValue, tag: String(Tag.newSeqNo) });
  }
}
