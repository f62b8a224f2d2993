/** What the FIX thread and the main thread tell each other besides what every gateway thread does: sequence numbers. */

/** FIX thread → main. */
export type FromFix =
  /** Takes the numbers of a session. Answered by `fix_opened`. */
  | { readonly type: 'fix_open'; readonly id: number; readonly senderCompId: string; readonly user: string }
  /** The numbers of open sessions now. */
  | {
      readonly type: 'fix_save';
      readonly sessions: readonly (readonly [key: string, nextIn: number, nextOut: number])[];
    }
  /** The session's connection has ended. */
  | { readonly type: 'fix_release'; readonly key: string; readonly nextIn: number; readonly nextOut: number };

/** True for what only the FIX thread posts. */
export function isFromFix(message: { readonly type: string }): message is FromFix {
  return message.type.startsWith('fix_');
}

/** Main → FIX thread. */
export type ToFix =
  | {
      readonly type: 'fix_opened';
      readonly id: number;
      /** Names the session from now on. */
      readonly key: string;
      /** Undefined: `detail` says why there are none. */
      readonly numbers: { readonly nextIn: number; readonly nextOut: number } | undefined;
      readonly detail: string;
      /** The user has too many sessions. */
      readonly isFull?: boolean;
    }
  /** Another process has the port, and leaves it soon: wait for that. */
  | { readonly type: 'fix_takeover' }
  /** Another gateway has taken the session. */
  | { readonly type: 'fix_lost'; readonly key: string };
