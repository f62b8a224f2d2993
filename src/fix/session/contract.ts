/** What a session is set up with, needs from outside and tells it. */
import type { FixMessage } from '../wire/message.js';
import type { Rejection } from '../wire/validation.js';
import type { LogonRequest } from './logon.js';

export interface SessionSettings {
  /** Our CompID. */
  readonly compId: string;
  readonly heartbeatMinSeconds: number;
  readonly heartbeatMaxSeconds: number;
  /** Longest body of a message. */
  readonly messageBytesMax: number;
  /** How far SendingTime may be from our time. */
  readonly sendingTimeMaxMs: number;
  /** A TestRequest is sent at each HeartBtInt: its answer proves what the client has received. */
  readonly asksForProof: boolean;
}

/** What a session needs from outside, and tells it. */
export interface SessionHost {
  /** Monotonic, ms. */
  readonly nowMs: () => number;
  /** The time of day, µs since the Unix epoch. */
  readonly wallMicros: () => number;
  /** The bytes are valid until it returns. */
  send(bytes: Buffer): void;
  /** A message of this length has come, garbled or not. It may end the connection. */
  received(bytes: number): void;
  /** A message that is whole came within the session. */
  taken(message: FixMessage): void;
  told(event: SessionEvent): void;
  /** The client has received what was sent before this time, µs since the Unix epoch. */
  confirmed(atMicros: number): void;
  /** A client wants to log on: answer with `accept`, `refuse` or `drop`, now or later. */
  logon(request: LogonRequest): void;
  /** A message that is not of the session, in order; returns what is wrong with it. */
  application(message: FixMessage): Rejection | undefined;
  /** Whether messages that were kept, so many of them, may be sent again; they are filled otherwise. */
  mayResend(messages: number): boolean;
  /** The client has reset both numbers: from now on they are what the session has. */
  startedOver(): void;
  /** Market data with these numbers was filled instead of sent again. */
  filled(begin: number, end: number): void;
  /** Ends the connection, after what was sent. No call follows. */
  disconnect(reason: string): void;
}

/** What the gateway sent of the session itself. */
export type SessionEvent =
  /** A Reject (3). */
  | { readonly is: 'rejected'; readonly message: FixMessage; readonly rejection: Rejection }
  /** A ResendRequest for everything from this number on. */
  | { readonly is: 'asked'; readonly from: number }
  /** The answer to a ResendRequest; `again`: messages sent again instead of filled. */
  | { readonly is: 'filled'; readonly from: number; readonly to: number; readonly again: number }
  /** A Logout that does not answer the client's. */
  | { readonly is: 'logout'; readonly text: string };

export interface SessionCounters {
  messagesIn: number;
  garbled: number;
  rejects: number;
  resendsAsked: number;
  resendsAnswered: number;
}

/** Why a session ended whose client logged out, or answered our Logout. */
export const LOGGED_OUT = 'logged out';
