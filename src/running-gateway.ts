/** A running gateway, and the process that hosts it. */
import type { Revocation } from './auth/revocation-text.js';

/** The handle to a running gateway. */
export interface Gateway {
  readonly url: string;
  readonly adminUrl: string;
  /** A thread is stuck in native code: a clean exit would wait for it, possibly forever. */
  readonly mustBeKilled: boolean;
  /**
   * Reports not ready, stops listening and redirects the clients, spread over DRAIN_TIMEOUT. Clients still connected
   * are served as before. Resolves once all have left; you can call `close` at any time.
   * @param isReplaced another process takes over and needs the admin port
   */
  drain(isReplaced: boolean): Promise<void>;
  /** Disconnects the remaining clients at once and stops everything. */
  close(): Promise<void>;
  /**
   * Loads the certificate files for new connections. If they are unusable, logs that and keeps the current certificate.
   */
  renewCertificate(): void;
}

/** The process that this gateway replaces. */
export interface Predecessor {
  /** All revocations it keeps. @throws {Error} if they are unavailable */
  revocations(): Promise<readonly Revocation[]>;
  /** Tells it to drain and to release the admin port. Does not report whether it did. */
  sendAway(): void;
}

/** The process that hosts a gateway. */
export interface GatewayHost {
  /** The gateway cannot continue: close it and exit. */
  readonly onFatal: (reason: string) => void;
  readonly logLinesLost: () => number;
}
