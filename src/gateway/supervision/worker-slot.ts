/** The place of one gateway worker in the supervisor: its thread, which may be replaced. */
import type { Worker } from 'node:worker_threads';
import type { RestartPace } from '../../observe/restart-pace.js';

export interface Slot {
  thread: Worker | undefined;
  isListening: boolean;
  /** It hangs and cannot be ended. */
  isStuck: boolean;
  readonly pace: RestartPace;
  lastError: string;
}

/** What an operator sees of a worker; `starting`: also while it waits to be replaced. */
export function stateOf({ thread, isListening, isStuck, pace }: Slot): 'running' | 'starting' | 'stuck' | 'crash_loop' {
  if (isStuck) return 'stuck';
  if (isListening && thread !== undefined) return 'running';
  return pace.isCrashLoop ? 'crash_loop' : 'starting';
}
