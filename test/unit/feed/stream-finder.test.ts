/** Which creation time a gateway takes a stream to have, in a cluster whose nodes tell several while they create it. */
import { type JetStreamManager, NatsError, type StreamInfo } from 'nats';
import { beforeEach, expect, it } from 'vitest';
import { StreamFinder } from '../../../src/feed/stream-finder.js';
import { FakeClock } from '../../support/fake-clock.js';

const TRUE = '2024-01-02T03:04:05.000000000Z';
const LOCAL = '2024-01-02T03:04:05.004000000Z';

let clock: FakeClock;
/** What the servers answer in turn; the last one again and again. */
let answers: (StreamInfo | 'absent')[];
let asked: number;
let created: number;

beforeEach(() => {
  clock = new FakeClock();
  asked = 0;
  created = 0;
});

const info = (createdAt: string, leader: string, lastSeq = 0, name = 'c') =>
  ({ created: createdAt, cluster: { name, leader }, state: { last_seq: lastSeq } }) as StreamInfo;

function absent(): NatsError {
  const error = new NatsError('stream not found', '404');
  error.api_error = { code: 404, err_code: 10_059, description: 'stream not found' };
  return error;
}

/** Finds it; the clock advances whenever something waits for it. */
async function find(replicas = 3): Promise<string> {
  const manager = {
    streams: {
      info: async () => {
        const answer = answers[Math.min(asked++, answers.length - 1)] as StreamInfo | 'absent';
        if (answer === 'absent') throw absent();
        return answer;
      },
    },
  } as unknown as JetStreamManager;
  // A creation is answered by any node.
  const create = async () => {
    created++;
    return info(LOCAL, '');
  };
  let outcome: string | undefined;
  new StreamFinder('S', clock, create, replicas).find(manager, false).then(
    found => {
      outcome = found.created;
    },
    error => {
      outcome = String(error);
    },
  );
  while (outcome === undefined) {
    await new Promise(resolve => setImmediate(resolve));
    clock.advanceMs(1_000);
  }
  return outcome;
}

it('R29 N9 the answer to a creation, which any node gives, is not believed', async () => {
  answers = ['absent', 'absent', info(TRUE, 'n1')];
  expect([await find(), created]).toEqual([TRUE, 1]);
});

it('R29 N9 a node that answers without a leader is not believed', async () => {
  answers = [info(LOCAL, ''), info(LOCAL, ''), info(TRUE, 'n1')];
  expect([await find(), created]).toEqual([TRUE, 0]);
});

it('R29 N9 while the stream is empty, two answers must agree', async () => {
  answers = [info(LOCAL, 'n1'), info(TRUE, 'n1'), info(TRUE, 'n1')];
  expect([await find(), asked]).toEqual([TRUE, 3]);
});

it.each([
  ['a stream with messages', info(TRUE, 'n1', 7)],
  ['a single server', info(TRUE, 'n1', 0, '')],
])('R29 N9 %s is asked once', async (_, answer) => {
  answers = [answer];
  expect([await find(), asked]).toEqual([TRUE, 1]);
});

it('R29 N9 a gateway that starts at the same moment finds the stream that the other one creates', async () => {
  answers = ['absent', info(TRUE, 'n1')];
  expect([await find(), created]).toEqual([TRUE, 0]);
});

it('R29 N9 a stream that no leader answers for is not found', async () => {
  answers = [info(LOCAL, '')];
  expect(await find()).toMatch(/stream S has no leader/);
  expect(asked).toBeLessThan(50);
});
