/**
 * What a publisher wrote reaches clients exactly, in both formats. The publisher, the meaning of its messages and the readers
 * are programs in Python, which has decimals and integers of any size and shares no code with the gateway.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LineProgram } from '../support/content/programs.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';

/** For a loaded machine; a reader answers as soon as everything has come. */
const AWAIT_SECONDS = 15;

const CONTENTS = [
  ['R14', 'texts, nesting and other plain values pass as they are'],
  ['D3', 'amounts in every form of every stream keep their value, written out'],
  ['D4', 'whole numbers beyond 2^53 keep every digit, wherever a publisher puts one'],
  ['D5', 'whole numbers from 2^32 on have an integer type in MessagePack, the gateway’s own included'],
  ['D16', 'times in text, as numbers in any unit and as MessagePack timestamps arrive as RFC 3339'],
] as const;
const FORMATS = ['json', 'msgpack'] as const;
const ENCODINGS = ['json', 'json with a byte order mark', 'msgpack'] as const;

let nats: NatsServer;
let gateway: TestGateway;
let publisher: LineProgram;
const readers: LineProgram[] = [];
let contents = 0;

beforeAll(async () => {
  nats = await startNatsServer();
  gateway = await startGateway({ NATS_URL: nats.url, SYMBOLS: 'X*', WORKERS: '1', ENCODERS: '1' });
  publisher = new LineProgram('publisher.py', [nats.url]);
});

afterAll(async () => {
  await Promise.all([publisher, ...readers].map(program => program?.end()));
  await gateway?.stop();
  await nats?.stop();
});

/** Follows everything that there is of a name, in one format. */
async function follow(name: string, format: string): Promise<LineProgram> {
  const url = `${gateway.url}/ws?timestamps=1&token=${await testToken({ sub: name })}`;
  const topics = ['quotes', 'orderbook', 'depth', 'trades', 'orders', 'rooms'].map(stream => `${stream}:${name}`);
  const request = { url, format, topics: [...topics, 'analytics:alerts'], depth: 100 };
  const reader = new LineProgram('reader.py', [JSON.stringify(request)]);
  readers.push(reader);
  await reader.answer();
  return reader;
}

/** Publishes the content in an encoding; says what the readers of both formats found. */
async function verdicts(content: string, encoding: string): Promise<object[]> {
  const name = `X${++contents}`;
  const own = await Promise.all(FORMATS.map(format => follow(name, format)));
  publisher.tell(JSON.stringify({ content, name, encoding }));
  const published = (await publisher.answer(line => line.includes('"done"'))).slice(0, -1);
  expect(published.length).toBeGreaterThan(10);
  for (const reader of own) {
    for (const message of published) reader.tell(message);
    reader.tell(JSON.stringify({ await: AWAIT_SECONDS }));
  }
  const found = await Promise.all(own.map(async reader => JSON.parse((await reader.answer())[0] ?? '') as object));
  await Promise.all(own.map(reader => reader.end()));
  return found;
}

it.each(CONTENTS)('%s %s', async content => {
  for (const encoding of ENCODINGS) {
    const held = { ok: true, wrong: [], messages: expect.any(Number) };
    expect(await verdicts(content, encoding), encoding).toEqual(FORMATS.map(() => held));
  }
});
