/** Messages to the client: their header, their numbers, and what is sent again. */
import { MsgType, Tag } from '../wire/tags.js';
import { UtcText } from '../wire/utc.js';
import { MessageWriter } from '../wire/writer.js';
import type { SessionHost } from './contract.js';
import { SentMessages } from './sent-messages.js';

export class Outgoing {
  /** The message under construction: fields are written to it between `begin` and `end`. */
  readonly writer: MessageWriter;
  next = 1;
  /** The client's CompID. */
  targetCompId = '';
  /** When the last message left, ms. */
  lastSentMs = 0;
  readonly #senderCompId: string;
  readonly #host: Pick<SessionHost, 'nowMs' | 'wallMicros' | 'send'>;
  readonly #utc = new UtcText();
  readonly #sent = new SentMessages();
  #type = '';
  #sendingTime = '';
  #headerBytes = 0;

  /**
   * @param senderCompId ours
   * @param writer sessions may share one: a message is begun and sent in one go
   */
  constructor(
    senderCompId: string,
    host: Pick<SessionHost, 'nowMs' | 'wallMicros' | 'send'>,
    writer: MessageWriter = new MessageWriter(),
  ) {
    this.writer = writer;
    this.#senderCompId = senderCompId;
    this.#host = host;
  }

  /** The next message has the number 1. */
  startOver(): void {
    this.next = 1;
    this.#sent.clear();
  }

  /** Begins a message with the next number. */
  begin(type: string): MessageWriter {
    this.#type = type;
    this.#sendingTime = this.#utc.of(this.#host.wallMicros());
    return this.#header(type, this.next, this.#sendingTime);
  }

  /** Sends the message under construction. @param isKept it is sent again when the client asks for it */
  end(isKept = false): void {
    if (isKept) this.#sent.keep(this.next, { type: this.#type, body: this.#body(), sendingTime: this.#sendingTime });
    this.next++;
    this.#write();
  }

  /** Sends a message that has no field, or only these. */
  send(type: string, fields: readonly (readonly [tag: number, value: string | number])[], isKept = false): void {
    const writer = this.begin(type);
    for (const [tag, value] of fields) {
      if (typeof value === 'number') writer.integer(tag, value);
      else writer.field(tag, value);
    }
    this.end(isKept);
  }

  /** Messages with these numbers that can be sent again. */
  keptBetween(begin: number, end: number): number {
    return this.#sent.countBetween(begin, end);
  }

  /** Answers a ResendRequest: `begin` to `end`, which were sent. @param isAgain false: fills them all */
  resend(begin: number, end: number, isAgain: boolean): void {
    const parts = isAgain ? this.#sent.between(begin, end) : [{ seqNum: begin, newSeqNo: end + 1 }];
    for (const part of parts) {
      const sendingTime = this.#utc.of(this.#host.wallMicros());
      if ('message' in part) {
        const { type, body, sendingTime: originally } = part.message;
        const writer = this.#header(type, part.seqNum, sendingTime, originally);
        let sum = 0;
        for (const byte of body) sum += byte;
        writer.shared({ bytes: body, start: 0, end: body.length, sum });
      } else {
        const writer = this.#header(MsgType.sequenceReset, part.seqNum, sendingTime, sendingTime);
        writer.integer(Tag.newSeqNo, part.newSeqNo);
        writer.field(Tag.gapFillFlag, 'Y');
      }
      this.#write();
    }
  }

  #header(type: string, seqNum: number, sendingTime: string, origSendingTime?: string): MessageWriter {
    const { writer } = this;
    writer.begin();
    writer.field(Tag.msgType, type);
    writer.integer(Tag.msgSeqNum, seqNum);
    if (origSendingTime !== undefined) writer.field(Tag.possDupFlag, 'Y');
    writer.field(Tag.senderCompId, this.#senderCompId);
    writer.field(Tag.sendingTime, sendingTime);
    writer.field(Tag.targetCompId, this.targetCompId);
    if (origSendingTime !== undefined) writer.field(Tag.origSendingTime, origSendingTime);
    this.#headerBytes = writer.length;
    return writer;
  }

  #body(): Buffer {
    return this.writer.copyFrom(this.#headerBytes);
  }

  #write(): void {
    this.lastSentMs = this.#host.nowMs();
    this.#host.send(this.writer.end());
  }
}
