/** What the journal costs the fan-out: the whole pipeline with it and without it, in turns. R70. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EMPTY_CHAIN } from '../../src/journal/block-chain.js';
import { listSegments, parseLine, readLines } from '../../src/journal/segments.js';
import { verifyJournal } from '../../src/journal/verify.js';
import type { Contender } from '../fanout/contender.js';
import { rowName, rowsOf } from '../fanout/matrix.js';
import { millrace } from '../fanout/millrace.js';
import type { RoundResult } from '../fanout/round.js';
import { type MatrixSettings, runMatrix } from '../fanout/run-matrix.js';
import { count, fixed, spread } from '../report/figures.js';
import type { SuiteReport, Table } from '../report/report.js';
import { median, spreadOf } from '../report/statistics.js';
import type { BenchOptions, Suite } from '../suite.js';

const FULL = { rounds: 5, seconds: 4, warmupSeconds: 4 };
const QUICK = { rounds: 2, seconds: 2, warmupSeconds: 1 };
/** Share of its rate that the fan-out keeps. */
const KEPT_SHARE = 0.97;
const OFF = 'millrace';
const ON = 'millrace with journal';

/** What one round wrote. */
interface Written {
  readonly bytes: number;
  readonly blocks: number;
  readonly records: number;
  /** Messages that the runs stand for, once per view. */
  readonly messages: number;
  /** Records that the journal could not keep up with, as it says. */
  readonly dropped: number;
  readonly faults: number;
}

export const journal: Suite = {
  name: 'journal',
  summary: 'deliveries/s with the journal on and off, in turns, and what it writes (R70)',
  run: async context => {
    const settings = settingsOf(context.options);
    const folder = mkdtempSync(join(tmpdir(), 'millrace-journal-'));
    const folders: string[] = [];
    const pair = [millrace(context.options), journalled(context.options, folder, folders)];
    try {
      const results: RoundResult[] = [];
      for (let round = 1; round <= settings.rounds; round++) {
        // In turns: what makes the machine slower over time must not count against one of the two.
        const contenders = round % 2 === 1 ? pair : pair.toReversed();
        const of = await runMatrix(context, { ...settings, rounds: 1 }, contenders);
        results.push(...of.map(result => ({ ...result, round })));
      }
      const written: Written[] = [];
      for (const one of folders) written.push(await readBack(one));
      return report(settings, results, written);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Every round writes a journal of its own. */
function journalled(options: BenchOptions, folder: string, folders: string[]): Contender {
  const masterKey = join(folder, 'master.key');
  writeFileSync(masterKey, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
  return {
    name: ON,
    start: (children, plan) => {
      const own = join(folder, `round-${folders.length + 1}`);
      folders.push(own);
      const env = { JOURNAL_DIR: own, JOURNAL_MASTER_KEY_FILE: masterKey };
      return millrace(options, env).start(children, plan);
    },
  };
}

function settingsOf(options: BenchOptions): MatrixSettings {
  const defaults = options.quick ? QUICK : FULL;
  return {
    rows: rowsOf(options).slice(0, 1),
    rounds: options.rounds ?? defaults.rounds,
    seconds: options.seconds ?? defaults.seconds,
    warmupSeconds: options.warmupSeconds ?? defaults.warmupSeconds,
    shape: 'price',
    workers: options.workers,
    encoders: options.encoders,
  };
}

async function readBack(folder: string): Promise<Written> {
  let [bytes, messages, dropped] = [0, 0, 0];
  for (const segment of listSegments(folder)) {
    bytes += statSync(segment.path).size;
    for await (const line of readLines(segment)) {
      const record = parseLine(line.bytes);
      if (record?.k === 'dropped') dropped += Number(record.records);
      if (record?.k !== 'emit') continue;
      const runs = record.runs as readonly (readonly [prev: number, seq: number])[];
      for (const [prev, seq] of runs) messages += record.stepwise === true ? seq - prev : 1;
    }
  }
  const { blocks, records, faults } = await verifyJournal({ folder, start: EMPTY_CHAIN, notes: [], key: undefined });
  return { bytes, blocks, records, messages, dropped, faults: faults.length };
}

function report(settings: MatrixSettings, results: readonly RoundResult[], written: readonly Written[]): SuiteReport {
  const off = results.filter(({ contender }) => contender === OFF);
  const on = results.filter(({ contender }) => contender === ON);
  const ratios = off.map((round, i) => (on[i]?.deliveriesPerSecond ?? Number.NaN) / round.deliveriesPerSecond);
  const kept = spreadOf(ratios);
  const dropped = written.reduce((sum, round) => sum + round.dropped, 0);
  const faults = written.reduce((sum, round) => sum + round.faults, 0);
  return {
    suite: 'journal',
    settings: { ...settings, rows: settings.rows.map(rowName) },
    tables: [ratesTable(off, on, ratios), writtenTable(written)],
    goals: [
      {
        row: 'R70',
        text: `at least ${KEPT_SHARE} of the deliveries/s without it: ${spread(kept, value => fixed(value, 3))}`,
        measured: kept.median,
        met: kept.median >= KEPT_SHARE,
      },
      {
        row: 'R70',
        text: `nothing dropped and every journal whole: ${count(dropped)} records dropped, ${count(faults)} faults`,
        measured: dropped + faults,
        met: dropped + faults === 0 && written.every(({ messages }) => messages > 0),
      },
    ],
    metrics: [{ name: 'ratio with journal/without', unit: '', better: 'higher', samples: ratios }],
    notes: [],
    rounds: [...results, ...written],
  };
}

function ratesTable(off: readonly RoundResult[], on: readonly RoundResult[], ratios: readonly number[]): Table {
  const rows = off.map((round, i) => [
    String(round.round),
    count(round.deliveriesPerSecond),
    count(on[i]?.deliveriesPerSecond ?? Number.NaN),
    fixed(ratios[i] ?? Number.NaN, 3),
    fixed(round.cpu.server, 2),
    fixed(on[i]?.cpu.server ?? Number.NaN, 2),
    `${round.limit}, ${on[i]?.limit}`,
  ]);
  return {
    title: 'Deliveries/s, round by round',
    columns: ['round', 'without', 'with', 'ratio', 'cores without', 'cores with', 'limited by'],
    rows: [...rows, ['median', '', '', fixed(median(ratios), 3), '', '', '']],
  };
}

function writtenTable(written: readonly Written[]): Table {
  return {
    title: 'What each round wrote; a message counts once per view, however many clients it went to',
    columns: ['round', 'MB', 'blocks', 'records', 'messages', 'records dropped', 'faults'],
    rows: written.map(({ bytes, blocks, records, messages, dropped, faults }, i) => [
      String(i + 1),
      fixed(bytes / 1e6, 1),
      ...[blocks, records, messages, dropped, faults].map(count),
    ]),
  };
}
