/** R70: the commands on a journal, as they are installed. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { headerLine, messageLine } from '../../../src/feed/recording.js';
import { newFeedMessage } from '../../../src/feed-contract/feed.js';
import { signCheckpoint } from '../../../src/journal/checkpoint.js';
import { parseMasterKeys } from '../../../src/journal/privacy/key-wrap.js';
import { SubjectKeys } from '../../../src/journal/privacy/subject-keys.js';
import { START_MICROS, WrittenJournal } from '../../support/journal/written.js';
import { runCli } from './run-cli.js';

const MASTER = 'ab'.repeat(32);
const { privateKey, publicKey } = generateKeyPairSync('ed25519');

let journal: WrittenJournal;
let masterKeyFile = '';
let checkpoints = '';
let alice = '';

/** Two connections, one of alice; a second process that took over; both in sealed and open segments. */
beforeAll(async () => {
  journal = new WrittenJournal();
  masterKeyFile = join(mkdtempSync(join(tmpdir(), 'keys-')), 'master.key');
  writeFileSync(masterKeyFile, `${MASTER}\n`);
  const keys = new SubjectKeys({
    folder: join(journal.folder, 'keys'),
    masters: () => parseMasterKeys(MASTER),
    nowMs: () => START_MICROS / 1000,
  });
  alice = keys.pseudonym('user', 'alice');
  keys.close();
  const second = new WrittenJournal(join(journal.folder, 'takeover'));
  const notes: string[] = [];
  for (const [written, origin] of [
    [journal, 'millrace/edge-1'],
    [second, 'millrace/edge-1/takeover'],
  ] as const) {
    const writer = await written.writer({ segmentBytesMax: 3_000 });
    const c = written === journal ? 'c1' : 'c2';
    writer.write(
      JSON.stringify({ t: START_MICROS + 5, c, k: 'connected', ...(c === 'c1' ? { user: alice } : undefined) }),
    );
    written.blocks(writer, 20, c);
    writer.write(JSON.stringify({ t: written.nowMicros, c, k: 'closed', code: 1000 }));
    written.nowMicros += 150_000;
    writer.maintain();
    notes.push(signCheckpoint({ origin, blocks: writer.blocks, root: writer.root() }, privateKey));
    await writer.close();
  }
  writeFileSync(join(journal.folder, 'checkpoint.pub.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  checkpoints = join(journal.folder, 'gateway.log');
  writeFileSync(checkpoints, `{"level":"info"}\n${notes.join('{"level":"warn"}\nnot a note\n')}{"level":"info"}\n`);
});

const run = (...args: string[]) => runCli(['journal', ...args], { JOURNAL_MASTER_KEY_FILE: masterKeyFile });
const lines = (stdout: string) =>
  stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as { t: number; c: string; k: string });

describe('millrace journal verify (R70)', () => {
  it('R70 says what is proved of both chains, with checkpoints among the lines of a log', async () => {
    const { code, stdout } = await run('verify', journal.folder, '--checkpoints', checkpoints);
    expect(stdout).toContain('takeover/: 62 records in');
    expect(stdout.match(/The chain is intact/g)).toHaveLength(2);
    expect(stdout.match(/1 checkpoint matches\. Proved: blocks 0 to 20 /g)).toHaveLength(2);
    expect(stdout).not.toContain('Not proved');
    expect(code).toBe(0);
  });

  it('R70 says what is not proved without checkpoints', async () => {
    const { code, stdout } = await run('verify', journal.folder);
    expect(stdout.match(/Not proved: that nothing is missing at the end/g)).toHaveLength(2);
    expect(code).toBe(0);
  });

  it('R70 exits with 1 and says where, for people and as JSON', async () => {
    const folder = join(journal.folder, 'takeover');
    const name = readdirSync(folder).find(one => one.endsWith('.gz')) ?? '';
    const bytes = readFileSync(join(folder, name));
    writeFileSync(join(folder, name), gzipSync(gunzipSync(bytes).toString('latin1').replace('command', 'commend')));
    const people = await run('verify', journal.folder);
    expect(people.code).toBe(1);
    expect(people.stdout).toMatch(/ {2}takeover\/000001\.mjl\.gz line \d+: block \d+ was changed/);
    expect(people.stdout).toContain('NOT as it was written');
    const machine = await run('verify', journal.folder, '--json');
    expect(machine.code).toBe(1);
    expect(JSON.parse(machine.stdout)).toMatchObject({
      whole: false,
      chains: [
        { chain: '', faults: [] },
        { chain: 'takeover/', faults: [{ where: expect.stringContaining('000001.mjl.gz line') as string }] },
      ],
    });
    writeFileSync(join(folder, name), bytes);
  });

  it.each([
    [['verify', '/nonexistent'], '/nonexistent does not exist'],
    [['verify', tmpdir(), '--checkpoint'], "unknown option '--checkpoint'"],
    [['verify', '--checkpoints', 'package.json'], 'name the folder of the journal, or set JOURNAL_DIR'],
  ])('R70 exits with 2 for %j', async (args, message) => {
    const { code, stderr } = await run(...args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });

  it('R70 exits with 2 for a file without checkpoints, and for a key of another kind', async () => {
    expect(await run('verify', journal.folder, '--checkpoints', 'package.json')).toMatchObject({
      code: 2,
      stderr: 'package.json holds no checkpoint\n',
    });
    const rsa = join(journal.folder, 'rsa.pem');
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(rsa, pair.publicKey.export({ type: 'spki', format: 'pem' }));
    const { code, stderr } = await run('verify', journal.folder, '--checkpoints', checkpoints, '--key', rsa);
    expect([code, stderr]).toEqual([2, `${rsa} is not an Ed25519 key\n`]);
  });
});

describe('millrace journal query (R70)', () => {
  it('R70 prints all records of both chains in the order of time', async () => {
    const { code, stdout } = await run('query', journal.folder);
    const times = lines(stdout).map(({ t }) => t);
    expect(times).toHaveLength(124);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(code).toBe(0);
  });

  it('R70 selects a connection, kinds, and a period with its ends', async () => {
    const found = lines(
      (await run('query', journal.folder, '--connection', 'c2', '--kind', 'connected,closed')).stdout,
    );
    expect(found.map(({ c, k }) => [c, k])).toEqual([
      ['c2', 'connected'],
      ['c2', 'closed'],
    ]);
    const period = ['--from', new Date(START_MICROS / 1000).toISOString(), '--to', String(START_MICROS + 5)];
    const times = lines((await run('query', journal.folder, ...period)).stdout).map(({ t }) => t - START_MICROS);
    expect([...new Set(times)]).toEqual([0, 1, 2, 5]);
  });

  it('R70 selects a user by id or pseudonym, with the records that name only the connection', async () => {
    const byId = await run('query', journal.folder, '--user', 'alice');
    // All of c1: c2 is anonymous, although its records name a connection, too.
    expect(lines(byId.stdout).map(({ k }) => k)).toContain('closed');
    expect(
      new Set(
        lines(byId.stdout)
          .slice(3)
          .map(({ c }) => c),
      ),
    ).toEqual(new Set(['c1']));
    expect((await run('query', journal.folder, '--user', alice)).stdout).toBe(byId.stdout);
    const later = await run(
      'query',
      journal.folder,
      '--user',
      'alice',
      '--kind',
      'closed',
      '--from',
      '2026-11-02T10:00:01Z',
    );
    expect(lines(later.stdout)).toHaveLength(1);
  });

  it('R70 says why a user is not found, and makes no keys', async () => {
    expect(await run('query', journal.folder, '--user', 'bob')).toMatchObject({
      code: 1,
      stderr: 'the journal knows no such user, or the user was erased\n',
    });
    const { code, stderr } = await runCli(['journal', 'query', journal.folder, '--user', 'bob']);
    expect(stderr).toContain('set JOURNAL_MASTER_KEY_FILE');
    expect(code).toBe(1);
    const bare = new WrittenJournal();
    await (await bare.writer()).close();
    await run('query', bare.folder, '--user', 'bob');
    expect(readdirSync(bare.folder)).not.toContain('keys');
  });

  it('R70 refuses a time that is none', async () => {
    const { code, stderr } = await run('query', journal.folder, '--from', 'yesterday');
    expect([code, stderr]).toEqual([2, expect.stringContaining('It must be a time such as')]);
  });
});

describe('millrace journal reconstruct (R70)', () => {
  const view = { topic: 'trades:A', class: 'event', format: 'json' };
  const trade = (seq: number) => ({ symbol: 'A', trade_id: seq, price: '1.5', quantity: '1' });
  let folder = '';
  let recording = '';

  /** Three trades, of which one is confirmed, and the recording of all of them. */
  beforeAll(async () => {
    const written = new WrittenJournal();
    folder = written.folder;
    const writer = await written.writer();
    for (const record of [
      { t: START_MICROS, k: 'connected', c: 'c1', w: 0, transport: 'ws', format: 'json' },
      { t: START_MICROS + 1, k: 'live', c: 'c1', w: 0, ...view, epoch: 'e', seq: 4 },
      { t: START_MICROS + 2, k: 'emit', w: 1, ...view, epoch: 'e', runs: [[4, 5]] },
      { t: START_MICROS + 2, k: 'emit', w: 0, ...view, epoch: 'e', runs: [[4, 5]] },
      { t: START_MICROS + 9, k: 'emit', w: 0, ...view, epoch: 'e', runs: [[5, 7]], stepwise: true },
      { t: START_MICROS + 10, k: 'confirmed', c: 'c1', at: START_MICROS + 5 },
      { t: START_MICROS + 11, k: 'ended', w: 0, reason: 'died' },
      { t: START_MICROS + 12, k: 'emit', w: 0, ...view, epoch: 'e', runs: [[7, 8]] },
    ]) {
      writer.write(JSON.stringify(record));
    }
    await writer.close();
    recording = join(folder, 'monday.rec');
    record([5, 6, 7, 8]);
  });

  function record(seqs: readonly number[], epoch = 'e'): void {
    const lines = seqs.map(seq => {
      const payload = Buffer.from(JSON.stringify(trade(seq)));
      return messageLine({ ...newFeedMessage(), subject: 'md.trades.A', payload, seq, epoch, contiguous: true }, seq);
    });
    writeFileSync(recording, headerLine(START_MICROS) + lines.join(''));
  }

  const ask = (...options: string[]) =>
    run('reconstruct', folder, '--connection', 'c1', '--topic', 'trades:A', '--recording', recording, ...options);
  const line = (t: number, mark: string, seq: number) =>
    `{"t":${START_MICROS + t},"mark":"${mark}","frame":${JSON.stringify({ type: 'trade_executed', ...trade(seq), epoch: 'e', prev_seq: seq - 1, seq })}}`;

  it('R70 prints the messages of the thread that served the connection until that died, each with its mark', async () => {
    const { code, stdout, stderr } = await ask();
    expect(stdout.trimEnd().split('\n')).toEqual([line(2, 'confirmed', 5), line(9, 'sent', 6), line(9, 'sent', 7)]);
    expect(stderr).toBe('3 messages, 0 of them cannot be reconstructed\n');
    expect(code).toBe(0);
    const { stdout: later } = await ask('--from', String(START_MICROS + 3));
    expect(later.trimEnd().split('\n')).toEqual([line(9, 'sent', 6), line(9, 'sent', 7)]);
  });

  it('R70 says which message the recording lacks, prints the others, and exits with 1', async () => {
    record([5, 7, 8]);
    const { code, stdout, stderr } = await ask();
    const why = `md.trades.A: ${recording} lacks message 6 of epoch e`;
    expect(stdout.trimEnd().split('\n')).toEqual([
      line(2, 'confirmed', 5),
      `{"t":${START_MICROS + 9},"mark":"sent","missing":${JSON.stringify(why)}}`,
      line(9, 'sent', 7),
    ]);
    expect(stderr).toBe(`missing: ${why}\n3 messages, 1 of them cannot be reconstructed\n`);
    expect(code).toBe(1);
  });

  it('R70 guesses nothing from messages without positions', async () => {
    record([5, 6, 7], '');
    const { code, stderr } = await ask();
    expect(stderr).toContain(`md.trades.A: its messages in ${recording} have no positions (headers Seq and Epoch)`);
    expect(code).toBe(1);
  });

  it.each([
    [['--connection', 'c9', '--topic', 'trades:A'], 1, 'the journal knows no connection c9'],
    [['--connection', 'c1', '--topic', 'trades'], 1, 'trades is not a topic, such as quotes:AAPL'],
    [['--connection', 'c1'], 2, "required option '--topic <topic>' not specified"],
    [
      ['--connection', 'c1', '--topic', 'trades:A'],
      1,
      'name the messages of publishers: --recording <file> or --jetstream',
    ],
  ])('R70 exits with %j, %i, and says why', async (options, expected, message) => {
    const { code, stderr } = await run('reconstruct', folder, ...options);
    expect(stderr).toContain(message);
    expect(code).toBe(expected);
  });
});
