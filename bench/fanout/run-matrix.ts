/** Row by row, the contenders in turns: A B C A B C …, each with fresh processes. */
import { Children } from '../harness/children.js';
import { checkConnections } from '../harness/limits.js';
import { count } from '../report/figures.js';
import type { SuiteContext } from '../suite.js';
import type { Contender, RoundPlan } from './contender.js';
import { buildFrames, type FrameSet } from './frames.js';
import { fanoutOf } from './layout.js';
import { type Row, rowName } from './matrix.js';
import { type GatewayThreads, recordFrames } from './millrace.js';
import { type RoundResult, type RoundTimes, runRound } from './round.js';
import type { TickShape } from './ticks.js';

/** All that a run can be told, with its defaults applied. */
export interface MatrixSettings extends RoundTimes, GatewayThreads {
  readonly rows: readonly Row[];
  readonly rounds: number;
  readonly shape: TickShape;
}

const STALL_MS = 2000;

export async function runMatrix(
  { options, progress, signal }: SuiteContext,
  settings: MatrixSettings,
  contenders: readonly Contender[],
): Promise<RoundResult[]> {
  const { rows, rounds, shape } = settings;
  for (const { clients } of rows) checkConnections(clients);
  // Books are recorded in any case: what the gateway makes of them is not easily built.
  const isRecorded = shape === 'depth' || contenders.some(({ name }) => name === 'millrace');
  const framesBySize = new Map<string, FrameSet>();
  const framesFor = async (row: Row): Promise<FrameSet> => {
    const size = `${row.universe} ${row.format}`;
    const known = framesBySize.get(size);
    if (known !== undefined) return known;
    if (isRecorded) progress(`recording one cycle of Millrace's frames for the peers (${size})`);
    const frames = isRecorded
      ? await recordFrames(new Children(signal), row, { shape, format: row.format }, settings)
      : buildFrames(row, shape, row.format);
    framesBySize.set(size, frames);
    return frames;
  };

  const results: RoundResult[] = [];
  for (const [at, row] of rows.entries()) {
    const plan = planOf(row, shape, await framesFor(row));
    const name = rowName(row);
    const here = contenders.filter(contender => row.only === undefined || row.only.includes(contender.name));
    for (let round = 1; round <= rounds; round++) {
      for (const contender of here) {
        const before = lastFigure(results);
        progress(`row ${at + 1} of ${rows.length}, ${name}: round ${round} of ${rounds}: ${contender.name}${before}`);
        const { checkOrder } = options;
        results.push(await runRound(contender, plan, settings, { row: name, round, checkOrder, signal }));
      }
    }
  }
  return results;
}

function planOf(row: Row, shape: TickShape, frames: FrameSet): RoundPlan {
  const { windowUpdates, batchUpdates, format } = row;
  const pace = { windowUpdates, batchUpdates, fanout: fanoutOf(row), stallMs: STALL_MS };
  return { layout: row, shape, format, pace, frames };
}

function lastFigure(results: readonly RoundResult[]): string {
  const last = results.at(-1);
  return last === undefined ? '' : ` (before: ${last.contender} ${count(last.deliveriesPerSecond)} deliveries/s)`;
}
