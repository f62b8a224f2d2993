/** The two sequence numbers of a session, which outlast its connections. */
export interface SessionNumbers {
  /** MsgSeqNum expected next from the client. */
  readonly nextIn: number;
  /** MsgSeqNum of the next message to the client. */
  readonly nextOut: number;
}

export const FIRST_NUMBERS: SessionNumbers = { nextIn: 1, nextOut: 1 };
