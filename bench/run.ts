/** `npm run bench`: runs suites, prints what they measured, and writes it to files when asked. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { Command, InvalidArgumentError } from 'commander';
import { bytes } from './bytes/suite.js';
import { churn } from './churn/suite.js';
import { coldStart } from './cold-start/suite.js';
import { fanout } from './fanout/suite.js';
import { ChildFailure } from './harness/children.js';
import { MissingPrerequisite } from './harness/prerequisite.js';
import { ingest } from './ingest/suite.js';
import { latency } from './latency/suite.js';
import { asMarkdown, asText, describeMachine, type RunReport, type SuiteReport } from './report/report.js';
import { scaleOut } from './scale/out.js';
import { scale } from './scale/suite.js';
import { scaleSweep } from './scale/sweep.js';
import { slow } from './slow/suite.js';
import { type BenchOptions, type Suite, UsageError } from './suite.js';

const SUITES: readonly Suite[] = [fanout, latency, ingest, slow, churn, coldStart, scale, scaleSweep, scaleOut, bytes];
const RESULTS_FOLDER = 'bench/results';
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

interface Output {
  readonly json: string | undefined;
  readonly out: string | true | undefined;
  readonly check: boolean;
}

function command(): Command {
  const list = SUITES.map(suite => `  ${suite.name.padEnd(12)}${suite.summary}`).join('\n');
  return new Command('npm run bench --')
    .description(`Measures Millrace against other servers and its own goals.\n\nSuites (default: all):\n${list}`)
    .argument('[suite...]', 'suites to run')
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
    .option('--workers <n>', 'fanout: gateway worker threads; bare uWS has one', '1')
    .option('--encoders <n>', 'fanout: encoder threads', '1')
    .option('--only <names>', 'contenders to run, separated by commas', (text: string) => text.split(','))
    .option('--rate <n>', 'latency, slow, churn: updates a second, at this one load', decimal)
    .option('--gateways <n>', 'scale-out: gateway processes', whole)
    .option('--order', 'fanout: check every prev_seq chain in the generator (slower)', false)
    .option('--json <file>', 'write everything measured to a file')
    .option('--out [folder]', `write <suite>.md and <suite>.json (default folder: ${RESULTS_FOLDER})`)
    .option('--check', 'exit with 1 when a goal is not met', false);
}

async function main(): Promise<number> {
  const program = command().parse();
  const given = program.opts();
  const suites = chosen(program.args);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

  const options = optionsOf(given);
  const startedAt = new Date().toISOString();
  const machine = describeMachine();
  const reports: SuiteReport[] = [];
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
    if (report !== undefined) process.stdout.write(`\n${asText(report)}\n`);
  }
  const output = { json: given.json, out: given.out, check: given.check } as Output;
  write({ startedAt, machine, suites: reports }, output);
  const failed = reports.some(report => report.goals.some(goal => !goal.met));
  return output.check && failed ? EXIT_FAILED : 0;
}

function chosen(names: readonly string[]): readonly Suite[] {
  if (names.length === 0) return SUITES;
  const unknown = names.filter(name => !SUITES.some(suite => suite.name === name));
  const known = SUITES.map(suite => suite.name).join(', ');
  if (unknown.length > 0) throw new UsageError(`no suite named ${unknown.join(', ')}; there are: ${known}`);
  return SUITES.filter(suite => names.includes(suite.name));
}

function optionsOf(given: Record<string, unknown>): BenchOptions {
  const { quick, rounds, seconds, warmup, clients, symbols, perClient, window, batch, order } = given;
  const { shape, workers, encoders, only, rate, gateways } = given;
  return {
    quick,
    rounds,
    seconds,
    warmupSeconds: warmup,
    clients,
    symbols,
    symbolsPerClient: perClient,
    windowUpdates: window,
    batchUpdates: batch,
    shape,
    workers,
    encoders,
    only,
    checkOrder: order,
    rate,
    gateways,
  } as BenchOptions;
}

function write(run: RunReport, output: Output): void {
  const json = (report: RunReport): string => `${JSON.stringify(report, null, 2)}\n`;
  if (output.json !== undefined) {
    mkdirSync(dirname(output.json), { recursive: true });
    writeFileSync(output.json, json(run));
  }
  if (output.out === undefined) return;
  const folder = output.out === true ? RESULTS_FOLDER : output.out;
  mkdirSync(folder, { recursive: true });
  for (const report of run.suites) {
    writeFileSync(join(folder, `${report.suite}.md`), asMarkdown(report, run));
    writeFileSync(join(folder, `${report.suite}.json`), json({ ...run, suites: [report] }));
  }
}

/** What is going on: one line that is rewritten on a terminal, one line each time elsewhere. */
class ProgressLine {
  #shown = '';
  readonly #suite: string;

  constructor(suite: string) {
    this.#suite = suite;
  }

  show(text: string): void {
    const line = `${this.#suite}: ${text}`;
    if (!process.stderr.isTTY) process.stderr.write(`${line}\n`);
    else process.stderr.write(`\r${line.padEnd(this.#shown.length)}`);
    this.#shown = line;
  }

  end(): void {
    if (process.stderr.isTTY && this.#shown !== '') process.stderr.write('\n');
  }
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
