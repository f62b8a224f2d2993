/** What a benchmark and its attacker's process say to each other over IPC. */
import type { Payload } from './payloads.js';

/** One attack, as its process is told it. */
export interface AttackPlan {
  readonly connections: number;
  /** Loopback addresses that the connections come from, in turn. */
  readonly addresses: readonly string[];
  /** Path and query of the upgrades, in turn. */
  readonly paths: readonly string[];
  /** Sent first by each connection, which waits for an answer to each. */
  readonly prelude: readonly Payload[];
  /** Sent in turn by each connection from then on. */
  readonly messages: readonly Payload[];
  /** Over all connections. What cannot be sent when it is due is left out, not made up for. */
  readonly perSecond: number;
  /** Messages of a connection that wait for their answer at most; undefined: it does not wait. */
  readonly unansweredMax?: number | undefined;
  /** Nothing is read after the prelude. */
  readonly isStalled?: boolean | undefined;
  /** How far behind its first position `{since}` is, in messages. */
  readonly sinceBack?: number | undefined;
  /** Connections that are opened a second and end after so long, in place of those that stay. */
  readonly storm?: { readonly perSecond: number; readonly holdMs: number } | undefined;
}

export interface AttackTarget {
  readonly host: string;
  readonly port: number;
}

/** What the attacker sent and was answered since it began. */
export interface AttackReport {
  readonly seconds: number;
  readonly sent: number;
  /** Bytes of frames, headers included. */
  readonly sentBytes: number;
  /** Due, but its connections were closed, told to wait, or took no more. */
  readonly heldBack: number;
  /** Replies other than errors. */
  readonly accepted: number;
  /** Errors by code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Data frames of every kind. */
  readonly frames: number;
  readonly receivedBytes: number;
  readonly opened: number;
  /** Refused upgrades by HTTP status; 0: the connection failed otherwise. */
  readonly refusedUpgrades: Readonly<Record<string, number>>;
  /** Connections that the server ended, by close code; 1006: without a close frame. */
  readonly closes: Readonly<Record<string, number>>;
  /** Cores that this process used. */
  readonly cpuShare: number;
  readonly loopUtilisation: number;
}

export type AttackCommand =
  | {
      readonly type: 'attack';
      readonly plan: AttackPlan;
      readonly target: AttackTarget;
      /** At the lowest priority from then on: on a machine of its own it would take no core from those that it attacks. */
      readonly isPolite: boolean;
    }
  | { readonly type: 'report' }
  /** Ends the connections too. */
  | { readonly type: 'stop' };

export type AttackAnswer =
  | { readonly type: 'attacking' }
  | { readonly type: 'reported'; readonly report: AttackReport }
  | { readonly type: 'stopped'; readonly report: AttackReport };
