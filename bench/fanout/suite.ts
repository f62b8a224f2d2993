/**
 * Fan-out: how many deliveries a second reach the clients of Millrace's whole pipeline (publisher → nats-server → gateway)
 * against other servers publishing the same bytes to the same clients. R50.
 */
import { prepareContenders, selected } from '../harness/contenders.js';
import type { SuiteReport } from '../report/report.js';
import { type BenchOptions, type Suite, type SuiteContext, UsageError } from '../suite.js';
import { bareUwsBeside } from './beside.js';
import { rowsOf } from './matrix.js';
import { millrace } from './millrace.js';
import { allPeers } from './peers.js';
import { reportFanout } from './report.js';
import { type MatrixSettings, runMatrix } from './run-matrix.js';

/** The hub and the encoder are compiled while they run: with one second of warm-up that was still going on while it was measured. */
const FULL = { rounds: 5, seconds: 4, warmupSeconds: 4 };
const QUICK = { rounds: 2, seconds: 2, warmupSeconds: 1 };

export const fanout: Suite = {
  name: 'fanout',
  summary: 'deliveries/s of the whole pipeline against other servers (R50)',
  run: runFanout,
};

async function runFanout(context: SuiteContext): Promise<SuiteReport> {
  const { options } = context;
  const wanted = selected([millrace(options), bareUwsBeside(options), ...allPeers()], options.only);
  const settings = settingsOf(options);
  const prepared = await prepareContenders(wanted, context);
  try {
    const results = await runMatrix(context, settings, prepared.contenders);
    return reportFanout(settings, results, prepared.skipped);
  } finally {
    prepared.release();
  }
}

function settingsOf(options: BenchOptions): MatrixSettings {
  const defaults = options.quick ? QUICK : FULL;
  const shape = options.shape ?? 'price';
  if (shape !== 'price' && shape !== 'tick') throw new UsageError(`--shape ${shape}: must be price or tick`);
  return {
    rows: rowsOf(options),
    rounds: options.rounds ?? defaults.rounds,
    seconds: options.seconds ?? defaults.seconds,
    warmupSeconds: options.warmupSeconds ?? defaults.warmupSeconds,
    shape,
    workers: options.workers,
    encoders: options.encoders,
  };
}
