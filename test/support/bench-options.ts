/** The benchmark's command line as it stands with nothing but `--quick`. */
import type { BenchOptions } from '../../bench/suite.js';

export const OPTIONS: BenchOptions = {
  quick: true,
  full: false,
  rounds: 1,
  seconds: undefined,
  warmupSeconds: undefined,
  clients: undefined,
  symbols: undefined,
  symbolsPerClient: undefined,
  windowUpdates: undefined,
  batchUpdates: undefined,
  shape: undefined,
  format: undefined,
  workers: '1',
  encoders: '1',
  only: undefined,
  checkOrder: false,
};
