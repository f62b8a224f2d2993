/**
 * For any history of a publisher (whole messages, changes, refused and missing ones, restarts; numbers in any form), a client
 * of either format holds exactly its state or has been told of that topic. Publisher, model and readers are in Python.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import WebSocket from 'ws';
import { TopicChains } from '../../src/client/chain.js';
import { decimalParts } from '../../src/protocol/decimal-parts.js';
import { parseExact } from '../../src/protocol/exact-json.js';
import { ExactNumber } from '../../src/protocol/exact-number.js';
import { LineProgram } from '../support/content/programs.js';
import { documentText, exactFrames } from '../support/exact-values.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

/** The suite tries the same histories each time. To search for others, give `random` or a number to begin at. */
const FIRST_SEED = process.env.MILLRACE_HISTORIES_SEED ?? '20261129';
const HISTORIES = Number(process.env.MILLRACE_HISTORIES_RUNS ?? 6);
const STEPS = Number(process.env.MILLRACE_HISTORIES_STEPS ?? 300);
const FIRST = FIRST_SEED === 'random' ? Math.floor(Math.random() * 1e9) : Number(FIRST_SEED);
const HISTORY_TIMEOUT_MS = 60_000;
const COMES_MS = 30_000;
const STREAMS = ['quotes', 'orderbook', 'depth', 'trades'];
/** As in histories.py. */
const DEPTH = 25;
const FAULTS: ReadonlySet<string> = new Set(['broken', 'checksum_mismatch', 'patch_failed', 'malformed']);

let nats: NatsServer;
let gateway: TestGateway;

beforeAll(async () => {
  nats = await startNatsServer();
  gateway = await startGateway({ NATS_URL: nats.url, SYMBOLS: 'H*', WORKERS: '1', ENCODERS: '2' });
});

afterAll(async () => {
  await gateway?.stop();
  await nats?.stop();
});

interface Verdict {
  readonly wrong: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  /** What the publisher's state comes to; of a topic that is stale, the last of it that could be known. */
  readonly documents: Readonly<Record<string, unknown>>;
  readonly stale: readonly string[];
}

/** Numbers, and texts that are numbers, in one form: what is text, and how it is written, the Python readers have compared. */
function byValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(byValue);
  if (typeof value === 'object' && value !== null && !(value instanceof ExactNumber)) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, byValue(member)]));
  }
  const parts = typeof value === 'boolean' || value === null ? undefined : decimalParts(String(value));
  return parts === undefined ? value : `${parts.isNegative ? '-' : ''}${parts.digits}e${parts.exponent}`;
}

/** The SDK's documents and chains on a bare socket. */
class SdkClient {
  readonly chains = new TopicChains();
  readonly broken: string[] = [];
  readonly stale = new Set<string>();
  readonly #socket: WebSocket;
  #subscribed = 0;

  private constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.on('message', (data: Buffer, isBinary) => {
      for (const frame of exactFrames(isBinary ? new Uint8Array(data) : data.toString())) this.#take(frame);
    });
  }

  static async follow(url: string, symbols: readonly string[]): Promise<SdkClient> {
    const client = new SdkClient(url);
    await until(() => client.#socket.readyState === WebSocket.OPEN, COMES_MS);
    for (const stream of STREAMS) {
      const depth = stream === 'depth' ? { depth: DEPTH } : {};
      client.#socket.send(JSON.stringify({ action: 'subscribe', stream, symbols, ...depth }));
    }
    await until(() => client.#subscribed === STREAMS.length, COMES_MS);
    return client;
  }

  close(): void {
    this.#socket.terminate();
  }

  #take(frame: Record<string, unknown>): void {
    const outcome = this.chains.feed(frame);
    if (outcome.kind === 'snapshot') for (const topic of outcome.topics) this.stale.delete(topic);
    if (frame.type === 'stale') this.stale.add(String(frame.topic));
    if (frame.type === 'subscribed') this.#subscribed++;
    if (FAULTS.has(outcome.kind)) this.broken.push(JSON.stringify(outcome));
  }
}

it.each(Array.from({ length: HISTORIES }, (_, i) => FIRST + i))(
  'R14 D1–D8 clients hold the publisher’s state or were told, in the history of seed %i',
  async seed => {
    const url = `${gateway.url}/ws?token=${await testToken()}`;
    const symbols = [`H${seed}a`, `H${seed}/b`];
    const again = `MILLRACE_HISTORIES_SEED=${seed} MILLRACE_HISTORIES_RUNS=1 tries it again`;
    const clients = await Promise.all(
      ['json', 'msgpack'].map(format => SdkClient.follow(`${url}&format=${format}`, symbols)),
    );
    const request = JSON.stringify({ nats: nats.url, url, seed, steps: STEPS, symbols });
    const history = new LineProgram('histories.py', [request]);
    try {
      const [line = ''] = await history.answer();
      const { wrong, counts, documents, stale } = parseExact(line) as Verdict;
      expect(wrong, again).toEqual([]);
      // It is only worth something when every kind of message was met.
      for (const kind of ['whole', 'change', 'refused', 'missing', 'restarted', 'stale', 'frames']) {
        expect(counts[kind], kind).toBeGreaterThan(0);
      }
      for (const client of clients) {
        for (const [topic, document] of Object.entries(documents)) {
          // What `orderbook` holds is a frame, whose chain is each client's own.
          if (topic.startsWith('orderbook:')) continue;
          const held = () => documentText(byValue(client.chains.documentOf(topic)));
          const expected = documentText(byValue(document));
          await until(() => held() === expected, COMES_MS).catch(() =>
            expect(held(), `${topic}; ${again}`).toBe(expected),
          );
        }
        expect([...client.stale].sort(), again).toEqual(stale);
        expect(client.broken, again).toEqual([]);
      }
    } finally {
      for (const client of clients) client.close();
      await history.end();
    }
  },
  HISTORY_TIMEOUT_MS,
);
