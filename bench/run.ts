/** `npm run bench`: runs suites, prints what they measured, and writes it to files when asked. */
import { resolve } from 'node:path';
import { inspect } from 'node:util';
import { Command, InvalidArgumentError } from 'commander';
import { attack } from './attack/suite.js';
import { bytes } from './bytes/suite.js';
import { churn } from './churn/suite.js';
import { coldStart } from './cold-start/suite.js';
import { cost } from './cost/suite.js';
import { fanout } from './fanout/suite.js';
import { fix } from './fix/suite.js';
import { ChildFailure } from './harness/children.js';
import { profileGateways } from './harness/gateway.js';
import { MissingPrerequisite } from './harness/prerequisite.js';
import { ProgressLine } from './harness/progress-line.js';
import { http } from './http/suite.js';
import { ingest } from './ingest/suite.js';
import { journal } from './journal/suite.js';
import { latency } from './latency/suite.js';
import { micro } from './micro/suite.js';
import { regions } from './regions/suite.js';
import { compareRuns, comparisonTable } from './report/compare.js';
import { asText, describeMachine, type RunReport, type SuiteReport, tableAsText } from './report/report.js';
import { readRun, writeRun, writeSuite } from './report/results.js';
import { scaleOut } from './scale/out.js';
import { scale } from './scale/suite.js';
import { scaleSweep } from './scale/sweep.js';
import { scrape } from './scrape/suite.js';
import { slow } from './slow/suite.js';
import { slowLink } from './slow-link/suite.js';
import { type BenchOptions, type Suite, UsageError } from './suite.js';
import { surveillance } from './surveillance/suite.js';
import { throughput } from './throughput/suite.js';

const SUITES: readonly Suite[] = [
  micro,
  http,
  fanout,
  throughput,
  latency,
  ingest,
  slow,
  slowLink,
  churn,
  attack,
  cost,
  coldStart,
  scrape,
  fix,
  scale,
  scaleSweep,
  scaleOut,
  bytes,
  journal,
  surveillance,
  regions,
];
const RESULTS_FOLDER = 'bench/results';
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

interface Output {
  readonly json: string | undefined;
  readonly compare: string | undefined;
  /** A folder; true: the usual one; false: no files. */
  readonly out: string | boolean | undefined;
  readonly check: boolean;
}

function command(): Command {
  const list = SUITES.map(suite => `  ${suite.name.padEnd(12)}${suite.summary}`).join('\n');
  return new Command('npm run bench --')
    .description(`Measures Millrace against other servers and its own goals.\n\nSuites (default: all):\n${list}`)
    .argument('[suite...]', 'suites to run')
    .option('--full', 'fanout: the whole matrix of clients, topics and formats', false)
    .option('--quick', 'short rounds and few clients: shows that it works, not how fast', false)
    .option('--rounds <n>', 'rounds of each contender', whole)
    .option('--seconds <s>', 'measured time of a round', decimal)
    .option('--warmup <s>', 'time before measuring', decimal)
    .option('--clients <n>', 'WebSocket clients', whole)
    .option('--symbols <n>', 'symbols that are published', whole)
    .option('--per-client <n>', 'symbols that each client wants', whole)
    .option('--window <n>', 'updates under way at once', whole)
    .option('--batch <n>', 'updates published at once', whole)
    .option(
      '--shape <price|tick>',
      'fanout: what changes in an update, the price only or every field that a trade moves',
    )
    .option('--format <json|msgpack>', 'fanout: what the clients ask for')
    .option('--workers <n>', 'fanout: gateway worker threads; bare uWS has one', '1')
    .option('--encoders <n>', 'fanout: encoder threads', '1')
    .option('--only <names>', 'contenders to run, separated by commas', names)
    .option('--peers <names>', 'the same as --only', names)
    .option('--rate <n>', 'latency, slow, slow-link, churn, regions: updates a second, at this one load', decimal)
    .option('--gateways <n>', 'scale-out: gateway processes', whole)
    .option('--order', 'fanout: check every prev_seq chain in the generator (slower)', false)
    .option('--profile <folder>', 'every thread of the gateway writes a V8 CPU profile there (slower)')
    .option('--json <file>', 'write everything measured to a file')
    .option('--compare <file>', 'show what moved against an earlier --json file, and whether that is outside the noise')
    .option(
      '--out [folder]',
      `write <suite>.md, .json and plots (${RESULTS_FOLDER}: unasked when the sizes are the usual)`,
    )
    .option('--no-out', 'write no files of suites')
    .option('--check', 'exit with 1 when a goal is missed, or a figure of --compare is worse beyond the noise', false);
}

async function main(): Promise<number> {
  const program = command().parse();
  const given = program.opts();
  const suites = chosen(program.args);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

  const options = optionsOf(given);
  if (typeof given.profile === 'string') profileGateways(resolve(given.profile));
  const output = given as Output;
  const before = output.compare === undefined ? undefined : earlierRun(output.compare);
  const folder = given.profile === undefined ? folderOf(output.out, options) : undefined;
  const reports: SuiteReport[] = [];
  const run: RunReport = { startedAt: new Date().toISOString(), machine: describeMachine(), suites: reports };
  for (const suite of suites) {
    const line = new ProgressLine(suite.name);
    const progress = (text: string): void => line.show(text);
    try {
      reports.push(await suite.run({ options, progress, signal: interrupted.signal }));
    } catch (error) {
      if (interrupted.signal.aborted) return EXIT_INTERRUPTED;
      throw error;
    } finally {
      line.end();
    }
    const report = reports.at(-1);
    if (report === undefined) continue;
    process.stdout.write(`\n${asText(report)}\n`);
    // After each suite: a later one that fails takes nothing with it.
    if (folder !== undefined) writeSuite(folder, report, run);
    if (output.json !== undefined) writeRun(output.json, run);
  }
  const isWorse = before !== undefined && showChanges(before, run, output.compare ?? '');
  const isMissed = reports.some(report => report.goals.some(goal => !goal.met));
  return output.check && (isMissed || isWorse) ? EXIT_FAILED : 0;
}

/** Prints what moved. True when a figure is worse beyond the noise. */
function showChanges(before: RunReport, run: RunReport, file: string): boolean {
  const comparison = compareRuns(before, run);
  const cautions = comparison.cautions.map(caution => `caution: ${caution}\n`).join('');
  process.stdout.write(`\n${tableAsText(comparisonTable(comparison, `Against ${file}`))}\n${cautions}`);
  return comparison.changes.some(({ verdict }) => verdict === 'worse');
}

function chosen(names: readonly string[]): readonly Suite[] {
  if (names.length === 0) return SUITES;
  const unknown = names.filter(name => !SUITES.some(suite => suite.name === name));
  const known = SUITES.map(suite => suite.name).join(', ');
  if (unknown.length > 0) throw new UsageError(`no suite named ${unknown.join(', ')}; there are: ${known}`);
  return SUITES.filter(suite => names.includes(suite.name));
}

function optionsOf(given: Record<string, unknown>): BenchOptions {
  const { quick, full, rounds, seconds, warmup, clients, symbols, perClient, window, batch, order } = given;
  const { shape, format, workers, encoders, only, peers, rate, gateways } = given;
  return {
    quick,
    full,
    rounds,
    seconds,
    warmupSeconds: warmup,
    clients,
    symbols,
    symbolsPerClient: perClient,
    windowUpdates: window,
    batchUpdates: batch,
    shape,
    format,
    workers,
    encoders,
    only: only ?? peers,
    checkOrder: order,
    rate,
    gateways,
  } as BenchOptions;
}

/**
 * Where the files go: where `--out` says, else into {@link RESULTS_FOLDER} when the suites ran in their own sizes. A quick
 * run, or one in other sizes, never replaces a published result unasked.
 */
function folderOf(
  out: Output['out'],
  { quick, full, checkOrder, workers, encoders, ...sizes }: BenchOptions,
): string | undefined {
  if (typeof out === 'string') return out;
  if (out === false) return undefined;
  const isPublished = !quick && Object.values(sizes).every(size => size === undefined);
  return out === true || isPublished ? RESULTS_FOLDER : undefined;
}

function earlierRun(file: string): RunReport {
  try {
    return readRun(file);
  } catch (cause) {
    throw new UsageError(`--compare: ${(cause as Error).message}`, { cause });
  }
}

function names(text: string): string[] {
  return text.split(',');
}

function whole(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('It must be a whole number above 0.');
  return Number(text);
}

function decimal(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return Number(text);
}

try {
  process.exitCode = await main();
} catch (error) {
  // What a user can act on is shown as it is; anything else is a defect, shown with its stack.
  const isExpected = [UsageError, ChildFailure, MissingPrerequisite].some(kind => error instanceof kind);
  process.stderr.write(`${isExpected ? (error as Error).message : inspect(error)}\n`);
  process.exitCode = error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}
