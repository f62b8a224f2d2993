/** An acceptor's session on a clock that tests set, and what it sends. */
import { AcceptorSession } from '../../src/fix/session/acceptor-session.js';
import type { SessionEvent, SessionSettings } from '../../src/fix/session/contract.js';
import type { LogonRequest } from '../../src/fix/session/logon.js';
import type { SessionNumbers } from '../../src/fix/session/numbers.js';
import type { FixMessage } from '../../src/fix/wire/message.js';
import type { Rejection } from '../../src/fix/wire/validation.js';
import { bodyOf, type Fields, fieldsOf, framed, messagesIn, readable, stampOf } from './fix-wire.js';

export const SETTINGS: SessionSettings = {
  compId: 'MILLRACE',
  heartbeatMinSeconds: 1,
  heartbeatMaxSeconds: 60,
  messageBytesMax: 64 * 1024,
  sendingTimeMaxMs: 120_000,
  asksForProof: false,
};
const START_MS = Date.UTC(2026, 0, 15, 12);

/** What the application answers to a message. */
type Application = (message: FixMessage, session: AcceptorSession) => Rejection | undefined;

export class TestAcceptor {
  readonly session: AcceptorSession;
  nowMs = START_MS;
  numbers: SessionNumbers = { nextIn: 1, nextOut: 1 };
  /** Sent and not taken yet. */
  sent = '';
  /** Why the connection was closed. */
  closed: string | undefined;
  readonly applications: string[] = [];
  readonly filled: (readonly [number, number])[] = [];
  readonly logons: LogonRequest[] = [];
  readonly told: SessionEvent[] = [];
  /** Times, µs. */
  readonly confirmed: number[] = [];
  mayResend = true;
  /** How a logon is answered; undefined: not yet. */
  verdict: 'accept' | { readonly refuse: string } | { readonly drop: string } | undefined = 'accept';

  constructor(settings: Partial<SessionSettings> = {}, application: Application = () => undefined) {
    this.session = new AcceptorSession(
      { ...SETTINGS, ...settings },
      {
        nowMs: () => this.nowMs,
        wallMicros: () => this.nowMs * 1000,
        send: bytes => {
          this.sent += readable(bytes);
        },
        received: () => {},
        taken: () => {},
        told: event => this.told.push(event),
        confirmed: micros => this.confirmed.push(micros),
        mayResend: () => this.mayResend,
        logon: request => {
          this.logons.push(request);
          if (this.verdict === 'accept') this.session.accept(this.numbers);
          else if (this.verdict !== undefined && 'refuse' in this.verdict) this.session.refuse(this.verdict.refuse);
          else if (this.verdict !== undefined) this.session.drop(this.verdict.drop);
        },
        application: message => {
          this.applications.push(message.type);
          return application(message, this.session);
        },
        startedOver: () => {},
        filled: (begin, end) => {
          this.filled.push([begin, end]);
        },
        disconnect: reason => {
          this.closed = reason;
        },
      },
    );
  }

  /** A message from the client; the header's fields may be given other values, or removed with ''. */
  message(type: string, seqNum: number, fields: Fields = [], header: Readonly<Record<number, string>> = {}): Buffer {
    const head: Record<number, string> = {
      34: String(seqNum),
      49: 'CLIENT',
      52: stampOf(this.nowMs),
      56: 'MILLRACE',
      ...header,
    };
    const all: Fields = [
      [35, type],
      ...Object.entries(head).flatMap(([tag, value]) =>
        value === '' || tag === '8' ? [] : [[Number(tag), value] as const],
      ),
      ...fields,
    ];
    return framed(bodyOf(all), header[8]);
  }

  receive(type: string, seqNum: number, fields: Fields = [], header: Readonly<Record<number, string>> = {}): void {
    this.session.receive(this.message(type, seqNum, fields, header));
  }

  logOn(seqNum = 1, fields: Fields = []): void {
    this.receive('A', seqNum, [[98, 0], [108, 30], ...fields]);
  }

  /** Moves the clock in steps of 100 ms, as the thread does. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 100) {
      this.nowMs += 100;
      this.session.tick();
    }
  }

  /** What was sent since the last call: a field list per message. */
  take(): [tag: number, value: string][][] {
    const messages = messagesIn(this.sent).map(fieldsOf);
    this.sent = '';
    return messages;
  }

  /** The same as short texts: type and the named fields, `3 45=2 373=9`. */
  takeShort(tags: readonly number[]): string[] {
    return this.take().map(fields => {
      const type = fields.find(([tag]) => tag === 35)?.[1] ?? '';
      return [type, ...fields.filter(([tag]) => tags.includes(tag)).map(([tag, value]) => `${tag}=${value}`)].join(' ');
    });
  }
}
