/** What the FIX thread counts besides what every gateway thread does, since its start. */
export interface FixStats {
  /** Sessions that are logged on now. */
  readonly sessions: number;
  readonly logons: number;
  readonly logonsRefused: number;
  /** Logouts and disconnects, by what ended the session. */
  readonly ends: readonly (readonly [kind: string, count: number])[];
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly garbled: number;
  readonly rejects: number;
  readonly resendsAsked: number;
  readonly resendsAnswered: number;
}
