/** Where data comes from. */
import type { SecretReaders } from './values.js';

export interface NatsConfig {
  readonly url: string;
  /** A second source of the same messages, for when the first fails. */
  readonly backupUrl: string | undefined;
  /** How long the first may be lost or silent. */
  readonly staleAfterMs: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly token: string | undefined;
  /** Path of a .creds file. */
  readonly credsFile: string | undefined;
  readonly tlsCaFile: string | undefined;
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
  /** Who may be able to read the files of this. */
  readonly secretReaders: SecretReaders;
  readonly jetstream: boolean;
  readonly stream: string;
}

export interface SimulatorConfig {
  readonly symbols: number;
  /** Updates per second over all symbols; 0: the calm market, a random subset every `intervalMs`. */
  readonly updatesPerSecond: number;
  readonly intervalMs: number;
  readonly seed: number;
}

export interface ReplayConfig {
  readonly file: string;
  /** 1 = as recorded, 10 = ten times as fast, 0 = as fast as it goes. */
  readonly speed: number;
  /** At the end of the recording, wait for what is still being recorded. */
  readonly follow?: boolean;
}
