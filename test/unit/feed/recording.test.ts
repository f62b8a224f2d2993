import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { pack } from 'msgpackr';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Recorder } from '../../../src/feed/recorder.js';
import { headerLine, messageLine, parseMessageLine } from '../../../src/feed/recording.js';
import { ReplayFeed, type ReplayFeedOptions } from '../../../src/feed/replay-feed.js';
import { SimulatorFeed } from '../../../src/feed/simulator/simulator.js';
import type { FeedMessage } from '../../../src/feed-contract/feed.js';
import { Collector } from '../../support/collector.js';
import { FakeClock } from '../../support/fake-clock.js';
import { until } from '../../support/until.js';

const MESSAGE: FeedMessage = {
  subject: 'md.quotes.BTC/USDT',
  payload: Buffer.from('{"symbol":"BTC/USDT", "bid":1.50}'),
  tsEventMicros: 0,
  seq: 0,
  epoch: '',
  contiguous: false,
  publication: '',
  traceparent: '',
};

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-recording-'));
  file = join(directory, 'day.ndjson');
});
afterEach(() => rm(directory, { recursive: true }));

function replay(speed: number, options: Partial<ReplayFeedOptions> = {}): ReplayFeed {
  return new ReplayFeed({ config: { file, speed }, clock: new FakeClock(), ...options });
}

async function replayed(feed: ReplayFeed): Promise<Collector> {
  const sink = new Collector();
  await feed.start(sink);
  await until(() => sink.statuses.length === 2, 30_000, 'the recording ends');
  return sink;
}

function recorder(options: Partial<Parameters<typeof Recorder.open>[0]> = {}): Promise<Recorder> {
  const onError = (error: Error): void => {
    throw error;
  };
  return Recorder.open({ file, clock: new FakeClock(), onError, ...options });
}

describe('R12 recording format', () => {
  it('R12 writes JSON as the exact text, and leaves out what is not known', () => {
    expect(headerLine(Date.UTC(2024, 0, 2) * 1000)).toBe(
      '{"millrace_recording":1,"started_at":"2024-01-02T00:00:00.000Z"}\n',
    );
    expect(messageLine(MESSAGE, 1500)).toBe(
      '{"t":1500,"subject":"md.quotes.BTC/USDT","payload":"{\\"symbol\\":\\"BTC/USDT\\", \\"bid\\":1.50}"}\n',
    );
    expect(JSON.parse(messageLine({ ...MESSAGE, tsEventMicros: 5, seq: 0, epoch: 'e1', contiguous: true }, 0))).toEqual(
      {
        t: 0,
        subject: MESSAGE.subject,
        payload: '{"symbol":"BTC/USDT", "bid":1.50}',
        ts_event: 5,
        seq: 0,
        epoch: 'e1',
        contiguous: true,
      },
    );
  });

  it('R12 writes MessagePack and bytes that are not UTF-8 as Base64', () => {
    for (const payload of [pack({ symbol: 'A' }), Buffer.from([0x7b, 0xff]), Buffer.from('ހ')]) {
      const entry = JSON.parse(messageLine({ ...MESSAGE, payload }, 0));
      expect(entry.payload).toBeUndefined();
      expect(Buffer.from(entry.base64, 'base64')).toEqual(Buffer.from(payload));
    }
  });

  it('R12 keeps every message exactly, byte for byte, in one line', () => {
    const payloads = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.string({ unit: 'binary' }).map(text => new Uint8Array(Buffer.from(text))),
      fc.constantFrom('\u{feff}{}', '{"a":"\u2028\r\n"}', '\0').map(text => new Uint8Array(Buffer.from(text))),
    );
    const messages = fc.record({
      subject: fc.string({ minLength: 1 }),
      payload: payloads,
      tsEventMicros: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      seq: fc.constant(0),
      epoch: fc.constant(''),
      contiguous: fc.constant(false),
      publication: fc.constant(''),
      traceparent: fc.constant(''),
    });
    const numbered = fc.record({
      seq: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      epoch: fc.string({ minLength: 1 }),
      contiguous: fc.boolean(),
    });
    fc.assert(
      fc.property(messages, fc.option(numbered), fc.nat(), (plain, numbers, tMicros) => {
        const message = { ...plain, ...numbers };
        const line = messageLine(message, tMicros);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        const read = parseMessageLine(Buffer.from(line));
        if (typeof read === 'string') throw new Error(read);
        expect(read.tMicros).toBe(tMicros);
        expect({ ...read.message, payload: new Uint8Array(read.message.payload) }).toEqual(message);
      }),
    );
  });
});

describe('R12 recorder', () => {
  it('R12 records a live feed, and its replay delivers the same messages in the same order', async () => {
    const clock = new FakeClock();
    const config = { symbols: 20, updatesPerSecond: 5000, intervalMs: 4000, seed: 3 };
    const simulator = new SimulatorFeed({ config, symbols: [], clock });
    const live = new Collector();
    const recording = await recorder({ clock });
    await simulator.start({
      message: message => {
        live.message(message);
        recording.message(message);
      },
      status: () => recording.status(),
    });
    for (const kind of ['quotes', 'trades', 'books']) simulator.follow(`md.${kind}.*`, true);
    clock.advanceMs(300);
    await recording.close();
    expect(recording.messagesWritten).toBe(live.messages.length);
    expect(live.messages.length).toBeGreaterThan(1400);

    const sink = await replayed(replay(0));
    expect(sink.messages).toEqual(live.messages);
    expect(sink.statuses[1]).toBe('stale: end of recording');
  });

  it('R12 writes while it records, and ignores what comes after close', async () => {
    const recording = await recorder();
    recording.message(MESSAGE);
    await until(() => recording.messagesWritten === 1);
    recording.message(MESSAGE);
    const closed = recording.close();
    recording.message(MESSAGE);
    await closed;
    await recording.close();
    expect(recording.messagesWritten).toBe(2);
    expect((await readFile(file, 'utf8')).trimEnd().split('\n')).toHaveLength(3);
  });

  it('D10: records the time between messages, whatever the clock is set to', async () => {
    const clock = new FakeClock();
    const recording = await recorder({ clock });
    clock.advanceMs(10);
    recording.message(MESSAGE);
    clock.stepMs(-5_000);
    clock.advanceMs(10);
    recording.message(MESSAGE);
    await recording.close();
    const [, ...lines] = (await readFile(file, 'utf8')).trimEnd().split('\n');
    expect(lines.map(text => (JSON.parse(text) as { t: number }).t)).toEqual([10_000, 20_000]);
  });

  it('R12 reports a full disk once and goes on without recording', async () => {
    const errors: Error[] = [];
    const recording = await recorder({ file: '/dev/full', onError: error => errors.push(error) });
    recording.message(MESSAGE);
    await until(() => errors.length > 0);
    recording.message(MESSAGE);
    await recording.close();
    expect(errors.map(error => error.message)).toEqual([expect.stringMatching(/\/dev\/full: ENOSPC.*ends here/)]);
    expect(errors[0]?.cause).toMatchObject({ code: 'ENOSPC' });
    expect([recording.messagesWritten, recording.messagesDropped]).toEqual([0, 2]);
  });

  it('R12 drops what a slow disk has no room for, and says so once', async () => {
    const errors: string[] = [];
    const recording = await recorder({ queueCharactersMax: 500, onError: error => errors.push(error.message) });
    for (let i = 0; i < 100; i++) recording.message(MESSAGE);
    await recording.close();
    expect(recording.messagesDropped).toBeGreaterThan(80);
    expect(recording.messagesWritten + recording.messagesDropped).toBe(100);
    expect(errors).toEqual([expect.stringContaining('too slow')]);
  });

  it('R12 refuses to overwrite a recording, and a file that it cannot create', async () => {
    await writeFile(file, 'something');
    await expect(recorder()).rejects.toThrow(/cannot record to .*not empty/);
    await expect(recorder({ file: join(directory, 'no', 'such') })).rejects.toMatchObject({
      message: expect.stringContaining('ENOENT'),
      cause: { code: 'ENOENT' },
    });
  });
});

describe('R12 replay', () => {
  const line = (n: number, tMicros: number): string =>
    messageLine({ ...MESSAGE, payload: Buffer.from(`{"n":${n}}`) }, tMicros);
  const numbers = (sink: Collector): unknown[] =>
    sink.messages.map(message => (JSON.parse(Buffer.from(message.payload).toString()) as { n: number }).n);

  it('R12 delivers at the recorded pace times the speed, never early', async () => {
    await writeFile(file, headerLine(0) + line(1, 0) + line(2, 10_000) + line(3, 1_000_000));
    for (const speed of [1, 4]) {
      const clock = new FakeClock();
      const sink = new Collector();
      const feed = replay(speed, { clock });
      await feed.start(sink);
      await until(() => clock.timerCount === 1);
      expect(numbers(sink)).toEqual([1]);
      clock.advanceMs(10 / speed - 0.01);
      expect(numbers(sink)).toEqual([1]);
      clock.advanceMs(1);
      await until(() => clock.timerCount === 1);
      expect(numbers(sink)).toEqual([1, 2]);
      clock.advanceMs(990 / speed - 2);
      expect(clock.timerCount).toBe(1);
      clock.advanceMs(2);
      await until(() => sink.statuses.length === 2);
      expect(numbers(sink)).toEqual([1, 2, 3]);
    }
  });

  it.each([5_000, -5_000])('D10: keeps its pace when the clock is set by %i ms', async byMs => {
    await writeFile(file, headerLine(0) + line(1, 0) + line(2, 10_000));
    const clock = new FakeClock();
    const sink = new Collector();
    await replay(1, { clock }).start(sink);
    await until(() => clock.timerCount === 1);
    clock.stepMs(byMs);
    clock.advanceMs(9);
    expect(numbers(sink)).toEqual([1]);
    clock.advanceMs(1);
    await until(() => sink.statuses.length === 2);
    expect(numbers(sink)).toEqual([1, 2]);
  });

  it('R12 skips a malformed line, and reports its number and what is wrong with it', async () => {
    const bad = ['nonsense', '[]', '{"t":-1}', '{"t":1,"subject":""}', '{"t":1,"subject":"a"}'];
    const wrongBase64 = '{"t":1,"subject":"a","base64":"?!"}';
    await writeFile(file, `${headerLine(0)}${line(1, 0)}${bad.join('\n')}\n\n${wrongBase64}\n${line(2, 0)}{"t":5,"sub`);
    const reports: string[] = [];
    const feed = replay(0, { onMalformed: (number, reason) => reports.push(`${number} ${reason}`) });
    const sink = await replayed(feed);
    expect(numbers(sink)).toEqual([1, 2]);
    expect(reports).toEqual([
      '3 not a JSON object',
      '4 not a JSON object',
      '5 "t" must be µs since the start, 0 or more',
      '6 "subject" must be a NATS subject',
      '7 neither a "payload" text nor valid "base64"',
      '9 neither a "payload" text nor valid "base64"',
      '11 not a JSON object',
    ]);
    expect(feed.malformedLines).toBe(7);
  });

  it('R12 reads lines of any length and lines that span reads, and skips one over the limit', async () => {
    const long = messageLine({ ...MESSAGE, payload: Buffer.from(`{"n":1,"x":"${'x'.repeat(700_000)}"}`) }, 0);
    const tooLong = `"${'y'.repeat(17 * 1024 * 1024)}"\n`;
    await writeFile(file, headerLine(0) + long + tooLong + line(2, 0).trimEnd());
    const reports: string[] = [];
    const sink = await replayed(replay(0, { onMalformed: (number, reason) => reports.push(`${number} ${reason}`) }));
    expect(numbers(sink)).toEqual([1, 2]);
    expect(reports).toEqual(['3 too long']);
  });

  it('R12 refuses a file that is missing, empty or no recording, and says why', async () => {
    const missing = await replay(1).start(new Collector());
    expect(missing).toMatchObject({ code: 'misconfigured', detail: expect.stringMatching(/cannot replay .*ENOENT/) });
    for (const [content, fault] of [
      ['', 'it is empty'],
      ['a,b,c\n', 'line 1: the first line is not a JSON object'],
      ['{"t":0}', 'line 1: the first line has no "millrace_recording"'],
      ['{"millrace_recording":2}\n', 'line 1: version 2 is not supported'],
    ] as const) {
      await writeFile(file, content);
      expect(await replay(1).start(new Collector())).toMatchObject({
        ok: false,
        detail: expect.stringContaining(fault),
      });
    }
  });

  it('R12 calls its sink no more once it has stopped, asleep or at full speed', async () => {
    await writeFile(file, headerLine(0) + line(1, 0) + line(2, 60_000_000));
    const clock = new FakeClock();
    const asleep = replay(1, { clock });
    const sink = new Collector();
    await asleep.start(sink);
    await until(() => clock.timerCount === 1);
    await asleep.stop();
    expect(clock.timerCount).toBe(0);
    expect([sink.messages.length, sink.statuses.length]).toEqual([1, 1]);

    await writeFile(file, headerLine(0) + line(1, 0).repeat(20_000));
    const fast = replay(0);
    const fastSink = new Collector();
    await fast.start(fastSink);
    await until(() => fastSink.messages.length > 0);
    await fast.stop();
    const count = fastSink.messages.length;
    await new Promise(resolve => setImmediate(resolve));
    expect(fastSink.messages.length).toBe(count);
    expect(count).toBeLessThan(20_000);
    expect(fastSink.statuses).toHaveLength(1);
  });
});
