/** What a gateway worker reports of its clients, for the log. */
import type { Tier } from '../protocol/view-options.js';

/** Work for one session that took too long, as it is logged. */
export interface LongWork {
  /** The connection's id; undefined for one that was not admitted yet. */
  readonly connection: string | undefined;
  readonly address: string | undefined;
  /** As LOG_USERS says; undefined for an anonymous connection. */
  readonly user: string | undefined;
  /** A command's action, or what the socket was served for. */
  readonly action: string;
  readonly ms: number;
  /** True when it was interrupted; false when it finished. */
  readonly isStopped: boolean;
}

/** `broken`: it ended other than by a regular close. */
export type ClientEvent = 'connected' | 'refused' | 'stepped_down' | 'restored' | 'ended' | 'broken';

/** An event of a client, as it is logged. */
export interface ClientLine {
  readonly event: ClientEvent;
  /** The connection's id, which the client has too. */
  readonly connection: string;
  /** As LOG_USERS says; undefined without a credential. */
  readonly user: string | undefined;
  readonly tier: Tier | undefined;
  readonly address: string;
  /** The HTTP status of a refusal. */
  readonly status?: number;
  /** The code of a refusal, or of the close. */
  readonly code?: string | number;
  readonly reason?: string;
  /** Of the credential that was refused for what it lacks. */
  readonly roles?: readonly string[];
  /** Classes slower than the client asked for. */
  readonly steps?: number;
  /** Who closed it. */
  readonly by?: 'gateway' | 'client';
  readonly durationMs?: number;
  readonly receivedBytes?: number;
  readonly sentBytes?: number;
}
