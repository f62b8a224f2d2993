/** What decides who may connect, log on and ask for what; the same as for WebSocket connections (src/fix-thread.ts). */
import type { Credential, Entitlements } from '../auth/credential.js';
import type { FixEnd } from '../threads/fix-stats.js';

/** A client's budget of work, in units (protocol/costs.ts). */
export interface WorkBudget {
  /** Charges work that may be refused. @returns how long to wait instead, ms; 0: it is charged */
  charge(units: number): number;
  /** Charges work that is done in any case. */
  owe(units: number): void;
  /** Charges reading a message. @returns false if the client keeps sending though its budget is used up */
  read(bytes: number): boolean;
}

/** Why a client may not log on: what a WebSocket would get, and the text of the Logout. */
export interface LogonRefusal {
  /** Of the HTTP answer. */
  readonly status: number;
  readonly code: string;
  readonly text: string;
}

export interface FixAccess {
  /** A connection attempt from this address. @returns false if there are too many */
  attempt(address: string): boolean;
  /**
   * The credential behind a Logon.
   * @returns why it is refused, instead
   */
  verify(
    username: string | undefined,
    password: string | undefined,
    address: string,
  ): Promise<Credential | LogonRefusal> | Credential | LogonRefusal;
  /** Takes a slot, until `leave`. @returns why there is none */
  enter(address: string, credential: Credential): LogonRefusal | undefined;
  leave(address: string, credential: Credential): void;
  entitlementsOf(credential: Credential): Entitlements;
  /** What the holder of this credential would get now; undefined once it was revoked, or its API key is gone. */
  current(credential: Credential): Credential | undefined;
  /** The client has another credential of the same user from now on. */
  change(from: Credential, to: Credential): void;
  /** @param credential the client's, at any time */
  budgetOf(address: string, credential: () => Credential): WorkBudget;
  /** On whose behalf views are wanted. */
  ownerOf(address: string, credential: Credential): number;
  /** The symbols of these that do not exist. */
  unknown(symbols: readonly string[]): readonly string[] | Promise<readonly string[]>;
}

/** What is logged of clients. */
export interface FixLog {
  connected(connection: LoggedConnection): void;
  refused(connection: RefusedConnection, refusal: LogonRefusal): void;
  ended(connection: LoggedConnection, kind: FixEnd, reason: string): void;
}

/** Who is refused, as far as that is known. */
export type RefusedConnection = Pick<LoggedConnection, 'id' | 'address' | 'credential'>;

export interface LoggedConnection {
  readonly id: number;
  readonly address: string;
  readonly credential: Credential | undefined;
  readonly openedMs: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}
