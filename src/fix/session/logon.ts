/** What a Logon asks for, and what is wrong with it. */
import type { FixMessage } from '../wire/message.js';
import { Tag } from '../wire/tags.js';
import { REJECT_TEXTS, rejectionOf } from '../wire/validation.js';

const COMP_ID_LENGTH_MAX = 64;
/** Printable, and no character that a file name or a subject gives a meaning to. */
const COMP_ID = /^[\w.:@#+-]+$/;

export interface LogonRequest {
  readonly senderCompId: string;
  readonly seqNum: number;
  readonly heartbeatSeconds: number;
  readonly isReset: boolean;
  /** The number that the client expects from us (789). */
  readonly nextExpected: number | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** Undefined: it has no identity that could be answered. */
export function readLogon(message: FixMessage): LogonRequest | undefined {
  const senderCompId = message.text(Tag.senderCompId);
  const { seqNum } = message;
  if (message.text(Tag.beginString) !== 'FIX.4.4') return undefined;
  if (senderCompId === undefined || senderCompId.length > COMP_ID_LENGTH_MAX || !COMP_ID.test(senderCompId)) {
    return undefined;
  }
  if (!(seqNum >= 1)) return undefined;
  const nextExpected = message.integer(Tag.nextExpectedMsgSeqNum);
  return {
    senderCompId,
    seqNum,
    heartbeatSeconds: message.integer(Tag.heartBtInt),
    isReset: message.isYes(Tag.resetSeqNumFlag),
    nextExpected: nextExpected >= 1 ? nextExpected : undefined,
    username: message.text(Tag.username),
    password: message.text(Tag.password),
  };
}

/** Why the Logon is refused, whoever sent it; undefined: nothing is wrong. */
export function logonFault(
  message: FixMessage,
  { heartbeatSeconds }: LogonRequest,
  limits: { readonly heartbeatMinSeconds: number; readonly heartbeatMaxSeconds: number },
): string | undefined {
  const rejection = rejectionOf(message);
  if (rejection !== undefined) {
    const { reason, tag } = rejection;
    return tag === undefined ? REJECT_TEXTS[reason] : `${REJECT_TEXTS[reason]}: ${tag}`;
  }
  // 17
  if (message.text(Tag.encryptMethod) !== '0') return 'EncryptMethod (98) must be 0';
  const { heartbeatMinSeconds, heartbeatMaxSeconds } = limits;
  if (!(heartbeatSeconds >= heartbeatMinSeconds && heartbeatSeconds <= heartbeatMaxSeconds)) {
    return `HeartBtInt (108) must be ${heartbeatMinSeconds} to ${heartbeatMaxSeconds}`;
  }
  return undefined;
}
