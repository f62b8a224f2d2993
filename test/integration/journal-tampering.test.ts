/** R70: what was changed in a gateway's journal afterwards is found by the command, and where. */
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startGateway } from '../support/gateway.js';
import { JournalFolder } from '../support/journal/folder.js';
import { until } from '../support/until.js';
import { runCli } from '../unit/cli/run-cli.js';

const STARTS = 3;
const folder = new JournalFolder();
/** A copy that each test may change. */
const path = join(folder.base, 'copy');
const output = join(folder.base, 'gateway.log');

/** Each start begins a segment, and each end signs a checkpoint. */
beforeAll(async () => {
  let text = '';
  for (let start = 1; start <= STARTS; start++) {
    const gateway = await startGateway({ ...folder.env, FEED: 'simulator', WORKERS: '1', ENCODERS: '1' });
    process.kill(gateway.pid, 'SIGHUP');
    await until(() => folder.records().filter(({ k }) => k === 'admin').length === start);
    await gateway.stop();
    text += gateway.stdout();
  }
  writeFileSync(output, text);
});

afterAll(() => folder.remove());

beforeEach(() => {
  rmSync(path, { recursive: true, force: true });
  cpSync(folder.path, path, { recursive: true });
});

const segments = () => readdirSync(path).filter(name => name.includes('.mjl'));
const verify = (...options: string[]) => runCli(['journal', 'verify', path, ...options]);
const WITH_CHECKPOINTS = ['--checkpoints', output] as const;

function change(name: string, edit: (lines: string[]) => string[]): void {
  const file = join(path, name);
  const isSealed = name.endsWith('.gz');
  const text = (isSealed ? gunzipSync(readFileSync(file)) : readFileSync(file)).toString('latin1');
  const changed = Buffer.from(edit(text.split(/(?<=\n)/)).join(''), 'latin1');
  writeFileSync(file, isSealed ? gzipSync(changed) : changed);
}

/** All hashes again, as somebody with access to the files can make them. */
function chainAgain(): void {
  let hash: Buffer = Buffer.alloc(32);
  for (const name of segments()) {
    let lines: string[] = [];
    change(name, all =>
      all.map((text, i) => {
        const line = i === 0 ? `${JSON.stringify({ ...JSON.parse(text), prev: hash.toString('hex') })}\n` : text;
        const parsed = JSON.parse(line) as { block?: number };
        if (parsed.block === undefined) {
          lines.push(line);
          return line;
        }
        hash = createHash('sha256').update(hash).update(lines.join(''), 'latin1').digest();
        lines = [];
        return `${JSON.stringify({ ...parsed, hash: hash.toString('hex') })}\n`;
      }),
    );
  }
}

const [FIRST, SECOND] = ['000001.mjl.gz', '000002.mjl.gz'] as const;
const isBlock = (line: string) => line.startsWith('{"block"');

describe('the journal of a gateway (R70)', () => {
  it('R70 is whole as it was written, and its checkpoints on standard output prove it', async () => {
    expect(segments().slice(0, 2)).toEqual([FIRST, SECOND]);
    const { code, stdout } = await verify(...WITH_CHECKPOINTS);
    expect(stdout).toMatch(/^\d+ records in \d+ blocks and 3 segments\nThe chain is intact: /);
    expect(stdout).toMatch(/\d+ checkpoints? match(es)?\. Proved: blocks 0 to \d+ /);
    expect(stdout).not.toContain('Not proved');
    expect(code).toBe(0);
  });

  it.each<[string, () => void, RegExp]>([
    [
      'a byte',
      () => change(SECOND, lines => lines.with(1, (lines[1] ?? '').replace('"started"', '"startee"'))),
      /^ {2}000002\.mjl\.gz line \d+: block \d+ was changed: its hash does not match its lines$/m,
    ],
    [
      'a record',
      () => change(FIRST, lines => lines.toSpliced(1, 1)),
      /^ {2}000001\.mjl\.gz line \d+: block 0 has \d+ records; its closing line says \d+$/m,
    ],
    [
      'a block',
      () =>
        change(FIRST, lines => {
          const first = lines.findIndex(isBlock);
          const second = lines.findIndex((line, i) => i > first && isBlock(line));
          return lines.toSpliced(first + 1, second - first);
        }),
      /^ {2}000001\.mjl\.gz line \d+: block 1 is missing: this is block 2$|^ {2}000002\.mjl\.gz line \d+: /m,
    ],
    ['a segment', () => rmSync(join(path, SECOND)), /^ {2}000003\.mjl(\.gz)?: segment 2 is missing$/m],
  ])('R70 that lacks or has changed %s is found without checkpoints', async (_what, tamper, where) => {
    tamper();
    const { code, stdout } = await verify();
    expect(stdout).toMatch(where);
    expect(stdout).toContain('The journal is NOT as it was written.');
    expect(code).toBe(1);
  });

  it('R70 whose tail was cut off is found by a checkpoint only', async () => {
    change(segments().at(-1) ?? '', lines =>
      lines.slice(0, lines.findLastIndex((line, i) => i < lines.length - 1 && isBlock(line)) + 1),
    );
    const alone = await verify();
    expect(alone.stdout).toContain('Not proved: that nothing is missing at the end');
    expect(alone.code).toBe(0);
    const { code, stdout } = await verify(...WITH_CHECKPOINTS);
    expect(stdout).toMatch(/^ {2}checkpoint of \d+ blocks: the journal ends at \d+ blocks: its tail is missing$/m);
    expect(code).toBe(1);
  });

  it('R70 whose history was written again is found by checkpoints only, up to the last one that holds', async () => {
    chainAgain();
    expect((await verify(...WITH_CHECKPOINTS)).code).toBe(0);
    change(SECOND, lines => lines.with(1, (lines[1] ?? '').replace('"started"', '"startee"')));
    chainAgain();
    expect((await verify()).code).toBe(0);
    const { code, stdout } = await verify(...WITH_CHECKPOINTS, '--json');
    expect(code).toBe(1);
    const { whole, chains } = JSON.parse(stdout) as {
      whole: boolean;
      chains: { coveredBlocks: number; faults: { where: string; what: string }[] }[];
    };
    expect(whole).toBe(false);
    const [{ coveredBlocks, faults } = { coveredBlocks: 0, faults: [] }] = chains;
    // The first segment is covered by the checkpoint of the first end.
    expect(coveredBlocks).toBeGreaterThan(0);
    expect(faults.length).toBeGreaterThan(0);
    for (const { what } of faults) expect(what).toBe('the journal had another history up to this checkpoint');
  });
});
