/** Counts frames that tell clients of something wrong: errors by code, gaps and stale topics by reason. */
import {
  ERROR_CODES,
  type ErrorCode,
  GAP_REASON_NAMES,
  type GapReason,
  STALE_REASON_NAMES,
} from '../../protocol/codes.js';

const zeros = <Key extends string>(keys: readonly Key[]): Record<Key, number> =>
  Object.fromEntries(keys.map(key => [key, 0])) as Record<Key, number>;

export class Announcements {
  readonly errors = zeros(Object.keys(ERROR_CODES) as ErrorCode[]);
  readonly gaps = zeros(GAP_REASON_NAMES);
  readonly stales = zeros(STALE_REASON_NAMES);

  /** A control message was sent to so many sockets. */
  sent(message: object, sockets: number): void {
    const { type, code, reason } = message as Readonly<Record<'type' | 'code' | 'reason', unknown>>;
    if (type === 'error') this.errors[code as ErrorCode] += sockets;
    else if (type === 'gap') this.gaps[reason as GapReason] += sockets;
  }

  /** An encoder's gap frame was. @param reason its number (protocol/codes.ts) */
  gap(reason: number, sockets: number): void {
    const name = GAP_REASON_NAMES[reason - 1];
    if (name !== undefined) this.gaps[name] += sockets;
  }

  /** An encoder's stale frame was. @param reason its number */
  stale(reason: number, sockets: number): void {
    const name = STALE_REASON_NAMES[reason - 1];
    if (name !== undefined) this.stales[name] += sockets;
  }
}
