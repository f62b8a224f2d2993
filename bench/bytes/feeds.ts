/** The feeds whose traffic is weighed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTape } from './tape.js';

export interface FeedPlan {
  readonly name: string;
  /** What moves, for the reader of the report. */
  readonly description: string;
  /** Environment of the gateway. */
  readonly env: Readonly<Record<string, string>>;
  readonly rateClass: 'realtime' | '100ms';
  /** How often a client without deltas would get the whole list. */
  readonly tickMs: number;
  /** True: R7's target is judged on it. */
  readonly isJudged: boolean;
  /** Removes what the feed needed on disk. */
  end(): void;
}

const TICK_MS = 100;
const SEED = '7';
/** What a recording is longer than the time watched: the gateway starts and the clients connect in it. */
const START_MARGIN_MS = 20_000;
/** Updates a second of the busy simulator: each symbol moves twice within 100 ms, on average. */
const BUSY_UPDATES_PER_SYMBOL_AND_SECOND = 20;

/** The feeds over `symbols`; `seconds` of each will be watched. */
export function feedPlans(symbols: readonly string[], seconds: number): FeedPlan[] {
  const simulator = { FEED: 'simulator', SYMBOLS: symbols.join(','), SIM_SEED: SEED };
  const nothing = (): void => undefined;
  return [
    {
      name: 'simulator',
      description: 'at every tick about one symbol in sixteen moves, with every field that a trade moves',
      env: { ...simulator, SIM_RATE: '0', PRICE_UPDATE_INTERVAL: `${TICK_MS}ms` },
      rateClass: 'realtime',
      tickMs: TICK_MS,
      isJudged: true,
      end: nothing,
    },
    {
      name: 'simulator, busy',
      description: 'every symbol moves about twice a tick; conflated to class 100ms',
      env: { ...simulator, SIM_RATE: String(symbols.length * BUSY_UPDATES_PER_SYMBOL_AND_SECOND) },
      rateClass: '100ms',
      tickMs: TICK_MS,
      isJudged: false,
      end: nothing,
    },
    replayPlan(symbols, seconds),
  ];
}

function replayPlan(symbols: readonly string[], seconds: number): FeedPlan {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-bytes-'));
  const file = join(folder, 'tape.ndjson');
  const ticks = Math.ceil((seconds * 1000 + START_MARGIN_MS) / TICK_MS);
  writeTape(file, { symbols, tickMs: TICK_MS, ticks, seed: Number(SEED) });
  return {
    name: 'replay',
    description: 'a recorded tape: few symbols move often, most updates move one side of the quote',
    env: { FEED: 'replay', REPLAY_FILE: file, REPLAY_SPEED: '1', SYMBOLS: symbols.join(',') },
    rateClass: 'realtime',
    tickMs: TICK_MS,
    isJudged: true,
    end: () => rmSync(folder, { recursive: true, force: true }),
  };
}
