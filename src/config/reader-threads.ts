/** Threads that read the encoders' rings. */
import type { Config } from './environment.js';

/** The gateway threads, and the FIX thread behind them if there is one. */
export function readerThreads({ workers, fix }: Pick<Config, 'workers' | 'fix'>): number {
  return fix === undefined ? workers : workers + 1;
}
