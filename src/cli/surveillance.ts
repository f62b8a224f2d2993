import { access, readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { LineReader } from '../feed/lines.js';
import { headerFault, parseMessageLine, RECORDING_LINE_BYTES_MAX } from '../feed/recording.js';
import type { AlertRow } from '../protocol/admin-rows.js';
import { Intake, isWatched } from '../surveillance/intake.js';
import { type Label, labelOf, scoresOf } from '../surveillance/score.js';
import { Surveillance } from '../surveillance/surveillance.js';
import { readThresholds } from '../surveillance/thresholds-file.js';
import { rowOf } from '../surveillance/watch.js';
import { alertLines } from './admin-tables.js';
import { CommandFailure, reasonOf } from './failure.js';
import { note, say } from './output.js';
import { tableLines } from './text-table.js';

const EXAMPLES = `
Judges a recording as the gateway would have judged it, but all at once, so that you can try other thresholds. The recording needs
orders: make it with \`millrace record --orders\`. If a file of labels is beside it (<recording>.labels, as \`millrace simulate --labels\`
writes it), the summary says how many labels were found, and how many alerts were right.

Examples:
  $ millrace record --orders monday.rec
  $ millrace surveillance replay monday.rec
  $ millrace surveillance replay monday.rec --thresholds stricter.json --json`;

interface ReplayOptions {
  readonly thresholds?: string;
  readonly labels?: string;
  readonly json?: boolean;
}

/** `millrace surveillance`: tunes the detectors of market abuse. */
export function surveillanceCommand(): Command {
  return new Command('surveillance')
    .description('tune the detectors of market abuse')
    .addCommand(
      new Command('replay')
        .description('judge a recording and print the alerts')
        .argument('<recording>', 'made by millrace record --orders')
        .option('--thresholds <file>', 'JSON file with the thresholds that differ from the starting values')
        .option('--labels <file>', 'what the recording is known to hold; default: <recording>.labels, if it exists')
        .option('--json', 'print each alert as a line of JSON')
        .addHelpText('after', EXAMPLES)
        .action(replay),
    );
}

/** @throws {CommandFailure} if a file cannot be used */
async function replay(recording: string, options: ReplayOptions): Promise<void> {
  const thresholds = await readThresholds(options.thresholds, '--thresholds');
  const labels = await readLabels(recording, options.labels);
  const alerts: AlertRow[] = [];
  const surveillance = new Surveillance(thresholds, alert => {
    const row = rowOf(alert, 'replay');
    alerts.push(row);
    for (const line of options.json === true ? [JSON.stringify(row)] : alertLines(row)) say(line);
  });
  const counts = await judge(recording, surveillance);
  if (counts.orders === 0) note('the recording has no orders: record with --orders');
  note(
    `${counts.events} events (${counts.orders} orders), ${counts.unreadable} unreadable, ${counts.skipped} lines skipped; ${alerts.length} ${alerts.length === 1 ? 'alert' : 'alerts'}`,
  );
  if (labels === undefined) return;
  const scores = scoresOf(labels, alerts);
  const share = (part: number, whole: number) => (whole === 0 ? '–' : `${Math.round((part / whole) * 100)} %`);
  note('');
  for (const line of tableLines(
    [
      { title: 'DETECTOR', of: score => score.detector },
      { title: 'PLANTED', of: score => score.planted },
      { title: 'FOUND', of: score => score.found },
      { title: 'RECALL', of: score => share(score.found, score.planted) },
      { title: 'PRECISION', of: score => share(score.right, score.right + score.wrong) },
      { title: 'WRONG', of: score => score.wrong },
    ],
    scores,
  )) {
    note(line);
  }
}

interface Counts {
  events: number;
  orders: number;
  unreadable: number;
  skipped: number;
}

async function judge(file: string, surveillance: Surveillance): Promise<Counts> {
  const counts: Counts = { events: 0, orders: 0, unreadable: 0, skipped: 0 };
  const intake = new Intake(false);
  const reader = await LineReader.open(file, RECORDING_LINE_BYTES_MAX).catch((cause: unknown) => {
    throw new CommandFailure(`${file}: ${reasonOf(cause)}`, { cause });
  });
  try {
    let startMicros: number | undefined;
    do {
      for (let line = reader.take(); line !== undefined; line = reader.take()) {
        if (startMicros === undefined) startMicros = startOf(file, line);
        else judgeLine(line, startMicros, intake, surveillance, counts);
      }
    } while (await reader.fill());
    if (startMicros === undefined) throw new CommandFailure(`${file}: it is empty`);
  } finally {
    await reader.close();
  }
  return { ...counts, unreadable: intake.unreadable };
}

function judgeLine(
  line: Uint8Array | 'too long',
  startMicros: number,
  intake: Intake,
  surveillance: Surveillance,
  counts: Counts,
): void {
  const entry = line === 'too long' ? line : parseMessageLine(line);
  if (typeof entry === 'string') {
    if (line.length > 0) counts.skipped++;
    return;
  }
  const { message, tMicros } = entry;
  if (!isWatched(message.subject)) return;
  const event = intake.read(message, startMicros + tMicros);
  if (event === undefined) return;
  counts.events++;
  if (event.kind === 'order') counts.orders++;
  surveillance.take(event);
}

/** When the recording began, µs since the Unix epoch. */
function startOf(file: string, line: Uint8Array | 'too long'): number {
  const fault = line === 'too long' ? 'the first line is too long' : headerFault(line);
  if (fault !== undefined || line === 'too long') throw new CommandFailure(`${file}: line 1: ${fault}`);
  const header = JSON.parse(new TextDecoder().decode(line)) as { readonly started_at?: string };
  const startedMs = Date.parse(header.started_at ?? '');
  return Number.isNaN(startedMs) ? 0 : startedMs * 1000;
}

/** Undefined: there are none. */
async function readLabels(recording: string, given: string | undefined): Promise<readonly Label[] | undefined> {
  const file = given ?? `${recording}.labels`;
  if (given === undefined) {
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (!isThere) return undefined;
  }
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CommandFailure(`${file}: ${reasonOf(cause)}`, { cause });
  });
  const lines = text.split('\n').filter(line => line !== '');
  return lines.map((line, at) => {
    const label = labelOf(line);
    if (label === undefined) throw new CommandFailure(`${file}: line ${at + 1} is not a label`);
    return label;
  });
}
