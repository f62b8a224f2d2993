/** Messages of exchanges, published over a real nats-server: clients hold what the exchange said, or were told otherwise. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CaptureReport, isRight, replayCapture } from '../../bench/captured/replay.js';
import { asText } from '../../bench/captured/report.js';
import { samples } from '../../bench/captured/samples.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';

const FILES = fileURLToPath(new URL('../../ops/examples/captured/', import.meta.url));
const CHECKSUMS: Readonly<Record<string, number>> = { 'kraken-v1': 17, 'kraken-v2': 19, okx: 19, bitfinex: 19 };

let nats: NatsServer;
let gateway: TestGateway;
let folder: string;
let files = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-captured-'));
  nats = await startNatsServer();
  gateway = await startGateway({ NATS_URL: nats.url, SYMBOLS: '*', WORKERS: '1', ENCODERS: '1' });
});
afterAll(async () => {
  await gateway?.stop();
  await nats?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function replay(file: string): Promise<CaptureReport> {
  const token = await testToken();
  const { url: gatewayUrl, metrics } = gateway;
  return replayCapture({ file, natsUrl: nats.url, gatewayUrl, token, metrics });
}

/** The lines as a file, of symbols that no other test has. */
async function replayLines(lines: readonly string[], symbols: readonly string[]): Promise<CaptureReport> {
  const file = join(folder, `${++files}.jsonl`);
  let text = lines.join('\n');
  for (const symbol of symbols) text = text.replaceAll(symbol, `${files}${symbol}`);
  await writeFile(file, text);
  return replay(file);
}

const linesOf = (name: string): string[] => [...(samples().get(`${name}.jsonl`) ?? [])];
const equal = (count: number) => ({ equal: count, 'held back': 0, unknown: 0, different: 0 });

describe('a captured feed', () => {
  it('has a small made-up file for each shape, which the generator makes again', async () => {
    for (const [name, lines] of samples()) {
      expect(await readFile(join(FILES, name), 'utf8'), name).toBe(`${lines.join('\n')}\n`);
    }
  });

  it.each(['kraken-v1', 'kraken-v2', 'coinbase', 'okx', 'deribit', 'bitfinex'])(
    'D3 D4 D11 D12: of %s is held exactly by clients of both formats',
    async name => {
      const report = await replay(join(FILES, `${name}.jsonl`));
      expect(report.problems).toEqual([]);
      expect(report.lines).toMatchObject({ unknown: 0, 'not JSON': 1 });
      expect(report.checksums).toEqual({ right: CHECKSUMS[name] ?? 0, wrong: 0, skipped: 0 });
      expect([...report.refused]).toEqual([]);
      for (const { topics, positions } of report.formats) {
        expect(topics).toEqual(equal(5));
        expect(positions).toEqual({ equal: report.published, different: 0 });
      }
      expect(isRight(report)).toBe(true);
      expect(asText(name, report)).toContain('Every client held what the exchange said.');
    },
  );

  it('D6: whose exchange numbers show a loss is held back, and clients are told', async () => {
    const lines = linesOf('okx');
    const change = lines.findIndex(line => line.includes('"action":"update"') && line.includes('"BTC-USDT"'));
    const report = await replayLines(lines.toSpliced(change, 1), ['BTC-USDT']);
    expect(report.checksums).toMatchObject({ wrong: 0 });
    expect(report.checksums.skipped).toBeGreaterThan(0);
    for (const { topics, positions } of report.formats) {
      expect(topics).toMatchObject({ 'held back': 1, different: 0 });
      expect(positions.different).toBe(0);
    }
  });

  it('D1: of which a message is refused is held back, and clients are told', async () => {
    const lines = linesOf('coinbase');
    const change = lines.findLastIndex(line => line.includes('l2update') && line.includes('"BTC-USD"'));
    const wrong = (lines[change] ?? '').replace(/\["(buy|sell)","[^"]+"/, '["$1","0x10"');
    const report = await replayLines(lines.with(change, wrong), ['BTC-USD', 'SPR-USD']);
    expect([...report.refused]).toEqual([['invalid_field', 1]]);
    for (const { topics, positions } of report.formats) {
      expect(topics).toMatchObject({ 'held back': 1, different: 0 });
      expect(positions.different).toBe(0);
    }
  });

  it('whose checksum is not that of the book is noticed', async () => {
    const lines = linesOf('kraken-v1');
    const change = lines.findLastIndex(line => line.includes('"c":') && line.includes('"XBT/USD"'));
    const wrong = (lines[change] ?? '').replace(/"c":"(\d)/, (_, digit: string) => `"c":"${(Number(digit) + 1) % 10}`);
    const report = await replayLines(lines.with(change, wrong), ['XBT/USD', 'SPR/USD']);
    expect(report.checksums).toEqual({ right: 16, wrong: 1, skipped: 0 });
    expect(isRight(report)).toBe(false);
    expect(asText('x', report)).toContain('is not that of the book');
  });
});
