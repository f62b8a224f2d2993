import type { JournalConfig } from '../config/variables/journal.js';
import type { FolderLock } from './lock.js';

/** What the journal thread is given at its start. */
export interface JournalThreadData {
  readonly settings: JournalConfig;
  /** Where it writes: `JOURNAL_DIR`, or its `takeover`. */
  readonly folder: string;
  /** Of this folder. */
  readonly lock: FolderLock;
  readonly node: string;
  /** Whose journal it is, in checkpoints. */
  readonly origin: string;
  readonly cells: SharedArrayBuffer;
}
