import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headerLine, messageLine } from '../../../src/feed/recording.js';
import { SimulatorFeed } from '../../../src/feed/simulator/simulator.js';
import { FakeClock } from '../../support/fake-clock.js';
import { runCli } from './run-cli.js';

describe('millrace surveillance replay (R72)', () => {
  let folder: string;
  let recording: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-replay-'));
    recording = join(folder, 'monday.rec');
    const clock = new FakeClock();
    const startMicros = clock.nowMicros();
    let [lines, labels] = [headerLine(startMicros), ''];
    const config = { symbols: 1, updatesPerSecond: 0, intervalMs: 4000, seed: 1, hasOrders: true };
    const onPlanted = (label: object) => {
      labels += `${JSON.stringify(label)}\n`;
    };
    const feed = new SimulatorFeed({ config, symbols: [], clock, onPlanted });
    await feed.start({
      message: () => {},
      status: () => {},
      observed: message => {
        lines += messageLine(message, clock.nowMicros() - startMicros);
      },
    });
    clock.advanceMs(5 * 60_000);
    await feed.stop();
    await writeFile(recording, `${lines}this is no message\n`);
    await writeFile(`${recording}.labels`, labels);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('R72 prints the alerts, and how well they match the labels beside the recording', async () => {
    const { code, stdout, stderr } = await runCli(['surveillance', 'replay', recording]);
    expect(stdout).toMatch(/layering DEMO by layerer-1\n .*\n .*levels \d.*\n .*evidence DEMO-\d+ DEMO-o\d+/);
    expect(stdout).toContain('quote_stuffing DEMO by stuffer-2');
    expect(stderr).toMatch(/\d+ events \(\d+ orders\), 0 unreadable, 1 lines skipped; 2 alerts/);
    expect(stderr).toMatch(/layering +1 +1 +100 % +100 % +0/);
    expect(code).toBe(0);
  });

  it('R72 judges by other thresholds, and prints JSON', async () => {
    const thresholds = join(folder, 'thresholds.json');
    await writeFile(thresholds, JSON.stringify({ exempt_users: ['layerer-1'] }));
    const { stdout, stderr } = await runCli([
      'surveillance',
      'replay',
      recording,
      '--thresholds',
      thresholds,
      '--json',
    ]);
    const alerts = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as { readonly detector: string });
    expect(alerts.map(({ detector }) => detector)).toEqual(['quote_stuffing']);
    expect(stderr).toMatch(/layering +1 +0 +0 % /);
  });

  it.each([
    ['{"layering":{"levels_min":0}}', 'layering.levels_min: '],
    ['{"wash_trade":{}}', 'wash_trade'],
    ['{', 'cannot be read'],
  ])('R72 says what is wrong with thresholds such as %s', async (text, problem) => {
    const thresholds = join(folder, 'wrong.json');
    await writeFile(thresholds, text);
    const { code, stderr } = await runCli(['surveillance', 'replay', recording, '--thresholds', thresholds]);
    expect(stderr).toContain(problem);
    expect(code).toBe(1);
  });

  it('R72 refuses a file that is no recording', async () => {
    const { code, stderr } = await runCli(['surveillance', 'replay', `${recording}.labels`]);
    expect(stderr).toContain('line 1: the first line has no "millrace_recording"');
    expect(code).toBe(1);
  });
});
