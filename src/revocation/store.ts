/** A store that keeps revocations after the process ends. */
import type { Revocation } from '../auth/revocation-text.js';

/**
 * `connecting`: nothing is known yet. `read`: everything in it is known here, including later changes. `absent`: the
 * server offers no such store. `unreadable`: it may hold revocations that are not known here.
 */
export type StoreState = 'connecting' | 'read' | 'absent' | 'unreadable';

/** What a store reports to its owner. */
export interface StoreOwner {
  /** An entry of the store. */
  entry(revocation: Revocation): void;
  /** Something that is not a valid entry. The store keeps working. */
  corrupt(where: string): void;
  state(state: StoreState, detail: string): void;
  notice(what: string, detail: string): void;
}

/** Longest time until a failed store is retried. */
export const STORE_RETRY_MS_MAX = 5_000;

export interface RevocationStore {
  readonly name: 'bucket' | 'backup_bucket' | 'file';
  readonly state: StoreState;
  /** Revocations in force that it does not hold yet. */
  readonly unwritten: number;
  /** Resolves once its state is known. @throws {ConfigError} if it can never be used. */
  open(): Promise<void>;
  /** Stores the revocation, sooner or later. Resolves with whether it is stored; never rejects. */
  put(revocation: Revocation): Promise<boolean>;
  close(): Promise<void>;
}
