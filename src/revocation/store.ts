/** What keeps revocations beyond the end of the process. */
import type { Revocation } from '../auth/revocation-text.js';

/**
 * `connecting`: nothing is known yet. `read`: all of it is known here, and stays so. `absent`: the server offers no such store.
 * `unreadable`: it may hold what is not known here.
 */
export type StoreState = 'connecting' | 'read' | 'absent' | 'unreadable';

/** What a store tells its owner. */
export interface StoreOwner {
  /** An entry of the store. */
  entry(revocation: Revocation): void;
  /** Something that is no entry. It stops nothing. */
  corrupt(where: string): void;
  state(state: StoreState, detail: string): void;
  notice(what: string, detail: string): void;
}

/** Longest time until a store that failed is tried again. */
export const STORE_RETRY_MS_MAX = 5_000;

export interface RevocationStore {
  readonly name: 'bucket' | 'backup_bucket' | 'file';
  readonly state: StoreState;
  /** Revocations in force that it does not hold yet. */
  readonly unwritten: number;
  /** Resolves once its state is known. @throws {ConfigError} where it never can be. */
  open(): Promise<void>;
  /** Has it hold the revocation, sooner or later. Resolves with whether it does; never rejects. */
  put(revocation: Revocation): Promise<boolean>;
  close(): Promise<void>;
}
