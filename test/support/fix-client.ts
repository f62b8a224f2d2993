/**
 * A FIX client for tests, without sockets: it keeps what it sent, fills gaps when asked, asks for what it lacks, and
 * continues with its numbers over reconnects.
 */
import { bodyOf, type Fields, fieldsOf, framed, messagesIn, stampOf } from './fix-wire.js';

interface Kept {
  readonly type: string;
  readonly fields: Fields;
  readonly stamp: string;
}

/** Session messages are filled, others are sent again. */
const SESSION_TYPES = new Set(['0', '1', '2', '3', '4', '5', 'A']);

export class TestFixClient {
  nextIn = 1;
  nextOut = 1;
  isLoggedOn = false;
  /** The connection must be closed. */
  isOver = false;
  readonly #kept = new Map<number, Kept>();
  readonly #waiting = new Map<number, [number, string][]>();
  readonly #nowMs: () => number;
  readonly #send: (bytes: Buffer) => void;
  readonly #onApplication: (fields: readonly (readonly [number, string])[]) => void;
  #askedBelow = 0;
  #lastSentMs = 0;
  #askedAtMs = 0;

  constructor(
    nowMs: () => number,
    send: (bytes: Buffer) => void,
    onApplication: (fields: readonly (readonly [number, string])[]) => void = () => {},
  ) {
    this.#nowMs = nowMs;
    this.#send = send;
    this.#onApplication = onApplication;
  }

  logOn(): void {
    this.isLoggedOn = false;
    this.isOver = false;
    this.#askedBelow = 0;
    this.#waiting.clear();
    this.send('A', [
      [98, 0],
      [108, 5],
    ]);
  }

  send(type: string, fields: Fields = []): void {
    const seqNum = this.nextOut++;
    const stamp = stampOf(this.#nowMs());
    this.#kept.set(seqNum, { type, fields, stamp });
    this.#write(type, seqNum, fields, stamp);
  }

  tick(): void {
    if (this.isOver) return;
    if (this.isLoggedOn && this.#nowMs() - this.#lastSentMs >= 5_000) this.send('0');
    const isOpen = this.nextIn < this.#askedBelow && this.#nowMs() - this.#askedAtMs >= 5_000;
    if (isOpen) this.#ask(this.#askedBelow);
  }

  /** Whole messages, readable; garbled ones are ignored. */
  receive(text: string): void {
    for (const message of messagesIn(text)) {
      if (this.isOver) return;
      const fields = fieldsOf(message);
      const raw = message.replaceAll('|', '\x01');
      const sum = Buffer.from(raw.slice(0, -7), 'latin1').reduce((total, byte) => total + byte, 0) % 256;
      if (Number(fieldOf(fields, 10)) === sum) this.#take(fields);
    }
  }

  #take(fields: [number, string][]): void {
    const type = fieldOf(fields, 35);
    const seqNum = Number(fieldOf(fields, 34));
    if (type === 'A' || type === '5') this.isLoggedOn = type === 'A';
    if (type === '5') this.isOver = true;
    if (type === '2') this.#resend(Number(fieldOf(fields, 7)));
    if (seqNum < this.nextIn) {
      if (fieldOf(fields, 43) !== 'Y') this.isOver = true;
      return;
    }
    if (seqNum > this.nextIn) {
      this.#waiting.set(seqNum, fields);
      if (this.nextIn >= this.#askedBelow) this.#ask(seqNum);
      return;
    }
    this.#due(type, fields);
    for (let next = this.#waiting.get(this.nextIn); next !== undefined; next = this.#waiting.get(this.nextIn)) {
      this.#waiting.delete(this.nextIn);
      this.#due(fieldOf(next, 35), next);
    }
  }

  #due(type: string, fields: [number, string][]): void {
    if (type === '4') {
      this.nextIn = Number(fieldOf(fields, 36));
      for (const seqNum of [...this.#waiting.keys()]) if (seqNum < this.nextIn) this.#waiting.delete(seqNum);
      return;
    }
    this.nextIn++;
    if (type === '1') this.send('0', [[112, fieldOf(fields, 112)]]);
    else if (!SESSION_TYPES.has(type)) this.#onApplication(fields);
  }

  #ask(below: number): void {
    this.#askedBelow = below;
    this.#askedAtMs = this.#nowMs();
    this.send('2', [
      [7, this.nextIn],
      [16, 0],
    ]);
  }

  #resend(begin: number): void {
    const end = this.nextOut;
    let from = begin;
    for (let seqNum = begin; seqNum < end; seqNum++) {
      const kept = this.#kept.get(seqNum);
      if (kept === undefined || SESSION_TYPES.has(kept.type)) continue;
      if (from < seqNum) this.#fill(from, seqNum);
      this.#write(kept.type, seqNum, kept.fields, kept.stamp, true);
      from = seqNum + 1;
    }
    if (from < end) this.#fill(from, end);
  }

  #fill(from: number, to: number): void {
    this.#write(
      '4',
      from,
      [
        [123, 'Y'],
        [36, to],
      ],
      stampOf(this.#nowMs()),
      true,
    );
  }

  #write(type: string, seqNum: number, fields: Fields, stamp: string, isPossDup = false): void {
    this.#lastSentMs = this.#nowMs();
    const again: Fields = isPossDup
      ? [
          [43, 'Y'],
          [122, stamp],
        ]
      : [];
    const head: Fields = [
      [35, type],
      [34, seqNum],
      [49, 'CLIENT'],
      [52, stampOf(this.#nowMs())],
      [56, 'MILLRACE'],
    ];
    this.#send(framed(bodyOf([...head, ...again, ...fields])));
  }
}

function fieldOf(fields: readonly (readonly [number, string])[], tag: number): string {
  return fields.find(([at]) => at === tag)?.[1] ?? '';
}
