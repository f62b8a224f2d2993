/** A gateway that runs, and what it runs in. */
import type { Revocation } from './auth/revocation-text.js';

/** Everything that runs, to be closed again. */
export interface Gateway {
  readonly url: string;
  readonly adminUrl: string;
  /** A thread is stuck in native code: an orderly exit of the process would wait for it, perhaps for ever. */
  readonly mustBeKilled: boolean;
  /**
   * Is not ready any more, leaves the port to others, and sends the clients elsewhere, spread over DRAIN_TIMEOUT; who is still
   * here is served as before. Resolves when they are gone; `close` ends it at any time.
   * @param isReplaced another process takes over here and wants the admin port
   */
  drain(isReplaced: boolean): Promise<void>;
  /** Sends away whoever is left, all at once, and ends everything. */
  close(): Promise<void>;
  /** Newcomers get the certificate that the files hold now. One that cannot be used is logged, and the present one stays. */
  renewCertificate(): void;
}

/** The process that a gateway replaces. */
export interface Predecessor {
  /** All revocations that it keeps. @throws {Error} where they cannot be had */
  revocations(): Promise<readonly Revocation[]>;
  /** Has it drain, and let go of the admin port. What became of it meanwhile is its own affair. */
  sendAway(): void;
}

/** The process that a gateway runs in. */
export interface GatewayHost {
  /** The gateway cannot go on: it is to be closed, and the process to end. */
  readonly onFatal: (reason: string) => void;
  readonly logLinesLost: () => number;
}
