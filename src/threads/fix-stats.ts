/** What the FIX thread counts besides what every gateway thread does. */

/** What ended a session; `left`: the client logged out, `regular`: the gateway did, for no fault of the client. */
export const FIX_ENDS = [
  'left',
  'regular',
  'protocol',
  'slow',
  'expired',
  'revoked',
  'limited',
  'broken',
  'refused',
] as const;
export type FixEnd = (typeof FIX_ENDS)[number];

/** Counts since the thread's start; the first three are what there is at present. */
export interface FixStats {
  /** Clients that are logged on. */
  readonly sessions: number;
  /** Topics that they are subscribed to, each counted once per session. */
  readonly subscriptions: number;
  /** Sessions that get less than they asked for, because they read too slowly. */
  readonly slowed: number;
  readonly logons: number;
  readonly logonsRefused: number;
  readonly ends: readonly (readonly [end: FixEnd, count: number])[];
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesOut: number;
  readonly garbled: number;
  readonly rejects: number;
  readonly resendsAsked: number;
  readonly resendsAnswered: number;
  readonly stalls: number;
}
