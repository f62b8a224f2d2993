/**
 * Bytes: what Millrace's patches cost on the wire against whole objects, on the simulator's and on a replayed feed. R7:
 * per tick at most a quarter of what sending every subscribed quote would cost, and no update longer than its quote whole.
 */
import { symbolAt } from '../fanout/layout.js';
import { fixed, percent } from '../report/figures.js';
import type { Goal, Metric, SuiteReport, Table } from '../report/report.js';
import type { Suite, SuiteContext } from '../suite.js';
import { feedPlans } from './feeds.js';
import type { WireBytes } from './ledger.js';
import { DEPTH_LEVELS, type FeedBytes, watchFeed } from './watch.js';

const TARGET_SHARE = 0.25;
const SYMBOLS = 50;
const SECONDS = 10;
const QUICK_SECONDS = 3;

export const bytes: Suite = {
  name: 'bytes',
  summary: 'wire bytes of patches against whole objects (R7)',
  run: runBytes,
};

async function runBytes({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const seconds = options.seconds ?? (options.quick ? QUICK_SECONDS : SECONDS);
  const symbols = Array.from({ length: options.symbols ?? SYMBOLS }, (_, index) => symbolAt(index));
  const plans = feedPlans(symbols, seconds);
  const results: FeedBytes[] = [];
  try {
    for (const plan of plans) {
      progress(`${plan.name} for ${seconds} s: ${plan.description}`);
      results.push(await watchFeed(plan, symbols, seconds, signal));
    }
  } finally {
    for (const plan of plans) plan.end();
  }
  const judged = new Set(plans.filter(plan => plan.isJudged).map(plan => plan.name));
  return {
    suite: 'bytes',
    settings: { symbols: symbols.length, seconds, depthLevels: DEPTH_LEVELS },
    tables: [listTable(results, symbols.length), objectTable(results)],
    goals: [...results.filter(result => judged.has(result.feed)).map(tickGoal), ...results.map(updateGoal)],
    metrics: results.flatMap(metricsOf),
    notes: [
      ...results.map(result => `${result.feed}: ${result.description}`),
      'bytes are WebSocket payloads; a tick that arrives late counts as one with the next, which favours whole objects',
    ],
    rounds: results,
  };
}

/** The requirement's comparison: at every interval all subscribed quotes, or patches of what changed. */
function listTable(results: readonly FeedBytes[], symbols: number): Table {
  return {
    title: `Quotes of ${symbols} symbols, per tick: all of them whole against patches of what changed`,
    columns: ['feed', 'ticks', 'patches/tick', 'whole JSON B/tick', 'JSON Patch', 'MessagePack patch'],
    rows: results.map(({ feed, quotes }) => [
      feed,
      String(quotes.ticks),
      fixed(quotes.updates / quotes.ticks, 1),
      fixed(quotes.wholeLists / quotes.ticks, 0),
      share(quotes.jsonPatch / quotes.ticks, quotes.jsonPatch / quotes.wholeLists),
      share(quotes.msgpackPatch / quotes.ticks, quotes.msgpackPatch / quotes.wholeLists),
    ]),
  };
}

/** The changed object alone, whole against its patch, in the same frame. */
function objectTable(results: readonly FeedBytes[]): Table {
  const line = (feed: string, stream: string, sums: WireBytes): string[] => [
    feed,
    stream,
    String(sums.updates),
    fixed(sums.operations / sums.updates, 1),
    fixed(sums.wholeObjects / sums.updates, 0),
    share(sums.jsonPatch / sums.updates, sums.jsonPatch / sums.wholeObjects),
    share(sums.msgpackPatch / sums.updates, sums.msgpackPatch / sums.wholeObjects),
    String(sums.longerThanWhole),
  ];
  return {
    title: 'Per update: the changed object whole against its patch',
    columns: [
      ...['feed', 'stream', 'updates', 'operations', 'whole JSON B', 'JSON Patch', 'MessagePack patch'],
      'JSON Patch longer than whole',
    ],
    rows: results.flatMap(({ feed, quotes, depth }) => [
      line(feed, 'quotes', quotes),
      ...(depth.updates === 0 ? [] : [line(feed, `depth ${DEPTH_LEVELS}`, depth)]),
    ]),
  };
}

function share(size: number, ratio: number): string {
  return `${fixed(size, 0)} B = ${percent(ratio)}`;
}

function tickGoal({ feed, quotes }: FeedBytes): Goal {
  const measured = quotes.jsonPatch / quotes.wholeLists;
  const text = `quotes on the ${feed} feed, per tick: JSON Patch at most ${percent(TARGET_SHARE)} of whole objects: ${percent(measured)}`;
  return { row: 'R7', text, measured, met: measured <= TARGET_SHARE };
}

function updateGoal({ feed, quotes }: FeedBytes): Goal {
  const measured = quotes.longerThanWhole;
  const text = `quotes on the ${feed} feed, per update: JSON Patch never longer than the quote whole: ${measured} of ${quotes.updates} are`;
  return { row: 'R7', text, measured, met: measured === 0 };
}

function metricsOf({ feed, quotes }: FeedBytes): Metric[] {
  const metric = (name: string, share: number): Metric => ({
    ...{ name: `${feed}: ${name}`, unit: '', better: 'lower', samples: [share] },
  });
  const { jsonPatch, msgpackPatch, wholeLists, wholeObjects } = quotes;
  return [
    metric('JSON Patch of whole lists', jsonPatch / wholeLists),
    metric('MessagePack patch of whole lists', msgpackPatch / wholeLists),
    metric('JSON Patch of whole objects', jsonPatch / wholeObjects),
    metric('MessagePack patch of whole objects', msgpackPatch / wholeObjects),
  ];
}
