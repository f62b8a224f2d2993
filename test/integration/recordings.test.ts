/** Recordings that end before their time, and replays of those that have not ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headerLine, messageLine, parseMessageLine } from '../../src/feed/recording.js';
import { ReplayFeed } from '../../src/feed/replay-feed.js';
import { newFeedMessage, systemClock } from '../../src/feed-contract/feed.js';
import { Collector } from '../support/collector.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const TIMEOUT_MS = 30_000;

let directory = '';
let nats: NatsServer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-recordings-'));
  nats = await startNatsServer();
});
afterAll(async () => {
  await nats?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** `millrace record`, whose files may have this many blocks of 512 bytes. Resolves with its exit code and what it said. */
async function recordUntilFull(file: string, blocks: number): Promise<{ code: number | null; said: string }> {
  const command = `ulimit -f ${blocks}; exec "$0" "$@"`;
  const child = spawn('sh', ['-c', command, process.execPath, PROGRAM, 'record', file, '--nats', nats.url]);
  let said = '';
  child.stderr.on('data', chunk => {
    said += chunk;
  });
  let hasEnded = false;
  const ended = once(child, 'close').then(([code]) => {
    hasEnded = true;
    return code as number | null;
  });
  const publisher = await connect({ servers: nats.url });
  try {
    await until(
      async () => {
        publisher.publish('md.trades.A', JSON.stringify({ text: 'x'.repeat(200) }));
        await publisher.flush();
        return hasEnded;
      },
      TIMEOUT_MS,
      'it has ended by itself',
    );
    return { code: await ended, said };
  } finally {
    child.kill('SIGKILL');
    await publisher.close();
  }
}

describe('K13 record', () => {
  it('K13: on a full disk it ends with 1 and says so; what it wrote is a whole recording', async () => {
    const file = join(directory, 'limited.rec');
    const { code, said } = await recordUntilFull(file, 8);
    expect(code).toBe(1);
    expect(said).toMatch(/EFBIG.*the recording ends here/);
    const text = await readFile(file, 'utf8');
    expect(text.endsWith('\n')).toBe(true);
    const lines = text.trimEnd().split('\n').slice(1);
    expect(said).toContain(`${lines.length} messages recorded`);
    for (const line of lines) expect(typeof parseMessageLine(Buffer.from(line))).toBe('object');
  });

  it('K13: on a device that is full from the beginning, too', async () => {
    const { code, said } = await recordUntilFull('/dev/full', 1_000);
    expect(code).toBe(1);
    expect(said).toMatch(/ENOSPC.*the recording ends here/);
    expect(said).toContain('0 messages recorded');
  });
});

describe('K13 replay', () => {
  const line = (text: string) =>
    messageLine({ ...newFeedMessage(), subject: 'md.trades.A', payload: Buffer.from(text) }, 0);

  async function replay(file: string, follow: boolean) {
    const feed = new ReplayFeed({ config: { file, speed: 0, follow }, clock: systemClock });
    const sink = new Collector();
    await feed.start(sink);
    return { feed, sink };
  }

  it('K13: of a recording that grows is followed where that is asked for, also inside a line', async () => {
    const file = join(directory, 'growing.rec');
    await writeFile(file, headerLine(0));
    const { feed, sink } = await replay(file, true);
    try {
      const [first, second] = [line('1'), line('2')];
      await appendFile(file, first + second.slice(0, 20));
      await until(() => sink.messages.length === 1, TIMEOUT_MS);
      await appendFile(file, second.slice(20));
      await until(() => sink.messages.length === 2, TIMEOUT_MS);
      expect(sink.texts('md.trades.A')).toEqual(['1', '2']);
      expect(feed.malformedLines).toBe(0);
      expect(sink.statuses).toHaveLength(1);
    } finally {
      await feed.stop();
    }
  });

  it('K13: of one that holds no messages says so, and what would wait for them', async () => {
    const file = join(directory, 'empty.rec');
    await writeFile(file, headerLine(0));
    const { feed, sink } = await replay(file, false);
    await until(() => sink.statuses.length === 2, TIMEOUT_MS);
    expect(sink.statuses[1]).toBe('stale: end of recording: it holds no messages; REPLAY_FOLLOW=on waits for more');
    await feed.stop();
  });
});
