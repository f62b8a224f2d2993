/** Where data comes from. */
import type { SecretReaders } from './values.js';

export interface NatsConfig {
  /** One server or several, with their credentials, if any. */
  readonly url: string;
  /** A second server with the same messages, used when the first fails. */
  readonly backupUrl: string | undefined;
  /** How long the first server may be lost or silent. */
  readonly staleAfterMs: number;
  /** How long the start waits for a server, ms; 0: without end. */
  readonly startTimeoutMs: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  /** Seed of a user nkey. */
  readonly nkeySeed: string | undefined;
  readonly nkeySeedFile: string | undefined;
  /** Path of a .creds file. */
  readonly credsFile: string | undefined;
  /** Start with TLS, before the server has said anything. */
  readonly tlsFirst: boolean;
  readonly tlsCaFile: string | undefined;
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
  /** Who besides the owner may be able to read these files. */
  readonly secretReaders: SecretReaders;
  readonly jetstream: boolean;
  readonly stream: string;
  /** Servers that hold each stream created here. */
  readonly streamReplicas: number;
  /** Where JetStream's API is: `$JS.API`, `$JS.<domain>.API`, or what the account calls it. */
  readonly jsApiPrefix: string;
  /** The subjects of replies begin with it. */
  readonly inboxPrefix: string;
  /** All other subjects begin with it; '' for none. */
  readonly subjectPrefix: string;
}

export interface SimulatorConfig {
  readonly symbols: number;
  /** Updates per second over all symbols; 0: the calm market, which moves a random subset every `intervalMs`. */
  readonly updatesPerSecond: number;
  readonly intervalMs: number;
  readonly seed: number;
  /** Whether one more symbol has a venue with orders. */
  readonly hasOrders?: boolean;
}

export interface ReplayConfig {
  readonly file: string;
  /** 1 is as recorded, 10 ten times as fast, 0 as fast as possible. */
  readonly speed: number;
  /** At the end of the recording, wait for more. */
  readonly follow?: boolean;
}
