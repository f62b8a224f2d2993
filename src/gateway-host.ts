/** What surrounds a gateway: the program that it is part of, and the process that it replaces. */
import type { Reread } from './admin/reload.js';
import type { Revocation } from './auth/revocation-text.js';
import type { Environment } from './config/environment.js';
import type { ClockReading } from './observe/clock-offset.js';
import type { PrivateLines } from './observe/private-lines.js';

/** The process that this gateway replaces. */
export interface Predecessor {
  /** All revocations it keeps. @throws {Error} if they are unavailable */
  revocations(): Promise<readonly Revocation[]>;
  /** Tells it to drain and to release the admin port. Does not report whether it did. */
  sendAway(): void;
}

/** The program that a gateway is part of. */
export interface GatewayHost {
  /** The gateway cannot continue: close it and exit. */
  readonly onFatal: (reason: string) => void;
  readonly logLinesLost: () => number;
  /** Log lines that wait for the journal's pseudonyms; undefined without a journal. */
  readonly privateLines: PrivateLines | undefined;
  /** The settings in force. */
  readonly settings: () => Environment;
  /** How far the clock of the machine is off; undefined while it is not known. */
  readonly clock: () => ClockReading | undefined;
  /** Reads the settings again. @throws {ConfigError} when they are invalid */
  readonly reread: () => Reread;
}
