/**
 * For any history of a publisher (whole messages, changes, refused and missing ones, restarts; numbers in any form), a client
 * of either format holds exactly its state or has been told of that topic. Publisher, model and readers are in Python.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LineProgram } from '../support/content/programs.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';

/** The suite tries the same histories each time. To search for others, give `random` or a number to begin at. */
const FIRST_SEED = process.env.MILLRACE_HISTORIES_SEED ?? '20261129';
const HISTORIES = Number(process.env.MILLRACE_HISTORIES_RUNS ?? 6);
const STEPS = Number(process.env.MILLRACE_HISTORIES_STEPS ?? 300);
const FIRST = FIRST_SEED === 'random' ? Math.floor(Math.random() * 1e9) : Number(FIRST_SEED);
const HISTORY_TIMEOUT_MS = 60_000;

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
  readonly ok: boolean;
  readonly wrong: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

it.each(Array.from({ length: HISTORIES }, (_, i) => FIRST + i))(
  'R14 D1–D8 clients hold the publisher’s state or were told, in the history of seed %i',
  async seed => {
    const url = `${gateway.url}/ws?token=${await testToken()}`;
    const symbols = [`H${seed}a`, `H${seed}/b`];
    const history = new LineProgram('histories.py', [
      JSON.stringify({ nats: nats.url, url, seed, steps: STEPS, symbols }),
    ]);
    try {
      const [line = ''] = await history.answer();
      const { wrong, counts } = JSON.parse(line) as Verdict;
      expect(wrong, `MILLRACE_HISTORIES_SEED=${seed} MILLRACE_HISTORIES_RUNS=1 tries it again`).toEqual([]);
      // It is only worth something when every kind of message was met.
      for (const kind of ['whole', 'change', 'refused', 'missing', 'restarted', 'stale', 'frames']) {
        expect(counts[kind], kind).toBeGreaterThan(0);
      }
    } finally {
      await history.end();
    }
  },
  HISTORY_TIMEOUT_MS,
);
